"""Every statement over idempotency keys. Each names its account."""

from datetime import datetime
from typing import Final

from kassa.db.pool import Executor
from kassa.db.statement import write
from kassa.idempotency.model import Claim, KnownKey, Result

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
    """Claim a key that is new, over, or abandoned by the same request; return its serial, or None."""
    found: str | None = await connection.fetchval(_CLAIM, account_id, key, fingerprint, serial, until, due_at, now)
    return found


async def find(connection: Executor, key: str, *, account_id: str) -> KnownKey | None:
    """Return a key, or None where it does not exist."""
    row = await connection.fetchrow(
        "SELECT fingerprint, status, body FROM idempotency_keys WHERE account_id = $1 AND key = $2", account_id, key
    )
    if row is None:
        return None
    result = None if row["status"] is None else Result(status=row["status"], body=row["body"])
    return KnownKey(fingerprint=row["fingerprint"], result=result)


async def record(connection: Executor, claim: Claim, result: Result, *, account_id: str) -> None:
    """Keep a result, unless the key has been taken over since."""
    await write(
        connection,
        "UPDATE idempotency_keys SET status = $4, body = $5"
        " WHERE account_id = $1 AND key = $2 AND leased_until = $3 AND status IS NULL",
        account_id,
        claim.key,
        claim.leased_until,
        result.status,
        result.body,
    )


async def release(connection: Executor, claim: Claim, *, account_id: str) -> None:
    """Delete a key, unless it has been taken over since."""
    await write(
        connection,
        "DELETE FROM idempotency_keys WHERE account_id = $1 AND key = $2 AND leased_until = $3 AND status IS NULL",
        account_id,
        claim.key,
        claim.leased_until,
    )


async def abandon(connection: Executor, claim: Claim, *, account_id: str, now: datetime) -> None:
    """End a lease before its time, unless the key has been taken over since."""
    await write(
        connection,
        "UPDATE idempotency_keys SET leased_until = $4"
        " WHERE account_id = $1 AND key = $2 AND leased_until = $3 AND status IS NULL",
        account_id,
        claim.key,
        claim.leased_until,
        now,
    )


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
