"""The private API's timeline of an invoice. Ours: none of this family shows it."""

from http import HTTPStatus
from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from kassa import ids
from kassa.api import auth
from kassa.api.description.operation import Answer, Caller, Operation, Parameter
from kassa.api.private.described import INVOICE_ID
from kassa.api.query import lists, whole
from kassa.errors import NotFound
from kassa.invoices.document.shapes import Wire
from kassa.invoices.listing.timeline import SIZE_DEFAULT, SIZE_MAX, EventResource, resource
from kassa.invoices.tables import events
from kassa.invoices.tables.events import Happened
from kassa.jsonapi.answers import answer
from kassa.platform import Platform

_PAGE: Final = frozenset({"page[after]", "page[size]"})
_VERSION_MAX: Final = 2**31 - 1


class EventsMeta(Wire, frozen=True, kw_only=True):
    """The page's size and its end, as a cursor; an empty text where nothing is listed."""

    count: int
    """How many events are on this page."""
    size: int
    """How many there may be."""
    after: str
    """The last one's version: ``page[after]`` of it are later ones."""


class EventsLinks(Wire, frozen=True, kw_only=True):
    """Where the timeline goes on, relative to the host; an empty text where it does not."""

    next: str
    """Later events."""


class EventList(Wire, frozen=True, kw_only=True):
    """A page of a timeline, oldest first."""

    meta: EventsMeta
    links: EventsLinks
    data: list[EventResource]


LIST_EVENTS: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="Read an invoice's timeline",
    description="What has happened to an invoice, oldest first: each change of it is one event, which never changes."
    " Versions have no gaps, so a client that reads on with ``page[after]`` from the last version it knows misses"
    " nothing.",
    parameters=(
        INVOICE_ID,
        Parameter(
            name="page[after]",
            description="Only events of later versions.",
            schema={"type": "integer", "minimum": 1, "maximum": _VERSION_MAX},
        ),
        Parameter(
            name="page[size]",
            description="Events on a page.",
            schema={"type": "integer", "minimum": 1, "maximum": SIZE_MAX, "default": SIZE_DEFAULT},
        ),
    ),
    answers=(Answer(type=EventList, description="A page of the timeline."),),
    errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)


class Events:
    """The handler of ``/payment-invoices/{invoice_id}/events``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def page(self, request: Request) -> Response:
        """GET: a page of the timeline; 404 for an invoice that the account does not have."""
        account = await auth.private_account(self._platform, request)
        invoice_id: str = request.path_params["invoice_id"]
        if ids.tag_of(invoice_id, "cpi") != account.tag:
            raise NotFound
        after, size = read(request.query_params)
        found = await self._events(invoice_id, account.account_id, after=after, limit=size + 1)
        # An invoice has had an event since it was created.
        if not found and not (after and await self._events(invoice_id, account.account_id, after=0, limit=1)):
            raise NotFound
        return answer(_document(invoice_id, found, size=size))

    async def _events(self, invoice_id: str, account_id: str, *, after: int, limit: int) -> list[Happened]:
        return await events.of_invoice(self._platform.pool, invoice_id, account_id=account_id, after=after, limit=limit)


def read(query: QueryParams) -> tuple[int, int]:
    """Return behind which version the page begins and its size; an empty value is an absent one.

    Raises ``BadRequest`` for a page that cannot be.
    """
    given = {name: value for name, value in lists(query, _PAGE).items() if value}
    after = whole(given, "page[after]", most=_VERSION_MAX)
    return after or 0, whole(given, "page[size]", most=SIZE_MAX) or SIZE_DEFAULT


def _document(invoice_id: str, found: list[Happened], *, size: int) -> EventList:
    page = found[:size]
    after = str(page[-1].version) if page else ""
    path = f"/api/payment-invoices/{invoice_id}/events?page[after]={after}&page[size]={size}"
    return EventList(
        meta=EventsMeta(count=len(page), size=size, after=after),
        links=EventsLinks(next=path if len(found) > size else ""),
        data=[resource(event, invoice_id) for event in page],
    )
