"""What changes an idempotency key: claim, record a result, forget. Nothing else writes to its row."""

from datetime import datetime

from kassa import ids
from kassa.db.pool import Executor
from kassa.errors import RequestUnderWay
from kassa.idempotency import model, queries
from kassa.idempotency.model import KEPT, LEASE, Claim, Result

_FORGOTTEN_AT_ONCE = 1000


async def claim(
    connection: Executor, *, account_id: str, tag: str, key: str, fingerprint: bytes, now: datetime
) -> Claim | Result:
    """Claim a key for the request with this fingerprint, or return its result.

    Raises ``Invalid`` where the key was used for another request, ``RequestUnderWay`` while the first one is running.
    """
    fresh = ids.new_id("key", tag).removeprefix("key_")
    until = now + LEASE
    serial = await queries.claim(
        connection,
        account_id=account_id,
        key=key,
        fingerprint=fingerprint,
        serial=fresh,
        now=now,
        until=until,
        due_at=now + KEPT,
    )
    if serial is not None:
        return Claim(account_id=account_id, key=key, serial=serial, resumed=serial != fresh, leased_until=until)
    known = await queries.find(connection, key, account_id=account_id)
    if known is None:  # Released between the two statements.
        raise RequestUnderWay
    return model.repeated(known, fingerprint)


async def record(connection: Executor, claim: Claim, result: Result, *, now: datetime) -> None:
    """Keep a request's result for its repeats, or release the key where the result is not kept.

    After a 503, which may have created the object, the key keeps its serial, so that the next repeat recognises it.
    """
    if model.is_kept(result.status):
        await queries.record(connection, claim, result, account_id=claim.account_id)
    elif result.status < 500:  # noqa: PLR2004 - a refusal
        await queries.release(connection, claim, account_id=claim.account_id)
    else:
        await queries.abandon(connection, claim, account_id=claim.account_id, now=now)


async def forget(connection: Executor, account_id: str, *, now: datetime) -> int:
    """Delete some of an account's keys that are over; return how many."""
    return await queries.forget(connection, account_id=account_id, now=now, limit=_FORGOTTEN_AT_ONCE)
