"""Reading disputes: an account's, newest first."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from kassa.db.pool import Executor
from kassa.invoices.rules.records import Dispute, DisputeStatus

_COLUMNS: Final = ", ".join(field.name for field in msgspec.structs.fields(Dispute))
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM disputes
WHERE account_id = $1 AND ($2::boolean IS NULL OR test_mode = $2) AND ($3::text IS NULL OR status = $3)
  AND ($4::timestamptz IS NULL OR (opened_at, dispute_id) < ($4, $5))
ORDER BY opened_at DESC, dispute_id DESC LIMIT $6
"""
_BY_ID: Final = f"SELECT {_COLUMNS} FROM disputes WHERE account_id = $1 AND dispute_id = $2"


def _dispute(record: asyncpg.Record) -> Dispute:
    return Dispute(**{**record, "status": DisputeStatus(record["status"])})


async def by_id(executor: Executor, dispute_id: str, *, account_id: str) -> Dispute | None:
    """Return a dispute, or None."""
    record = await executor.fetchrow(_BY_ID, account_id, dispute_id)
    return None if record is None else _dispute(record)


async def page(
    executor: Executor,
    *,
    account_id: str,
    test_mode: bool | None,
    status: DisputeStatus | None,
    before: Dispute | None,
    limit: int,
) -> list[Dispute]:
    """Return disputes that were opened before another one, newest first."""
    place: tuple[datetime | None, str | None] = (before.opened_at, before.dispute_id) if before else (None, None)
    records = await executor.fetch(_PAGE, account_id, test_mode, status, *place, limit)
    return [_dispute(record) for record in records]
