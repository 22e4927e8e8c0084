"""How a merchant should read a callback: check the signature over the raw bytes first, and only then the JSON."""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from kassa.callbacks import signing
from kassa.providers.protocol import Value

TOLERANCE: Final = timedelta(minutes=5)
"""How far a callback's time may be from the receiver's, so that a recorded one cannot be sent again later."""

_TIMESTAMP_DIGITS_MAX: Final = 12


class Attributes(Value, frozen=True, kw_only=True):
    """The members of an invoice that the shop looks at."""

    status: str
    resolution: str
    reference_id: str
    amount: msgspec.Raw
    currency: str
    test_mode: bool


class Invoice(Value, frozen=True, kw_only=True):
    """The document's resource."""

    id: str
    attributes: Attributes


class Body(Value, frozen=True, kw_only=True):
    """A callback's body."""

    data: Invoice


class Received(Value, frozen=True, kw_only=True):
    """One callback as the shop keeps it."""

    callback_id: str
    invoice: Invoice
    received_at: datetime
    genuine: bool

    @property
    def amount(self) -> str:
        """The amount as it was written."""
        return bytes(self.invoice.attributes.amount).decode()


def genuine(headers: Mapping[str, str], body: bytes, *, keys: Sequence[str], now: datetime) -> bool:
    """Tell whether both signatures of a callback were made with one of the keys, and lately.

    Header names are in lower case; comparisons take the same time whatever is wrong.
    """
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > _TIMESTAMP_DIGITS_MAX:
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        return False
    callback_id = headers.get("webhook-id", "")
    standards = [signing.standard(key, callback_id, int(timestamp), body) for key in keys]
    given = headers.get("webhook-signature", "").split(" ")
    return _same([headers.get("x-signature", "")], [signing.envelope(key, body) for key in keys]) and _same(
        given, standards
    )


def _same(given: Sequence[str], expected: Sequence[str]) -> bool:
    compared = [hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected]
    return any(compared)
