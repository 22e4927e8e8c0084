"""Every statement over refunds. Each names its account, but for the worker's first question: whose are due."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from kassa.db.pool import Executor
from kassa.observability import tracing
from kassa.refunds.model import Refund, RefundStatus

_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Refund))
_NAMES: Final = ", ".join(_COLUMNS)


def _refund(record: asyncpg.Record) -> Refund:
    values = {column: record[column] for column in _COLUMNS}
    return Refund(**{**values, "status": RefundStatus(values["status"])})


_INSERT: Final = f"""
INSERT INTO refunds ({_NAMES}) VALUES ({", ".join(f"${n}" for n, _ in enumerate(_COLUMNS, 1))})
ON CONFLICT (account_id, test_mode, reference_id) DO NOTHING
"""


async def insert(connection: Executor, refund: Refund) -> bool:
    """Write a new refund of ``refund.account_id``; False, having written nothing, where its reference is taken."""
    traced = msgspec.structs.replace(refund, traceparent=tracing.carried())
    done: str = await connection.execute(_INSERT, *(getattr(traced, column) for column in _COLUMNS))
    return done == "INSERT 0 1"


_UPDATE: Final = """
UPDATE refunds
SET status = $4, resolution = $5, external_id = $6, updated_at = $7, due_at = $8, reserve = $9,
    returned_amount = $10, returned_currency = $11, settled_amount = $12
WHERE account_id = $1 AND refund_id = $2 AND status = $3
"""


async def update(connection: Executor, refund: Refund, *, account_id: str, was: RefundStatus) -> bool:
    """Write what has changed of a refund, if its status is still ``was``; tell whether it was."""
    done: str = await connection.execute(
        _UPDATE,
        account_id,
        refund.refund_id,
        was,
        refund.status,
        refund.resolution,
        refund.external_id,
        refund.updated_at,
        refund.due_at,
        refund.reserve,
        refund.returned_amount,
        refund.returned_currency,
        refund.settled_amount,
    )
    return done == "UPDATE 1"


_BY_ID: Final = f"SELECT {_NAMES} FROM refunds WHERE account_id = $1 AND refund_id = $2"


async def by_id(connection: Executor, refund_id: str, *, account_id: str) -> Refund | None:
    """Return a refund, or None."""
    record = await connection.fetchrow(_BY_ID, account_id, refund_id)
    return None if record is None else _refund(record)


_BY_REFERENCE: Final = f"""
SELECT {_NAMES} FROM refunds WHERE account_id = $1 AND test_mode = $2 AND reference_id = $3
"""


async def by_reference(connection: Executor, reference_id: str, *, account_id: str, test_mode: bool) -> Refund | None:
    """Return the refund of a mode that the merchant calls ``reference_id``, or None."""
    record = await connection.fetchrow(_BY_REFERENCE, account_id, test_mode, reference_id)
    return None if record is None else _refund(record)


_WAKE: Final = """
UPDATE refunds SET due_at = $3
WHERE account_id = $1 AND refund_id = $2 AND status IN ('refund_pending', 'refund_failed')
  AND (due_at > $3 OR due_at IS NULL)
"""


async def wake(connection: Executor, refund_id: str, *, account_id: str, now: datetime) -> None:
    """Make a refund due now: the provider's answer may still change it, even if we gave it up."""
    await connection.execute(_WAKE, account_id, refund_id, now)


# Steps along the index from one account to the next and reads one row of each, however long the backlog is.
_DUE_ACCOUNTS: Final = """
WITH RECURSIVE earliest AS (
    (SELECT account_id, due_at FROM refunds
     WHERE test_mode = $1 AND due_at IS NOT NULL
     ORDER BY account_id, due_at LIMIT 1)
    UNION ALL
    SELECT following.account_id, following.due_at
    FROM earliest CROSS JOIN LATERAL (
        SELECT account_id, due_at FROM refunds
        WHERE test_mode = $1 AND due_at IS NOT NULL AND account_id > earliest.account_id
        ORDER BY account_id, due_at LIMIT 1
    ) AS following
)
SELECT account_id FROM earliest WHERE due_at <= $2
"""


async def due_accounts(connection: Executor, *, test_mode: bool, now: datetime) -> list[str]:
    """Return the accounts that have a refund to ask about."""
    return [record["account_id"] for record in await connection.fetch(_DUE_ACCOUNTS, test_mode, now)]


_CLAIM: Final = f"""
WITH due AS MATERIALIZED (
    SELECT refund_id FROM refunds
    WHERE account_id = $1 AND test_mode = $2 AND due_at <= $3
    ORDER BY due_at LIMIT $5 FOR UPDATE SKIP LOCKED
)
UPDATE refunds AS r SET due_at = $4, asks = r.asks + 1
FROM due WHERE r.account_id = $1 AND r.refund_id = due.refund_id
RETURNING {", ".join(f"r.{column}" for column in _COLUMNS)}
"""


async def claim(
    connection: Executor, *, account_id: str, test_mode: bool, now: datetime, until: datetime, limit: int
) -> list[Refund]:
    """Take due refunds of an account for one worker; they come due again at ``until`` unless somebody settles them."""
    records: list[asyncpg.Record] = await connection.fetch(_CLAIM, account_id, test_mode, now, until, limit)
    return [_refund(record) for record in records]


_HAND_BACK: Final = """
UPDATE refunds SET due_at = $3, asks = asks - 1
WHERE account_id = $1 AND refund_id = $2 AND due_at = $4 AND asks = $5
"""


async def hand_back(connection: Executor, refund: Refund, *, account_id: str, now: datetime) -> None:
    """Give a claim back undone, if it is still ours."""
    await connection.execute(_HAND_BACK, account_id, refund.refund_id, now, refund.due_at, refund.asks)
