"""The states of an ``Idempotency-Key``, and the answer to a repeat. Pure.

    (first request) ──> running ────record──> answered ──24 hours──> (forgotten)
                           │   └──release──> (forgotten)                 refused: it did nothing, so the key is free
                           └──its lease ends──> abandoned ──> running    a crash: the next repeat takes over

The rules are those of Stripe's API v1; a key with another request gets 422 and a running one 409, as in the IETF draft
"The Idempotency-Key HTTP Header Field". A request that takes over an abandoned key inherits its ``serial``, from which
the id of the created object is made, so that it recognises what the first request has created.
"""

import hashlib
import re
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from kassa import ids
from kassa.errors import Invalid, RequestUnderWay
from kassa.values import Value

HEADER: Final = "Idempotency-Key"
KEPT: Final = timedelta(hours=24)
LEASE: Final = timedelta(seconds=60)
"""Longer than any request takes: after it the request's process must have died."""

_KEY: Final = re.compile(r"[ -~]{1,255}")


class Result(Value, frozen=True, kw_only=True):
    """The answer to a request; the body is JSON."""

    status: int
    body: bytes


class KnownKey(Value, frozen=True, kw_only=True):
    """A key that exists already."""

    fingerprint: bytes
    result: Result | None


class Claim(Value, frozen=True, kw_only=True):
    """A key whose request its holder executes, until the lease ends."""

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
    """Return a request's fingerprint: another method, path or body is another request."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), body))).digest()


def repeated(known: KnownKey, fingerprint: bytes) -> Result:
    """Return the result that a repeat gets.

    Raises ``Invalid`` where the key was used for another request, ``RequestUnderWay`` where there is no result yet.
    """
    if known.fingerprint != fingerprint:
        raise Invalid({HEADER: "This key was used for another request."})
    if known.result is None:
        raise RequestUnderWay
    return known.result


def is_kept(status: int) -> bool:
    """Whether a result is kept for repeats. Refusals did nothing and may be corrected; 503 may have done anything."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return status != HTTPStatus.SERVICE_UNAVAILABLE
    return status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.CONFLICT
