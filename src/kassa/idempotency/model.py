"""What an ``Idempotency-Key`` stands for, and what a request gets that brings one again.

    (first request) ──> under way ──record──> answered ──24 hours──> (forgotten)
                           │   └──release──> (forgotten)                 refused: it did nothing, so the key is free
                           └──its lease ends──> abandoned ──> under way  a crash: the next repeat takes over

The rules are those of Stripe's API v1; a key with another request gets 422 and one under way 409, as the IETF's draft
"The Idempotency-Key HTTP Header Field" has it. A request that takes over an abandoned key inherits its ``serial``: the
id of what it creates is made of it, so that what the first request has created is known as its own.
"""

import hashlib
import re
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from kassa import ids
from kassa.errors import Invalid, RequestUnderWay
from kassa.providers.protocol import Value

HEADER: Final = "Idempotency-Key"
KEPT: Final = timedelta(hours=24)
LEASE: Final = timedelta(seconds=60)
"""Longer than any request takes: after it the request's process must have died."""

_KEY: Final = re.compile(r"[ -~]{1,255}")


class Result(Value, frozen=True, kw_only=True):
    """What a request was answered with; the body is JSON."""

    status: int
    body: bytes


class Met(Value, frozen=True, kw_only=True):
    """A key that is there already."""

    fingerprint: bytes
    result: Result | None


class Claim(Value, frozen=True, kw_only=True):
    """A key that its holder executes the request of, until the lease ends."""

    account_id: str
    key: str
    serial: str
    """The id, without prefix, of what the request creates."""
    resumed: bool
    """Whether an abandoned request may have created it already."""
    leased_until: datetime

    def named(self, prefix: ids.Prefix) -> str:
        """Return the id of what the request creates."""
        return f"{prefix}_{self.serial}"


def is_key(text: str) -> bool:
    """Whether a text can be a key: 1 to 255 printable ASCII characters."""
    return _KEY.fullmatch(text) is not None


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    """Return what a request is recognised by: another address or body makes another request."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), body))).digest()


def repeated(met: Met, asked: bytes) -> Result:
    """Return the result that a repeat gets.

    Raises ``Invalid`` where the key stands for another request, ``RequestUnderWay`` where there is no result yet.
    """
    if met.fingerprint != asked:
        raise Invalid({HEADER: "This key was used for another request."})
    if met.result is None:
        raise RequestUnderWay
    return met.result


def stands(status: int) -> bool:
    """Whether a result is kept for repeats. Refusals did nothing and may be mended; 503 may have done anything."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return status != HTTPStatus.SERVICE_UNAVAILABLE
    return status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.CONFLICT
