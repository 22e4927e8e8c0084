"""Reading a request's body, before its members are validated.

Refused as a whole: more than 64 KiB, compressed bodies, other types than JSON, invalid JSON, repeated names, deep
nesting and very long numbers. Refused by name, together with all else that is wrong: characters that no row or page
should hold, and numbers that are not finite or that a double, which most readers have, cannot hold (1e400). Numbers
with a point become exact decimals that keep their original text.
"""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from kassa.errors import BadRequest, BodyTooLarge, Message, UnsupportedBody
from kassa.numbers import Number

SIZE_MAX: Final = 64 * 1024
DEPTH_MAX: Final = 32
_DROPPED_MAX: Final = 4 * 1024 * 1024
_DIGITS_MAX: Final = 400
_JSON_TYPES: Final = frozenset({"", "application/json", "application/vnd.api+json"})
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Control characters but for tabs and line ends, and halves of characters."""


async def read_json(
    request: Request, errors: dict[str, str], *, inside: str = "", may_be_empty: bool = False
) -> dict[str, Any]:
    """Return the JSON object in a body; an empty one for no body, where there may be none.

    Values that cannot be stored are added to ``errors`` by dotted name, relative to ``inside``, the path of the
    documented members (``data.attributes``).
    Raises ``UnsupportedBody`` (415), ``BodyTooLarge`` (413), ``BadRequest`` (400).
    """
    body = await read_bytes(request)
    if may_be_empty and not body:
        return {}  # Clients send any content type with an empty body.
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in _JSON_TYPES:
        raise UnsupportedBody("The body should be application/json or application/vnd.api+json.")
    data = decode(body)
    if not isinstance(data, dict):
        raise BadRequest("The body should be a JSON object.")
    errors.update({name.removeprefix(f"{inside}."): message for name, message in unfit(data)})
    return data


def attributes(data: Mapping[str, Any], errors: dict[str, str], *, kind: str) -> Mapping[str, Any]:
    """Return ``data.attributes`` of a JSON:API body; a ``type`` that is not ``kind`` is added to ``errors``.

    The type may be absent, and be singular for plural (contract#private-api). Raises ``BadRequest`` for another shape.
    """
    resource = data.get("data")
    if not isinstance(resource, Mapping) or not isinstance(resource.get("attributes"), Mapping):
        raise BadRequest(f'The body should be {{"data": {{"type": "{kind}", "attributes": {{…}}}}}}.')
    if resource.get("type", kind) not in (kind, kind.removesuffix("s")):
        errors["type"] = f"This value should be {kind}."
    members: Mapping[str, Any] = resource["attributes"]
    return members


async def read_bytes(request: Request) -> bytes:
    """Return the bytes of a body, never holding more than ``SIZE_MAX`` of them.

    Of a larger one the rest is read, within limits, and dropped: a client that is cut off while sending gets no answer.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedBody("The body should not be compressed.")
    kept, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= SIZE_MAX:
                kept += chunk
            elif size > _DROPPED_MAX:
                break
    except ClientDisconnect:
        raise BadRequest("The body did not arrive whole.") from None
    if size > SIZE_MAX:
        raise BodyTooLarge
    return bytes(kept)


def decode(body: bytes) -> Any:
    """Return what a JSON text says. Raises ``BadRequest`` for invalid JSON, and for what no honest client sends."""
    try:
        data = json.loads(
            body.decode(),
            parse_float=_number,
            parse_int=_integer,
            parse_constant=Decimal,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError:
        raise BadRequest("The body should be UTF-8.") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"The body is not JSON: {error.msg} at character {error.pos}.") from None
    if _deeper_than(data, DEPTH_MAX):
        raise BadRequest("The body is nested too deeply.")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadRequest("The body names a member twice.")
    return members


def _number(text: str) -> Number:
    if len(text) > _DIGITS_MAX:
        raise BadRequest("The body holds a number that is too long.")
    return Number(text)


def _integer(text: str) -> int | Number:
    number = _number(text)
    return int(text) if number.is_finite() and text != "-0" else number


def _deeper_than(data: object, depth: int) -> bool:
    if not isinstance(data, dict | list):
        return False
    if depth == 0:
        return True
    return any(_deeper_than(child, depth - 1) for child in (data.values() if isinstance(data, dict) else data))


def unfit(data: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted name of each value that PostgreSQL, a log or a page cannot hold, and what is wrong with it."""
    if isinstance(data, str):
        if _UNPRINTABLE.search(data):
            yield name, Message("This value should not contain control characters.")
    elif isinstance(data, Decimal):
        if not data.is_finite():
            yield name, Message("This value should be a number.")
    elif isinstance(data, dict):
        for key, child in data.items():
            if _UNPRINTABLE.search(key):
                yield name or "body", Message("A name should not contain control characters.")
            else:
                yield from unfit(child, f"{name}.{key}" if name else key)
    elif isinstance(data, list):
        for position, child in enumerate(data):
            yield from unfit(child, f"{name}.{position}" if name else str(position))
