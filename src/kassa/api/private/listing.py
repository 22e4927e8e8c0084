"""Reading the query of the invoice list: filters, cursors and what to include (contract#private-api)."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.datastructures import QueryParams

from kassa import ids
from kassa.api.query import flag, lists, moment, whole, wrong
from kassa.errors import BadRequest, NotFound
from kassa.invoices.listing.model import SIZE_DEFAULT, SIZE_MAX, Filters, Page
from kassa.invoices.rules.invoice import Status
from kassa.values import Value

_FILTERS: Final = {
    f"filter[{name}]"
    for name in ("reference_id", "status", "resolution", "service", "currency", "test_mode", "moderation_required")
} | {f"filter[{name}][{bound}]" for name in ("created", "updated") for bound in ("from", "to")}
_PAGE: Final = {"page[before]", "page[after]", "page[size]"}


class ListQuery(Value, frozen=True, kw_only=True):
    """The query of an invoice list."""

    filters: Filters
    page: Page
    include_customer: bool
    kept: str
    """The query without the page, to be repeated in links."""


def read(query: QueryParams, *, tag: str) -> ListQuery:
    """Return the query of a list for the account with this tag.

    An empty value is an absent one, except for ``filter[reference_id]``: a client that looks for one order must not get
    the whole list. Raises ``BadRequest`` for an invalid filter or page, and ``NotFound`` for a ``reference_id`` that no
    invoice can have.
    """
    given = _given(query)
    include_customer = includes_customer(query)
    kept = {name: value for name, value in given.items() if name not in _PAGE}
    if include_customer:
        kept["include"] = "customer"
    return ListQuery(
        filters=_filters(given),
        page=_page(given, tag),
        include_customer=include_customer,
        kept="".join(f"&{name}={quote(value, safe='')}" for name, value in kept.items()),
    )


def includes_customer(query: QueryParams) -> bool:
    """Whether ``include`` names the customer; other names are ignored."""
    return "customer" in query.get("include", "").split(",")


def _given(query: QueryParams) -> dict[str, str]:
    given = lists(query, _FILTERS | _PAGE)
    if given.get("filter[reference_id]") == "":
        raise BadRequest("filter[reference_id] should not be blank.")
    return {name: value for name, value in given.items() if value}


def _filters(given: Mapping[str, str]) -> Filters:
    return Filters(
        reference_id=_text(given, "reference_id"),
        status=_status(given),
        resolution=_text(given, "resolution"),
        service=_text(given, "service"),
        currency=_text(given, "currency"),
        moderation_required=flag(given, "filter[moderation_required]"),
        test_mode=flag(given, "filter[test_mode]"),
        created_from=moment(given, "filter[created][from]"),
        created_until=moment(given, "filter[created][to]", seconds=1),
        updated_from=moment(given, "filter[updated][from]"),
        updated_until=moment(given, "filter[updated][to]", seconds=1),
    )


def _text(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(f"filter[{name}]")
    if value is None or "\x00" not in value:
        return value
    raise NotFound if name == "reference_id" else wrong(f"filter[{name}]", "hold printable text")


def _status(given: Mapping[str, str]) -> Status | None:
    value = given.get("filter[status]")
    if value is None:
        return None
    if value not in set(Status):
        raise wrong("filter[status]", "be a status of an invoice")
    return Status(value)


def _page(given: Mapping[str, str], tag: str) -> Page:
    before, after = given.get("page[before]"), given.get("page[after]")
    if before and after:
        raise BadRequest("The query has both page[before] and page[after].")
    for name in ("page[before]", "page[after]"):
        if name in given and ids.tag_of(given[name], "cpi") != tag:
            raise wrong(name, "be the id of an invoice of this account")
    return Page(before=before, after=after, size=whole(given, "page[size]", most=SIZE_MAX) or SIZE_DEFAULT)
