"""Every statement over idempotency keys. Each names its account, but for the worker's question: whose are over."""

from datetime import datetime
from typing import Final

from kassa.db.pool import Executor
from kassa.idempotency.model import Claim, Met, Result

_CLAIM: Final = """
INSERT INTO idempotency_keys AS k (account_id, key, fingerprint, serial, leased_until, due_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id, key) DO UPDATE SET
    fingerprint = excluded.fingerprint,
    serial = CASE WHEN k.due_at <= $7 THEN excluded.serial ELSE k.serial END,
    status = NULL, body = NULL, leased_until = excluded.leased_until, due_at = excluded.due_at
WHERE k.due_at <= $7 OR (k.status IS NULL AND k.leased_until <= $7 AND k.fingerprint = excluded.fingerprint)
RETURNING serial
"""


async def claim(
    connection: Executor,
    *,
    account_id: str,
    key: str,
    fingerprint: bytes,
    serial: str,
    now: datetime,
    until: datetime,
    due_at: datetime,
) -> str | None:
    """Take a key that is new, over, or abandoned by this same request; return its serial, or None where it is none."""
    found: str | None = await connection.fetchval(_CLAIM, account_id, key, fingerprint, serial, until, due_at, now)
    return found


async def met(connection: Executor, key: str, *, account_id: str) -> Met | None:
    """Return a key that is there."""
    row = await connection.fetchrow(
        "SELECT fingerprint, status, body FROM idempotency_keys WHERE account_id = $1 AND key = $2", account_id, key
    )
    if row is None:
        return None
    result = None if row["status"] is None else Result(status=row["status"], body=row["body"])
    return Met(fingerprint=row["fingerprint"], result=result)


async def record(connection: Executor, claim: Claim, result: Result, *, account_id: str) -> None:
    """Keep a result, unless the key has been taken over since."""
    await connection.execute(
        "UPDATE idempotency_keys SET status = $4, body = $5"
        " WHERE account_id = $1 AND key = $2 AND leased_until = $3 AND status IS NULL",
        account_id,
        claim.key,
        claim.leased_until,
        result.status,
        result.body,
    )


async def release(connection: Executor, claim: Claim, *, account_id: str) -> None:
    """Forget a key, unless it has been taken over since."""
    await connection.execute(
        "DELETE FROM idempotency_keys WHERE account_id = $1 AND key = $2 AND leased_until = $3 AND status IS NULL",
        account_id,
        claim.key,
        claim.leased_until,
    )


async def abandon(connection: Executor, claim: Claim, *, account_id: str, now: datetime) -> None:
    """End a lease before its time, unless the key has been taken over since."""
    await connection.execute(
        "UPDATE idempotency_keys SET leased_until = $4"
        " WHERE account_id = $1 AND key = $2 AND leased_until = $3 AND status IS NULL",
        account_id,
        claim.key,
        claim.leased_until,
        now,
    )


_DUE_ACCOUNTS: Final = """
WITH RECURSIVE earliest AS (
    (SELECT account_id, due_at FROM idempotency_keys ORDER BY account_id, due_at LIMIT 1)
    UNION ALL
    SELECT following.account_id, following.due_at
    FROM earliest CROSS JOIN LATERAL (
        SELECT account_id, due_at FROM idempotency_keys
        WHERE account_id > earliest.account_id
        ORDER BY account_id, due_at LIMIT 1
    ) AS following
)
SELECT account_id FROM earliest WHERE due_at <= $1
"""


async def due_accounts(connection: Executor, *, now: datetime) -> list[str]:
    """Return the accounts that have keys to forget."""
    return [row["account_id"] for row in await connection.fetch(_DUE_ACCOUNTS, now)]


_FORGET: Final = """
WITH due AS MATERIALIZED (
    SELECT key FROM idempotency_keys WHERE account_id = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3
    FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys AS k USING due WHERE k.account_id = $1 AND k.key = due.key
RETURNING k.key
"""


async def forget(connection: Executor, *, account_id: str, now: datetime, limit: int) -> int:
    """Delete keys that are over, the oldest first, and return how many; those that somebody else holds are left."""
    return len(await connection.fetch(_FORGET, account_id, now, limit))
