"""Every statement over refunds. Each names its account."""

from datetime import datetime
from typing import Final

import msgspec

from kassa.db.pool import Executor, Row
from kassa.db.statement import write
from kassa.invoices.rules.records import Reason, Refund, RefundStatus

COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Refund))
_NAMES: Final = ", ".join(COLUMNS)


def from_row(record: Row) -> Refund:
    """Return the refund in a row that has all its columns."""
    values = {column: record[column] for column in COLUMNS}
    return Refund(**{**values, "status": RefundStatus(values["status"]), "reason": Reason(values["reason"])})


_BY_ID: Final = f"SELECT {_NAMES} FROM refunds WHERE account_id = $1 AND refund_id = $2"


async def by_id(connection: Executor, refund_id: str, *, account_id: str) -> Refund | None:
    """Return a refund, or None."""
    record = await connection.fetchrow(_BY_ID, account_id, refund_id)
    return None if record is None else from_row(record)


_BY_REFERENCE: Final = f"""
SELECT {_NAMES} FROM refunds WHERE account_id = $1 AND test_mode = $2 AND reference_id = $3
"""


async def by_reference(connection: Executor, reference_id: str, *, account_id: str, test_mode: bool) -> Refund | None:
    """Return the refund of a mode that the merchant calls ``reference_id``, or None."""
    record = await connection.fetchrow(_BY_REFERENCE, account_id, test_mode, reference_id)
    return None if record is None else from_row(record)


_WAKE: Final = """
UPDATE refunds SET due_at = $3
WHERE account_id = $1 AND refund_id = $2 AND status <> 'refund_error' AND reversed_at IS NULL
  AND (due_at > $3 OR due_at IS NULL)
"""


async def wake(connection: Executor, refund_id: str, *, account_id: str, now: datetime) -> None:
    """Make a refund due now: the provider's answer may still change it, even if it has ended."""
    await write(connection, _WAKE, account_id, refund_id, now)


_RESCHEDULE: Final = """
UPDATE refunds SET due_at = $4 WHERE account_id = $1 AND refund_id = $2 AND due_at IS NOT DISTINCT FROM $3
"""


async def reschedule(connection: Executor, refund: Refund, *, account_id: str, due_at: datetime | None) -> None:
    """Make a refund due at another moment, if no one has made it due at yet another since it was read."""
    await write(connection, _RESCHEDULE, account_id, refund.refund_id, refund.due_at, due_at)
