"""What the worker's claims are about: queues, and work that was taken from them."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from kassa.db.pool import Row

IN_FLIGHT_MAX: Final = 256
LOOK_MAX: Final = 1000
"""Rows of a queue that one search for accounts reads at most."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of work: a table, and how its rows are found and taken.

    Without a ``lease`` an account is taken rather than its rows: its work is done in batches that lock what they take,
    and it is due until it is done.
    """

    name: str
    """As logs and traces call it."""
    table: str
    key: tuple[str, ...] = ()
    """What names a row beside its account; needed for a lease."""
    due: str | None = "due_at"
    """The column that says when a row is due; None where each row is, from the moment it is there."""
    then_by: tuple[str, ...] = ()
    """What orders rows that are due at the same moment."""
    of_mode: bool = True
    """Whether rows belong to a mode and are due by its clock; others are due by the real one."""
    counter: str | None = None
    """The column that counts claims: a released one does not count."""
    lease: timedelta | None = None
    renew_seconds: float | None = None
    """How often a lease is renewed while the work goes on; None where a lease outlives any of it."""
    poll_seconds: float = 0
    """The shortest time between two looks that found nothing; 0: at each poll of the worker."""
    per_account: int
    """Claims of one account at a time."""
    in_flight: int = IN_FLIGHT_MAX
    """Claims of all accounts at a time, of a mode and in this process."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """Work that was taken."""

    account_id: str
    row: Row
    """The row as the claim left it; of a queue without a lease the ``account_id`` and ``test_mode``."""
    until: datetime | None = None
    """When it is due again, unless somebody ends it; None without a lease."""
