"""Keys are kept for a day, and then the worker deletes them."""

from datetime import timedelta

from kassa.accounts.model import Account
from kassa.clock import Clock
from kassa.db.pool import transaction
from kassa.idempotency import operations
from kassa.idempotency.forgetting import Forgetting
from kassa.idempotency.model import Claim, Result, fingerprint
from kassa.platform import Platform
from tests.support import platform as platforms
from tests.support import working
from tests.support.postgres import Database

DAY = timedelta(hours=24)


async def keep(platform: Platform, account: Account, key: str, *, age: timedelta) -> None:
    now = platform.clock.real() - age
    claim = await operations.claim(
        platform.pool,
        account_id=account.account_id,
        tag=account.tag,
        key=key,
        fingerprint=fingerprint("POST", "/", b""),
        now=now,
    )
    assert isinstance(claim, Claim)
    await operations.record(platform.pool, claim, Result(status=201, body=b"{}"), now=now)


async def test_keys_are_deleted_after_a_day_and_not_before(database: Database) -> None:
    async with platforms.opened(database) as platform:
        account = (await platforms.new_account(platform)).account
        other = (await platforms.new_account(platform)).account
        await keep(platform, account, "young", age=DAY - timedelta(minutes=1))
        await keep(platform, account, "old", age=DAY)
        await keep(platform, other, "other", age=timedelta())
        job, now = Forgetting(platform), Clock.real()
        assert await working.due(database.pool, job, now, test_mode=False) == [account.account_id]
        (claim,) = await working.taken(database.pool, job, account.account_id, now, test_mode=False)
        assert await job.run(claim)
        kept = await database.pool.fetch("SELECT key FROM idempotency_keys ORDER BY key")
        assert [row["key"] for row in kept] == ["other", "young"]
        assert await working.due(database.pool, job, now, test_mode=False) == []


async def test_an_account_whose_keys_somebody_else_holds_tells_that_nothing_was_done(database: Database) -> None:
    async with platforms.opened(database) as platform:
        account = (await platforms.new_account(platform)).account
        await keep(platform, account, "old", age=DAY)
        job = Forgetting(platform)
        (claim,) = await working.taken(database.pool, job, account.account_id, Clock.real(), test_mode=False)
        async with transaction(database.pool) as connection:
            await connection.execute("SELECT FROM idempotency_keys FOR UPDATE")
            assert not await job.run(claim)
        assert await job.run(claim)
