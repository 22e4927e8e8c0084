"""The private API's disputes: chargebacks, and what became of them. Ours: none of this family shows them."""

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from kassa import ids
from kassa.accounts.model import Account
from kassa.api import auth
from kassa.api.description.operation import Answer, Caller, Operation, Parameter
from kassa.api.query import flag, lists, whole, wrong
from kassa.errors import NotFound
from kassa.invoices.document.shapes import Wire
from kassa.invoices.listing.disputes import DisputeResource, resource
from kassa.invoices.rules.records import Dispute, DisputeStatus
from kassa.invoices.tables import disputes
from kassa.jsonapi.answers import answer
from kassa.platform import Platform
from kassa.values import Value

PATH: Final = "/api/disputes"
SIZE_DEFAULT: Final = 20
SIZE_MAX: Final = 100

_PAGE: Final = frozenset({"page[before]", "page[size]"})
_FILTERS: Final = frozenset({"filter[status]", "filter[test_mode]"})


class DisputesMeta(Wire, frozen=True, kw_only=True):
    """The page's size and its end, as a cursor; an empty text where nothing is listed."""

    count: int
    """How many disputes are on this page."""
    size: int
    """How many there may be."""
    before: str
    """The oldest one's id: ``page[before]`` of it are older ones."""


class DisputesLinks(Wire, frozen=True, kw_only=True):
    """Where the list goes on, relative to the host; an empty text where it does not."""

    next: str
    """Older disputes."""


class DisputeList(Wire, frozen=True, kw_only=True):
    """A page of disputes, newest first."""

    meta: DisputesMeta
    links: DisputesLinks
    data: list[DisputeResource]


class DisputeDocument(Wire, frozen=True, kw_only=True):
    """One dispute."""

    data: DisputeResource


class Asked(Value, frozen=True, kw_only=True):
    """What a query asks for."""

    status: DisputeStatus | None
    test_mode: bool | None
    before: str | None
    size: int
    kept: str
    """All of it but the page, to go on into the link."""


LIST_DISPUTES: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="List disputes, newest first",
    description="Money that payers' banks have taken back (chargebacks), and what became of it.",
    parameters=(
        Parameter(
            name="filter[status]",
            description="Disputes of this status only.",
            schema={"enum": [status.value for status in DisputeStatus]},
        ),
        Parameter(
            name="filter[test_mode]",
            description="One mode only. May also be written ``test_mode``.",
            schema={"type": "boolean"},
        ),
        Parameter(
            name="page[before]",
            description="Only disputes opened before the one with this id; 404 where the account has no such one.",
            schema={"type": "string", "pattern": "^(dis_[A-Za-z0-9]{16}|)$"},
        ),
        Parameter(
            name="page[size]",
            description="Disputes on a page.",
            schema={"type": "integer", "minimum": 1, "maximum": SIZE_MAX, "default": SIZE_DEFAULT},
        ),
    ),
    answers=(Answer(type=DisputeList, description="A page of disputes."),),
    errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)
READ_DISPUTE: Final = Operation(
    method="GET",
    caller=Caller.PRIVATE,
    summary="Read a dispute",
    parameters=(
        Parameter(
            name="dispute_id",
            place="path",
            description="The dispute's id.",
            schema={"type": "string", "minLength": 1},
            example="dis_HeSWnW3xkQ0bZt7a",
        ),
    ),
    answers=(Answer(type=DisputeDocument, description="The dispute."),),
    errors=(HTTPStatus.NOT_FOUND,),
)


class Disputes:
    """Handlers of ``/disputes``."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def page(self, request: Request) -> Response:
        """GET: a page of the list."""
        account = await auth.private_account(self._platform, request)
        asked = read(request.query_params)
        found = await disputes.page(
            self._platform.pool,
            account_id=account.account_id,
            test_mode=asked.test_mode,
            status=asked.status,
            before=await self._before(asked.before, account),
            limit=asked.size + 1,
        )
        return answer(_document(found, asked))

    async def read(self, request: Request) -> Response:
        """GET by id; 404 for a dispute that the account does not have."""
        account = await auth.private_account(self._platform, request)
        found = await self._find(request.path_params["dispute_id"], account)
        if found is None:
            raise NotFound
        return answer(DisputeDocument(data=resource(found)))

    async def _before(self, dispute_id: str | None, account: Account) -> Dispute | None:
        if dispute_id is None:
            return None
        found = await self._find(dispute_id, account)
        if found is None:
            raise NotFound
        return found

    async def _find(self, dispute_id: str, account: Account) -> Dispute | None:
        if ids.tag_of(dispute_id, "dis") != account.tag:
            return None
        return await disputes.by_id(self._platform.pool, dispute_id, account_id=account.account_id)


def read(query: QueryParams) -> Asked:
    """Return what a query asks for; an empty value is an absent one.

    Raises ``BadRequest`` for a filter or a page that cannot be.
    """
    given = {name: value for name, value in lists(query, _FILTERS | _PAGE).items() if value}
    kept = {name: value for name, value in given.items() if name not in _PAGE}
    return Asked(
        status=_status(given.get("filter[status]")),
        test_mode=flag(given, "filter[test_mode]"),
        before=given.get("page[before]"),
        size=whole(given, "page[size]", most=SIZE_MAX) or SIZE_DEFAULT,
        kept="".join(f"&{name}={quote(value, safe='')}" for name, value in kept.items()),
    )


def _status(value: str | None) -> DisputeStatus | None:
    if value is not None and value not in set(DisputeStatus):
        raise wrong("filter[status]", f"be one of {', '.join(DisputeStatus)}")
    return None if value is None else DisputeStatus(value)


def _document(found: list[Dispute], asked: Asked) -> DisputeList:
    page = found[: asked.size]
    before = page[-1].dispute_id if page else ""
    path = f"{PATH}?page[before]={before}&page[size]={asked.size}{asked.kept}"
    return DisputeList(
        meta=DisputesMeta(count=len(page), size=asked.size, before=before),
        links=DisputesLinks(next=path if len(found) > asked.size else ""),
        data=[resource(dispute) for dispute in page],
    )
