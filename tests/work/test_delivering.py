"""The worker with its real job on a real database: queued callbacks reach merchants, whatever other merchants do."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest

from kassa.accounts.model import NewAccount
from kassa.callbacks.delivery import Delivery
from kassa.platform import Platform
from kassa.work.jobs import CALLBACKS
from kassa.work.worker import Worker
from tests.support import callbacks as queued
from tests.support import merchant as merchants
from tests.support import platform as platforms
from tests.support import working as works
from tests.support.merchant import Merchant
from tests.support.platform import new_account
from tests.support.postgres import Database
from tests.support.waiting import until


@pytest.fixture
async def platform(database: Database) -> AsyncIterator[Platform]:
    async with platforms.opened(database) as opened:
        yield opened


@asynccontextmanager
async def working(platform: Platform) -> AsyncIterator[Worker]:
    async with works.working(platform, Delivery(platform)) as worker:
        yield worker


async def enqueue(platform: Platform, made: NewAccount, url: str, count: int = 1) -> None:
    for _ in range(count):
        await queued.enqueue(platform, made, url, body=b"")


async def undelivered(platform: Platform) -> int:
    return int(await platform.pool.fetchval("SELECT count(*) FROM callbacks WHERE status <> 'done'"))


async def test_queued_callbacks_are_delivered_once_each(platform: Platform, merchant: Merchant) -> None:
    made = await new_account(platform)
    await enqueue(platform, made, merchant.url, 40)
    async with working(platform):
        received = await merchant.wait_for_count(40)
    assert len({callback.body for callback in received}) == len(received) == 40
    assert await undelivered(platform) == 0


async def test_an_endpoint_that_hangs_delays_no_other_account(platform: Platform, merchant: Merchant) -> None:
    async with AsyncExitStack() as stack:
        hanging = [await stack.enter_async_context(merchants.listening()) for _ in range(3)]
        for slow in hanging:
            slow.open.clear()
            await enqueue(platform, await new_account(platform), slow.url, 10)
        await enqueue(platform, await new_account(platform), merchant.url, 10)
        async with working(platform):
            await merchant.wait_for_count(10)
            assert [len(slow.received) for slow in hanging] == [CALLBACKS.per_account] * 3
            for slow in hanging:
                slow.open.set()
            for slow in hanging:
                await slow.wait_for_count(10)


async def test_a_failed_callback_comes_again_when_the_test_clock_has_moved_on(
    platform: Platform, merchant: Merchant
) -> None:
    made = await new_account(platform)
    merchant.answers.extend([500, 502])
    await enqueue(platform, made, merchant.url)
    async with working(platform):
        for tries, minutes in ((1, 1), (2, 2)):
            await merchant.wait_for_count(tries)

            async def recorded() -> bool:
                return bool(await platform.pool.fetchval("SELECT failure FROM callbacks WHERE tries = $1", tries))  # noqa: B023

            await until(recorded)
            platform.clock.test_offset += timedelta(minutes=minutes)
        await merchant.wait_for_count(3)
        await until(lambda: undelivered_is_zero(platform))
    assert len({callback.headers["webhook-id"] for callback in merchant.received}) == 1


async def undelivered_is_zero(platform: Platform) -> bool:
    return await undelivered(platform) == 0


async def test_a_claim_of_a_worker_that_died_is_taken_over_when_its_lease_ends(
    platform: Platform, merchant: Merchant
) -> None:
    made = await new_account(platform)
    await enqueue(platform, made, merchant.url)
    dead, now = Delivery(platform), platform.clock.now(test_mode=True)
    assert len(await works.leased(platform.pool, dead, made.account.account_id, now)) == 1
    async with working(platform):
        platform.clock.test_offset += works.lease(dead.queue)
        await merchant.wait_for_count(1)
        await until(lambda: undelivered_is_zero(platform))


async def test_two_workers_share_the_work_without_a_duplicate(platform: Platform, merchant: Merchant) -> None:
    for _ in range(5):
        await enqueue(platform, await new_account(platform), merchant.url, 20)
    async with working(platform), working(platform):
        await merchant.wait_for_count(100)
        await until(lambda: undelivered_is_zero(platform))
    assert len(merchant.received) == 100
