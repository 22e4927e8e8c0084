"""Reading a request's query, where a name that is there twice says nothing that can be relied on."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request

from kassa.errors import BadRequest
from kassa.invoices.lifetime import moment as read_moment

_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}
_SHOWN_MAX: Final = 64


def once(request: Request, name: str) -> str | None:
    """Return a value of the query, or None where there is none. Raises ``BadRequest`` where there are several."""
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise BadRequest(f"The query has {name} twice.")
    return values[0] if values else None


def lists(query: QueryParams, names: Collection[str]) -> dict[str, str]:
    """Return what a list's query chooses by ``filter[…]`` and ``page[…]``, empty values included; the rest is not its.

    Raises ``BadRequest`` for a filter or page that is none of ``names``, or is there twice.
    """
    given: dict[str, str] = {}
    for name, value in query.multi_items():
        if name.partition("[")[0] not in ("filter", "page"):
            continue
        if name not in names:
            raise BadRequest(f"There is no {name[:_SHOWN_MAX]}.")
        if name in given:
            raise BadRequest(f"The query has {name} twice.")
        given[name] = value
    return given


def flag(given: Mapping[str, str], name: str) -> bool | None:
    """Return a value that says yes or no, None where there is none. Raises ``BadRequest``."""
    value = given.get(name)
    if value is None:
        return None
    if value.lower() not in _FLAGS:
        raise wrong(name, "be true or false")
    return _FLAGS[value.lower()]


def moment(given: Mapping[str, str], name: str, *, seconds: int = 0) -> datetime | None:
    """Return a bound of time, moved by ``seconds``. Raises ``BadRequest``.

    Bounds are whole seconds that are taken in, as documents show times: one second more makes an end exclusive.
    """
    value = given.get(name)
    if value is None:
        return None
    # A plus sign that was not escaped has become a space.
    found = read_moment(value.replace(" ", "+") if "T" in value else value)
    try:
        if found is not None:
            return found.replace(microsecond=0) + timedelta(seconds=seconds)
    except OverflowError:
        pass
    raise wrong(name, "be unix seconds or a moment in ISO 8601")


def whole(given: Mapping[str, str], name: str, *, most: int) -> int | None:
    """Return a whole number from 1 to ``most``, None where there is none. Raises ``BadRequest``."""
    value = given.get(name)
    if value is None:
        return None
    number = int(value) if value.isascii() and value.isdigit() and len(value) <= len(str(most)) else 0
    if not 1 <= number <= most:
        raise wrong(name, f"be a number from 1 to {most}")
    return number


def wrong(name: str, should: str) -> BadRequest:
    """Return the error of a value that cannot be."""
    return BadRequest(f"{name} should {should}.")
