"""The job that numbers entries, in a worker: it goes wrong for one account without a storm of tries."""

import asyncio
import time

import asyncpg
import pytest

from kassa.db.pool import Pool, transaction
from kassa.db.queries import Observed
from kassa.ledger import operations, recipes
from kassa.ledger.numbering import Numbering, Unnumbered
from kassa.platform import Platform
from kassa.work.worker import Worker
from tests.support import platform as platforms
from tests.support import working
from tests.support.postgres import Database
from tests.support.waiting import until


class Watched(Numbering):
    """The job, and how often it was run."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.runs = 0

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


async def tried(platform: Platform, job: Watched, polls: int) -> int:
    """Work until the worker has polled a few times; return how often an account may be tried meanwhile."""
    polled, begun = 0, time.monotonic()

    async def count(_: Observed) -> None:
        nonlocal polled
        polled += 1

    async with working.started(Worker(platform.pool, platform.clock, [job], observe=count)):
        await until(lambda: polled >= polls)
    return working.tries_max(time.monotonic() - begun)


async def test_of_two_that_number_the_same_entries_one_does(database: Database) -> None:
    async with platforms.opened(database) as platform:
        account_id = await booked(platform)
        first, second = await asyncio.gather(
            *(operations.number(platform.pool, account_id=account_id, test_mode=True) for _ in range(2))
        )
        assert sorted((first, second)) == [0, 1]
        numbers = await platform.pool.fetch("SELECT number FROM ledger_journal WHERE account_id = $1", account_id)
        assert [row["number"] for row in numbers] == [1]


async def test_an_account_that_cannot_be_numbered_is_left_alone_for_a_moment(database: Database) -> None:
    async with platforms.opened(database) as platform:
        await booked(platform)
        owner = await asyncpg.connect(database.url)
        try:
            await owner.execute("ALTER TABLE ledger_journal ADD CONSTRAINT none CHECK (number < 1)")
        finally:
            await owner.close()
        job = Watched(database.pool)
        most = await tried(platform, job, 8)
        assert 1 <= job.runs <= most


@pytest.mark.parametrize("count", [0, 1])
async def test_a_run_tells_whether_it_numbered_anything(database: Database, count: int) -> None:
    async with platforms.opened(database) as platform:
        account_id = await booked(platform)
        job, claim = Numbering(database.pool), Unnumbered(account_id=account_id, test_mode=bool(count))
        assert await job.run(claim) == bool(count)
