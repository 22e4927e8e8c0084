"""A callback as ``kassa listen`` reads it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from kassa.demo import merchant
from kassa.values import Value


class Attributes(Value, frozen=True, kw_only=True):
    """The members of an invoice that are shown."""

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


def genuine(headers: Mapping[str, str], body: bytes, *, keys: Sequence[str], now: datetime) -> bool:
    """Return whether both signatures of a callback were made with one of the keys, and recently.

    Header names are in lower case.
    """
    return merchant.check(headers, body, private_keys=keys, now=now.timestamp()).genuine
