"""Reading what browsers send: urlencoded forms, bounded in size and time, kept in memory alone."""

import asyncio
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from kassa.errors import BadRequest, BodyTooLarge, UnsupportedBody

RETURN_MAX: Final = 16 * 1024
"""The most bytes that a payer's return from a provider's page may carry."""

_BODY_SECONDS: Final = 10
_PARAMETERS_MAX: Final = 50
_URLENCODED: Final = "application/x-www-form-urlencoded"


async def read(request: Request, most: int) -> bytes:
    """Return an urlencoded body of at most ``most`` bytes.

    Raises ``UnsupportedBody``, ``BodyTooLarge``, or ``BadRequest`` for one that does not arrive in time.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _URLENCODED:
        raise UnsupportedBody
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise BodyTooLarge
    except (TimeoutError, ClientDisconnect):
        raise BadRequest from None
    return bytes(body)


async def returned(request: Request) -> dict[str, str]:
    """Return the query and form of a return from a provider's page, by GET or POST, as one."""
    params = dict(request.query_params)
    if request.method == "POST":
        params |= _parameters(await read(request, RETURN_MAX))
    return params


def _parameters(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_PARAMETERS_MAX))
    except ValueError:
        raise BadRequest from None
