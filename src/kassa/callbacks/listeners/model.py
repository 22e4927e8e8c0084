"""A lease, and the copies of callbacks that it collects."""

from datetime import datetime
from typing import Final

from kassa.values import Value

LEASE_SECONDS: Final = 60
"""How long a lease lives after it was opened or last renewed."""
LISTENERS_MAX: Final = 10
"""Leases of an account and mode at a time."""
WAIT_SECONDS_MAX: Final = 5
"""How long a listener's question waits for an answer: shorter than a server takes to stop."""
COPIES_MAX: Final = 20
"""Copies that are handed over at a time."""


class Listener(Value, frozen=True, kw_only=True):
    """A lease."""

    listener_id: str
    test_mode: bool
    leased_until: datetime


class Copy(Value, frozen=True, kw_only=True):
    """A callback as its listener gets it."""

    callback_id: str
    invoice_id: str
    invoice_status: str
    body: bytes
    created_at: datetime

    def __repr__(self) -> str:
        return f"Copy({self.callback_id}, …)"
