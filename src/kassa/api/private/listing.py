"""Reading the query of the invoice list: filters, cursors and what to include (CONTRACT §4)."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from starlette.datastructures import QueryParams

from kassa import ids
from kassa.errors import BadRequest, NotFound
from kassa.invoices.lifetime import moment
from kassa.invoices.listing.model import SIZE_DEFAULT, SIZE_MAX, Filters, Page
from kassa.invoices.model import Status
from kassa.providers.protocol import Value

_FILTERS: Final = {
    f"filter[{name}]" for name in ("reference_id", "status", "resolution", "service", "currency", "test_mode")
} | {f"filter[{name}][{bound}]" for name in ("created", "updated") for bound in ("from", "to")}
_PAGE: Final = {"page[before]", "page[after]", "page[size]"}
_MODES: Final = {"true": True, "1": True, "false": False, "0": False}
_SHOWN_MAX: Final = 64


class Asked(Value, frozen=True, kw_only=True):
    """What a query asks for."""

    filters: Filters
    page: Page
    include_customer: bool
    kept: str
    """All of it but the page, to go on into links."""


def read(query: QueryParams, *, tag: str) -> Asked:
    """Return what the query asks of the list of the account with this tag.

    An empty value is an absent one, but for ``filter[reference_id]``: whoever asks for one order must not take the
    whole list for it. Raises ``BadRequest`` for a filter or a page that cannot be, and ``NotFound`` for a
    ``reference_id`` that no invoice can have.
    """
    items = [(name, value) for name, value in query.multi_items() if name.partition("[")[0] in ("filter", "page")]
    given = _given(items)
    include_customer = includes_customer(query)
    kept = {name: value for name, value in given.items() if name not in _PAGE}
    if include_customer:
        kept["include"] = "customer"
    return Asked(
        filters=_filters(given),
        page=_page(given, tag),
        include_customer=include_customer,
        kept="".join(f"&{name}={quote(value, safe='')}" for name, value in kept.items()),
    )


def includes_customer(query: QueryParams) -> bool:
    """Whether ``include`` names the customer; what else it may name is not ours to include."""
    return "customer" in query.get("include", "").split(",")


def _given(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in items:
        if name not in _FILTERS | _PAGE:
            raise BadRequest(f"There is no {name[:_SHOWN_MAX]}.")
        if name in given:
            raise BadRequest(f"The query has {name} twice.")
        given[name] = value
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
        test_mode=_mode(given),
        created_from=_bound(given, "filter[created][from]"),
        created_until=_bound(given, "filter[created][to]", seconds=1),
        updated_from=_bound(given, "filter[updated][from]"),
        updated_until=_bound(given, "filter[updated][to]", seconds=1),
    )


def _text(given: Mapping[str, str], name: str) -> str | None:
    value = given.get(f"filter[{name}]")
    if value is None or "\x00" not in value:
        return value
    raise NotFound if name == "reference_id" else _wrong(f"filter[{name}]", "hold printable text")


def _status(given: Mapping[str, str]) -> Status | None:
    value = given.get("filter[status]")
    if value is None:
        return None
    if value not in set(Status):
        raise _wrong("filter[status]", "be a status of an invoice")
    return Status(value)


def _mode(given: Mapping[str, str]) -> bool | None:
    value = given.get("filter[test_mode]")
    if value is None:
        return None
    if value.lower() not in _MODES:
        raise _wrong("filter[test_mode]", "be true or false")
    return _MODES[value.lower()]


def _bound(given: Mapping[str, str], name: str, *, seconds: int = 0) -> datetime | None:
    """Return a bound of time. Both ends are whole seconds that are taken in, as documents show times."""
    value = given.get(name)
    if value is None:
        return None
    # A plus sign that was not escaped has become a space.
    found = moment(value.replace(" ", "+") if "T" in value else value)
    try:
        if found is not None:
            return found.replace(microsecond=0) + timedelta(seconds=seconds)
    except OverflowError:
        pass
    raise _wrong(name, "be unix seconds or a moment in ISO 8601")


def _page(given: Mapping[str, str], tag: str) -> Page:
    before, after = given.get("page[before]"), given.get("page[after]")
    if before and after:
        raise BadRequest("The query has both page[before] and page[after].")
    for name in ("page[before]", "page[after]"):
        if name in given and ids.tag_of(given[name], "cpi") != tag:
            raise _wrong(name, "be the id of an invoice of this account")
    return Page(before=before, after=after, size=_size(given.get("page[size]")))


def _size(value: str | None) -> int:
    if value is None:
        return SIZE_DEFAULT
    size = int(value) if value.isascii() and value.isdigit() and len(value) <= len(str(SIZE_MAX)) else 0
    if not 1 <= size <= SIZE_MAX:
        raise _wrong("page[size]", f"be a number from 1 to {SIZE_MAX}")
    return size


def _wrong(name: str, should: str) -> BadRequest:
    return BadRequest(f"{name} should {should}.")
