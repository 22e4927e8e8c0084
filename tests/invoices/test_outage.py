"""A provider that was away for a day, and one whose word is overtaken by its notification: all of it is found out."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from kassa.accounts.model import Account
from kassa.bank import faults
from kassa.invoices.operations.polling import Polling
from kassa.invoices.operations.refund import RefundPolling
from kassa.invoices.tables import payments as queries
from tests.support import working as works
from tests.support import world as worlds
from tests.support.postgres import Database
from tests.support.waiting import until
from tests.support.wire import Fault
from tests.support.world import GOOD, Changes, World

ATTEMPTS = 30
PER_SECOND = 15
LATE_TRUTH = next(expiry for expiry, fault in faults.EXPIRIES.items() if fault is faults.Fault.LATE_TRUTH)


@pytest.fixture(scope="module")
async def world(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A platform that asks its bank slowly."""
    home = tmp_path_factory.mktemp("world")
    async with worlds.opened(module_database, home, provider_questions_per_second=PER_SECOND) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _line_works_and_time_is_real(world: World) -> Iterator[None]:
    world.platform.clock.test_offset = timedelta()
    yield
    world.wire.fault = world.wire.refund_fault = None


def questions(world: World) -> int:
    """Return how many questions the bank got, about payments and refunds."""
    return sum(call.startswith("GET /purchases/") for call in world.wire.calls)


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

    async def processed() -> bool:
        rows = await world.platform.pool.fetch(
            "SELECT 1 FROM invoices WHERE account_id = $1 AND status = 'processed'", account.account_id
        )
        return len(rows) == ATTEMPTS

    begun = time.monotonic()
    async with works.working(world.platform, Polling(world.platform)):
        await until(lambda: questions(world) >= ATTEMPTS, what="all of it to be asked about in vain")
        world.move_clock(days=1)
        world.wire.down = False
        await until(processed, what="all of it to be found out")
    assert questions(world) <= PER_SECOND * (1 + time.monotonic() - begun)
    lines = await world.statement()
    assert len({line["order"] for line in lines}) == len(lines) == ATTEMPTS
    assert len(world.wire.placed) == ATTEMPTS


async def test_questions_about_refunds_take_their_turns_with_those_about_payments(world: World) -> None:
    account = await world.account()
    paid, lost = [[await world.invoice(account) for _ in range(ATTEMPTS // 2)] for _ in range(2)]
    for invoice in paid:
        await world.pay(invoice)
    world.wire.fault = world.wire.refund_fault = Fault.LOSE_ANSWER
    for invoice in paid:
        await world.refund((await world.view(invoice)).invoice)
    for invoice in lost:
        await world.pay(invoice)
    world.move_clock(seconds=5)
    world.wire.calls.clear()
    begun = time.monotonic()

    async def settled() -> bool:
        return await _statuses(world, account) == {"processed": ATTEMPTS // 2, "refunded": ATTEMPTS // 2}

    async with works.working(world.platform, Polling(world.platform), RefundPolling(world.platform)):
        await until(settled, what="all of it to be asked about")
    assert ATTEMPTS <= questions(world) <= PER_SECOND * (1 + time.monotonic() - begun)


async def _statuses(world: World, account: Account) -> dict[str, int]:
    rows = await world.platform.pool.fetch(
        "SELECT status, count(*) AS number FROM invoices WHERE account_id = $1 GROUP BY 1", account.account_id
    )
    return {row["status"]: row["number"] for row in rows}


async def test_a_decline_that_a_notification_overtakes_is_asked_about(world: World) -> None:
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
    assert (await world.changes(invoice)).attempts == ["process_failed"]
    await world.ask(account)
    assert await world.changes(invoice) == Changes(status="processed", resolution="ok", attempts=["processed"])
