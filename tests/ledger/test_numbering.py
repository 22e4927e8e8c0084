"""The job that numbers entries, in a worker: it goes wrong for one account without a storm of tries."""

import asyncio
from datetime import datetime

import asyncpg
import pytest

from kassa.db.pool import Pool, transaction
from kassa.ledger import operations, queries, recipes
from kassa.ledger.numbering import Numbering, Unnumbered
from kassa.platform import Platform
from kassa.worker import Worker
from tests.support import platform as platforms
from tests.support.postgres import Database
from tests.support.waiting import until


class Watched(Numbering):
    """The job, how often it was run, and how often the mode without work was asked: each 0.2 s."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.rounds = self.runs = 0

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        accounts = await super().due_accounts(now, test_mode=test_mode)
        self.rounds += not test_mode
        return accounts

    async def run(self, claim: Unnumbered) -> bool:
        self.runs += 1
        return await super().run(claim)


async def booked(platform: Platform) -> str:
    """Add an account with one entry that has no number, and return its id."""
    account_id = (await platforms.new_account(platform)).account.account_id
    now = platform.clock.now(test_mode=True)
    entry = recipes.processed(
        payment_id="pay_1",
        invoice_id="cpi_1",
        currency="USD",
        paid=1000,
        fee=25,
        reserve=100,
        at_provider=(1000, "USD"),
    )
    async with transaction(platform.pool) as connection:
        await operations.post(connection, entry, account_id=account_id, test_mode=True, now=now)
    return account_id


async def tried(platform: Platform, job: Watched, rounds: int) -> None:
    """Work until the job was asked a few times."""
    worker = Worker(platform, [job])
    running = asyncio.create_task(worker.run())
    try:
        await until(lambda: job.rounds >= rounds)
    finally:
        await worker.stop()
        await running


async def test_an_account_that_another_process_numbers_is_left_alone_for_a_moment(database: Database) -> None:
    async with platforms.opened(database) as platform:
        account_id, job = await booked(platform), Watched(database.pool)
        async with transaction(database.pool) as elsewhere:
            assert await queries.lock(elsewhere, account_id=account_id, test_mode=True)
            await tried(platform, job, 8)
        assert 1 <= job.runs <= 5


async def test_an_account_that_cannot_be_numbered_is_left_alone_for_a_moment(database: Database) -> None:
    async with platforms.opened(database) as platform:
        await booked(platform)
        owner = await asyncpg.connect(database.url)
        try:
            await owner.execute("ALTER TABLE ledger_journal ADD CONSTRAINT none CHECK (number < 1)")
        finally:
            await owner.close()
        job = Watched(database.pool)
        await tried(platform, job, 8)
        assert 1 <= job.runs <= 5


@pytest.mark.parametrize("count", [0, 1])
async def test_a_run_tells_whether_it_numbered_anything(database: Database, count: int) -> None:
    async with platforms.opened(database) as platform:
        account_id = await booked(platform)
        job, claim = Numbering(database.pool), Unnumbered(account_id=account_id, test_mode=bool(count))
        assert await job.run(claim) == bool(count)
