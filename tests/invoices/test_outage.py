"""A provider that was away for a day, and one whose word is overtaken by its notification: all of it is found out."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from kassa.bank.days import EXPIRIES, Day
from kassa.invoices.asking import Asking
from kassa.payments import queries
from kassa.worker import Worker
from tests.support import world as worlds
from tests.support.postgres import Database
from tests.support.waiting import until
from tests.support.wire import Fault
from tests.support.world import GOOD, Changes, World

ATTEMPTS = 30
PER_SECOND = 15
LATE_TRUTH = next(expiry for expiry, day in EXPIRIES.items() if day is Day.LATE_TRUTH)


@pytest.fixture(scope="module")
async def world(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A platform that asks its bank slowly."""
    home = tmp_path_factory.mktemp("world")
    async with worlds.opened(module_database, home, provider_questions_per_second=PER_SECOND) as opened:
        yield opened


async def test_after_an_outage_of_a_day_all_is_found_out_and_no_faster_than_the_bank_is_to_be_asked(
    world: World,
) -> None:
    account = await world.account()
    invoices = [await world.invoice(account) for _ in range(ATTEMPTS)]
    world.wire.fault = Fault.LOSE_ANSWER
    for invoice in invoices:
        await world.pay(invoice)
    world.wire.down = True
    world.move_clock(seconds=5)

    def questions() -> int:
        return sum(call.startswith("GET /purchases/") for call in world.wire.calls)

    async def processed() -> bool:
        rows = await world.platform.pool.fetch(
            "SELECT 1 FROM invoices WHERE account_id = $1 AND status = 'processed'", account.account_id
        )
        return len(rows) == ATTEMPTS

    begun = time.monotonic()
    worker = Worker(world.platform, [Asking(world.platform)])
    working = asyncio.create_task(worker.run())
    try:
        await until(lambda: questions() >= ATTEMPTS, what="all of it to be asked about in vain")
        world.move_clock(days=1)
        world.wire.down = False
        await until(processed, what="all of it to be found out")
    finally:
        await worker.stop()
        await working
    assert questions() <= PER_SECOND * (1 + time.monotonic() - begun)
    lines = await world.statement()
    assert len({line["order"] for line in lines}) == len(lines) == ATTEMPTS
    assert len(world.wire.placed) == ATTEMPTS


async def test_a_decline_that_a_notification_overtakes_is_asked_about(world: World) -> None:
    world.platform.clock.test_offset = timedelta()
    account = await world.account()
    invoice = await world.invoice(account)
    world.wire.fault = Fault.HOLD_ANSWER
    paying = asyncio.create_task(world.pay(invoice, card=GOOD, expiry=LATE_TRUTH))
    await world.wire.held.wait()
    payment = (await world.view(invoice)).payment
    assert payment is not None
    now = world.platform.clock.now(test_mode=True)
    await queries.wake(world.platform.pool, payment.payment_id, account_id=account.account_id, now=now)
    world.wire.let_go.set()
    await paying
    world.wire.fault = None
    assert (await world.changes(invoice)).attempts == ["process_failed"]
    await world.ask(account)
    assert await world.changes(invoice) == Changes(status="processed", resolution="ok", attempts=["processed"])
