"""Reading a request's query; a parameter that is given twice is refused."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request

from kassa.errors import BadRequest
from kassa.invoices.creating.lifetime import moment as read_moment

_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}
_SHOWN_MAX: Final = 64


def once(request: Request, name: str) -> str | None:
    """Return a value of the query, or None where it is absent. Raises ``BadRequest`` where it is given twice."""
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise BadRequest(f"The query has {name} twice.")
    return values[0] if values else None


def lists(query: QueryParams, names: Collection[str]) -> dict[str, str]:
    """Return a list's ``filter[…]`` and ``page[…]`` parameters, empty values included; others are ignored.

    Raises ``BadRequest`` for a filter or page that is not in ``names`` or is given twice, and for a filter's name
    without brackets: a client that sends ``status=…`` must not get the whole list.
    """
    given: dict[str, str] = {}
    for sent, value in query.multi_items():
        name = _meant(sent, names)
        if name.partition("[")[0] not in ("filter", "page"):
            continue
        if name not in names:
            raise BadRequest(f"There is no {name[:_SHOWN_MAX]}.")
        if name in given:
            raise BadRequest(f"The query has {name} twice.")
        given[name] = value
    return given


def _meant(name: str, names: Collection[str]) -> str:
    """Return a parameter's full name: ``test_mode`` may be given without brackets."""
    whole_name = f"filter[{name}]"
    if whole_name not in names:
        return name
    if name != "test_mode":
        raise BadRequest(f"There is no {name}, only {whole_name}.")
    return whole_name


def flag(given: Mapping[str, str], name: str) -> bool | None:
    """Return a boolean, or None where it is absent. Raises ``BadRequest``."""
    value = given.get(name)
    if value is None:
        return None
    if value.lower() not in _FLAGS:
        raise wrong(name, "be true or false")
    return _FLAGS[value.lower()]


def moment(given: Mapping[str, str], name: str, *, seconds: int = 0) -> datetime | None:
    """Return a bound of time, moved by ``seconds``. Raises ``BadRequest``.

    Bounds are inclusive whole seconds, as documents show times: one second more makes an end exclusive.
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
    """Return a whole number from 1 to ``most``, or None where it is absent. Raises ``BadRequest``."""
    value = given.get(name)
    if value is None:
        return None
    number = int(value) if value.isascii() and value.isdigit() and len(value) <= len(str(most)) else 0
    if not 1 <= number <= most:
        raise wrong(name, f"be a number from 1 to {most}")
    return number


def wrong(name: str, should: str) -> BadRequest:
    """Return the error of an invalid value."""
    return BadRequest(f"{name} should {should}.")
