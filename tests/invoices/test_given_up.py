"""Attempts that were given up and took money all the same: it is booked once, or goes back, and is never dropped."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kassa.accounts.model import Account
from kassa.db.pool import transaction
from kassa.invoices.operations import changing, refund
from kassa.invoices.operations import pay as operations
from kassa.invoices.rules import settling
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import ABSENT_AFTER, POLL_AFTER_BEGIN, RECHECK_AFTER
from kassa.invoices.tables import payments as payment_queries
from kassa.ledger import operations as ledger
from kassa.ledger.model import LedgerAccount
from kassa.providers.protocol import Accepted, Declined, Outcome
from kassa.providers.registry import Registry
from tests.support.waiting import until
from tests.support.wire import Fault
from tests.support.world import GOOD, Changes, World


@pytest.fixture(autouse=True)
def _line_works_and_time_is_real(world: World) -> Iterator[None]:
    world.platform.clock.test_offset = timedelta()
    yield
    world.wire.fault = world.wire.refund_fault = None
    world.wire.let_go.set()
    world.wire.let_go = asyncio.Event()
    world.wire.held = asyncio.Event()


async def given_up(world: World, account: Account, invoice: Invoice) -> asyncio.Task[None]:
    """Return a purchase that still waits on the line when its attempt has been given up."""
    world.wire.fault = Fault.HOLD
    paying = asyncio.create_task(world.pay(invoice, card=GOOD))
    await world.wire.held.wait()
    world.wire.fault = None
    world.move_clock(seconds=ABSENT_AFTER.total_seconds() + 1)
    await world.ask(account)
    assert (await world.changes(invoice)).attempts == ["process_failed"]
    return paying


async def arrive(world: World, paying: asyncio.Task[None]) -> None:
    """Let the purchase through, and its answer back."""
    world.wire.let_go.set()
    await paying


async def balance(world: World, account: Account, purse: LedgerAccount) -> int:
    """Return what a purse of an account holds."""
    balances = await ledger.balances(world.platform.pool, account_id=account.account_id, test_mode=True)
    return balances.get((purse, "USD"), 0)


async def latest(world: World, invoice: Invoice) -> Payment:
    """Return an invoice's latest attempt."""
    payment = (await world.view(invoice)).payment
    assert payment is not None
    return payment


async def test_its_money_pays_an_invoice_that_nothing_else_has_paid(world: World) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    await arrive(world, await given_up(world, account, invoice))
    assert await world.changes(invoice) == Changes(status="processed", resolution="ok", attempts=["processed"])
    assert await world.told(invoice) == ["process_pending", "processed"]
    assert (
        await balance(world, account, LedgerAccount.PROVIDER)
        == await balance(world, account, LedgerAccount.ACTIVE)
        == 10_000
    )


