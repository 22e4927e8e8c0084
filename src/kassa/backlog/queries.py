"""How much waits, and since when, over all accounts: one statement, which reads a row or a bounded number of each."""

from datetime import datetime
from typing import Final

from kassa.db.pool import Executor
from kassa.values import Value

COUNT_MAX: Final = 10_000
"""Counting ends there: then it is enough to know that there are many."""


class Backlog(Value, frozen=True, kw_only=True):
    """What waits in a mode: counts, and when the oldest of each was created."""

    callbacks: int
    attempts: int
    refunds: int
    entries: int
    unknown: int
    held: int
    oldest_callback: datetime | None
    oldest_attempt: datetime | None
    oldest_refund: datetime | None
    oldest_entry: datetime | None
    oldest_unknown: datetime | None


# The conditions are those of the partial indexes of migration 0020, word for word.
_CALLBACKS: Final = "FROM callbacks WHERE test_mode = $1 AND due_at IS NOT NULL"
_ATTEMPTS: Final = "FROM payments WHERE test_mode = $1 AND status IN ('invoke_pending', 'invoked', 'process_pending')"
_REFUNDS: Final = "FROM refunds WHERE test_mode = $1 AND status = 'refund_pending'"
_ENTRIES: Final = "FROM ledger_unnumbered WHERE test_mode = $1"
_UNKNOWN: Final = f"{_ATTEMPTS} AND action IS NULL"
_HELD: Final = "FROM invoices WHERE test_mode = $1 AND moderation_required"

_MEASURE: Final = f"""
SELECT (SELECT count(*) FROM (SELECT {_CALLBACKS} LIMIT $2) AS counted) AS callbacks,
    (SELECT count(*) FROM (SELECT {_ATTEMPTS} LIMIT $2) AS counted) AS attempts,
    (SELECT count(*) FROM (SELECT {_REFUNDS} LIMIT $2) AS counted) AS refunds,
    (SELECT count(*) FROM (SELECT {_ENTRIES} LIMIT $2) AS counted) AS entries,
    (SELECT count(*) FROM (SELECT {_UNKNOWN} LIMIT $2) AS counted) AS unknown,
    (SELECT count(*) FROM (SELECT {_HELD} LIMIT $2) AS counted) AS held,
    (SELECT created_at {_CALLBACKS} ORDER BY created_at LIMIT 1) AS oldest_callback,
    (SELECT created_at {_ATTEMPTS} ORDER BY created_at LIMIT 1) AS oldest_attempt,
    (SELECT created_at {_REFUNDS} ORDER BY created_at LIMIT 1) AS oldest_refund,
    (SELECT min(created_at) FROM (SELECT created_at {_ENTRIES} LIMIT $2) AS counted) AS oldest_entry,
    (SELECT created_at {_UNKNOWN} ORDER BY created_at LIMIT 1) AS oldest_unknown
"""


async def measured(connection: Executor, *, test_mode: bool) -> Backlog:
    """Return what waits in a mode."""
    (row,) = await connection.fetch(_MEASURE, test_mode, COUNT_MAX)
    return Backlog(**row)