async def test_its_money_goes_back_where_another_attempt_has_paid(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    before = len(await world.statement())
    paying = await given_up(world, account, invoice)
    await world.pay(invoice, number=2)
    paid_by = (await latest(world, invoice)).payment_id
    await arrive(world, paying)
    assert (await world.changes(invoice)).attempts == ["refund_pending", "processed"]
    await world.ask(account)
    assert await world.changes(invoice) == Changes(
        status="processed", resolution="ok", attempts=["refunded", "processed"]
    )
    assert (await latest(world, invoice)).payment_id == paid_by
    assert len(await world.statement()) - before == 3
    assert (
        await balance(world, account, LedgerAccount.PROVIDER)
        == await balance(world, account, LedgerAccount.ACTIVE)
        == 10_000
    )
    assert await balance(world, account, LedgerAccount.PENDING) == 0


async def test_the_second_of_two_that_took_money_goes_back_though_it_is_the_later(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    paying = await given_up(world, account, invoice)
    world.wire.fault = Fault.LOSE_ANSWER
    await world.pay(invoice, number=2)
    world.wire.fault = None
    await arrive(world, paying)
    assert (await world.changes(invoice)).attempts == ["processed", "process_pending"]
    world.move_clock(seconds=5)
    await world.ask(account)
    world.move_clock(seconds=5)
    await world.ask(account)
    assert (await world.changes(invoice)).attempts == ["processed", "refunded"]
    view = await world.view(invoice)
    assert (view.payment and view.payment.attempt_number, view.invoice.status) == (1, "processed")
    assert (
        await balance(world, account, LedgerAccount.PROVIDER)
        == await balance(world, account, LedgerAccount.ACTIVE)
        == 10_000
    )


@pytest.mark.parametrize("woken", [True, False])
async def test_its_money_is_found_by_its_notification_or_by_one_more_question(world: World, *, woken: bool) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    paying = await given_up(world, account, invoice)
    paying.cancel()
    world.wire.let_go.set()

    async def taken() -> bool:
        return any(line["order"] == payment_id for line in await world.statement())

    payment_id = (await latest(world, invoice)).payment_id
    await until(taken, what="the bank to have taken it")
    if woken:
        now = world.platform.clock.now(test_mode=True)
        await payment_queries.wake(world.platform.pool, payment_id, account_id=account.account_id, now=now)
    else:
        world.move_clock(seconds=RECHECK_AFTER.total_seconds() + 1)
    await world.ask(account)
    assert await world.changes(invoice) == Changes(status="processed", resolution="ok", attempts=["processed"])


@pytest.mark.parametrize("first", ["the notification", "the refusal"])
async def test_a_notification_that_comes_while_a_refusal_is_written_down_is_not_forgotten(
    world: World, first: str
) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    world.wire.fault = Fault.LOSE_ANSWER
    await world.pay(invoice)
    world.wire.fault = None
    view, payment, pool = await world.view(invoice), await latest(world, invoice), world.platform.pool
    now = world.platform.clock.now(test_mode=True)
    declined = Declined(external_id=None, resolution="declined")
    refused = settling.answered(view, payment, declined, late_success="book", now=now)
    change = settling.apply(view, payment, refused, hold=None, refund_id="ref_none", decision_id="dec_none", now=now)
    assert change is not None

    async def wake() -> None:
        await payment_queries.wake(pool, payment.payment_id, now=now, account_id=account.account_id)

    async def waits() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    if first == "the notification":
        await wake()
        await changing.carry_out(world.platform, account, change)
    else:
        async with transaction(pool) as connection:
            await changing.carry_out(world.platform, account, change, connection=connection)
            waking = asyncio.create_task(wake())
            await until(waits, what="the notification to wait")
        await waking
    assert (await world.changes(invoice)).attempts == ["process_failed"]
    assert await world.ask(account) == 1
    assert (await world.changes(invoice)).attempts == ["processed"]


async def test_one_more_question_is_the_last(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    world.wire.fault = Fault.LOSE
    await world.pay(invoice)
    world.move_clock(seconds=ABSENT_AFTER.total_seconds() + 1)
    await world.ask(account)
    world.move_clock(seconds=RECHECK_AFTER.total_seconds() + 1)
    assert await world.ask(account) == 1
    world.move_clock(days=1)
    assert await world.ask(account) == 0
    assert (await world.changes(invoice)).attempts == ["process_failed"]


@pytest.mark.parametrize(
    "outcome, status",
    [
        (Declined(external_id=None, resolution="general_decline"), "refund_failed"),
        (Accepted(external_id="r", amount=1, currency="USD"), "refund_error"),
    ],
)
async def test_money_that_cannot_go_back_waits_for_a_person(
    world: World, outcome: Accepted | Declined, status: str
) -> None:
    account = await world.account(late_success="refund")
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    world.move_clock(minutes=31)
    await world.expire(account)
    await operations.apply_result(
        world.platform, await latest(world, invoice), Accepted(external_id="b", amount=10_000, currency="USD")
    )
    (back,) = (await world.view(invoice)).refunds
    await refund.apply_result(world.platform, back, outcome)
    assert await world.changes(invoice) == Changes(status="process_failed", resolution="expired", attempts=[status])
    view = await world.view(invoice)
    assert [(each.reason, each.status) for each in view.refunds] == [("late", status)]
    assert view.invoice.moderation_required
    assert await balance(world, account, LedgerAccount.PENDING) == 10_000


async def test_a_process_that_stood_still_asks_for_no_money_any_more(world: World) -> None:
    """Whoever asks about an attempt meanwhile may have given it up, and the payer may have paid otherwise."""
    invoice = await world.invoice(await world.account())
    async with world.platform.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM invoices WHERE invoice_id = $1 FOR UPDATE", invoice.invoice_id)
        paying = asyncio.create_task(world.pay(invoice))
        await world.until_waiting()
        world.move_clock(seconds=POLL_AFTER_BEGIN.total_seconds() + 1)
    await paying
    assert (await latest(world, invoice)).payment_id not in world.wire.placed
    assert (await world.changes(invoice)).attempts == ["process_pending"]


class Slow:
    """The provider, whose answers to questions take ten seconds."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._provider = world.platform.providers.get("test")

    async def status(self, *asked: Any) -> Outcome:
        """Answer what was so when it was asked."""
        outcome: Outcome = await self._provider.status(*asked)
        self._world.move_clock(seconds=10)
        return outcome


def slow(world: World) -> World:
    """Return the world with a provider whose answers take long."""
    providers = Registry({"test": Slow(world)})  # type: ignore[dict-item]
    return replace(world, platform=replace(world.platform, providers=providers))


async def test_never_heard_of_it_is_not_believed_where_the_answer_took_longer_than_the_payment(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    world.wire.fault = Fault.HOLD
    paying = asyncio.create_task(world.pay(invoice))
    await world.wire.held.wait()
    world.move_clock(seconds=ABSENT_AFTER.total_seconds() - 5)
    await slow(world).ask(account)
    assert (await world.changes(invoice)).attempts == ["process_pending"]
    await arrive(world, paying)
    assert (await world.changes(invoice)).attempts == ["processed"]


async def test_nor_is_it_about_a_refund(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice)
    world.wire.refund_fault = Fault.HOLD
    refunding = asyncio.create_task(world.refund((await world.view(invoice)).invoice, 40))
    await world.wire.held.wait()
    world.move_clock(seconds=ABSENT_AFTER.total_seconds() - 5)
    await slow(world).ask_about_refunds(account)
    assert [each.status for each in (await world.view(invoice)).refunds] == ["refund_pending"]
    world.wire.let_go.set()
    assert [each.status for each in (await refunding).refunds] == ["refunded"]
