"""Closing an attempt that waits for its payer: never two that can take money, however the answer is lost (P1, P2)."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from kassa import failpoints
from kassa.accounts.model import Account
from kassa.cardgate import charge
from kassa.cardgate.charge import Session
from kassa.failpoints import Died
from kassa.invoices.operations import cancel as cancelling
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from tests.support.wire import Fault
from tests.support.world import GOOD, GOOD_SECURE, Changes, World

WALLET = "applepay_usd_hpp"
NOBODY = "http://127.0.0.1:9/callbacks"
WAITING = Changes(status="process_pending", resolution="ok", attempts=["process_pending"])
CLOSED = Changes(status="process_pending", resolution="ok", attempts=["process_failed"])
PAID = Changes(status="processed", resolution="ok", attempts=["processed"])
PAID_BY_ANOTHER = Changes(status="processed", resolution="ok", attempts=["process_failed", "processed"])
POINTS = 4
"""So many places a cancellation passes."""


@pytest.fixture(autouse=True)
def _line_works_and_time_is_real(world: World) -> Iterator[None]:
    """Each test begins with a line in order, and in real time."""
    world.platform.clock.test_offset = timedelta()
    yield
    world.wire.cancel_fault = None
    world.wire.let_go.set()
    world.wire.let_go = asyncio.Event()
    world.wire.held = asyncio.Event()


@pytest.fixture
async def account(world: World) -> Account:
    return await world.account(callback_url=NOBODY)


async def challenged(world: World, account: Account, **asked: Any) -> tuple[Invoice, Payment]:
    """Return an invoice whose payer is at 3-D Secure."""
    invoice = await world.invoice(account, **asked)
    await world.pay(invoice, card=GOOD_SECURE)
    return invoice, await payment_of(world, invoice)


async def payment_of(world: World, invoice: Invoice) -> Payment:
    payment = (await world.view(invoice)).payment
    assert payment is not None
    return payment


async def give_up(world: World, invoice: Invoice, number: int = 1) -> Session:
    await charge.cancel(world.platform, await world.open(invoice), number=number)
    return await world.open(invoice)


async def taken(world: World, account: Account) -> int:
    """Return how many times the bank has taken money for an account's payments."""
    rows = await world.fetch("SELECT payment_id FROM payments WHERE account_id = $1", account.account_id)
    ours = {row["payment_id"] for row in rows}
    return len([line for line in await world.statement() if line["kind"] == "PURCHASE" and line["order"] in ours])


async def polled(world: World, account: Account) -> None:
    """Let the worker poll what is due."""
    world.move_clock(minutes=1)
    await world.ask(account)


async def test_a_payer_who_cannot_confirm_pays_with_another_card(world: World, account: Account) -> None:
    invoice, first = await challenged(world, account)
    assert (await world.open(invoice)).cancellable
    after = await give_up(world, invoice)
    assert not after.cancellable
    assert after.payment is not None
    assert after.payment.resolution == "client_auth_failed"
    assert await world.changes(invoice) == CLOSED
    await world.press(first.action or "", "approve")
    await world.pay(invoice, number=2, card=GOOD)
    assert await world.changes(invoice) == PAID_BY_ANOTHER
    assert await world.told(invoice) == ["process_pending", "processed"]
    assert await taken(world, account) == 1


async def test_the_last_attempt_ends_the_invoice(world: World) -> None:
    account = await world.account(callback_url=NOBODY, attempts="1")
    invoice, _ = await challenged(world, account)
    await give_up(world, invoice)
    ended = Changes(status="process_failed", resolution="client_auth_failed", attempts=["process_failed"])
    assert await world.changes(invoice) == ended
    assert await world.told(invoice) == ["process_pending", "process_failed"]


async def test_after_an_approval_that_came_first_it_is_paid(world: World, account: Account) -> None:
    invoice, payment = await challenged(world, account)
    await world.press(payment.action or "", "approve")
    await give_up(world, invoice)
    assert await world.changes(invoice) == PAID
    assert await taken(world, account) == 1


async def test_what_the_issuer_has_not_decided_takes_no_second_card(world: World, account: Account) -> None:
    invoice = await world.invoice(account)
    await world.pay(invoice, card=GOOD_SECURE, expiry="07/77")
    payment = await payment_of(world, invoice)
    await world.press(payment.action or "", "approve")
    after = await give_up(world, invoice)
    assert not after.cancellable
    await world.pay(invoice, number=2, card=GOOD)
    assert await world.changes(invoice) == WAITING
    assert await taken(world, account) == 0


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.GARBLE])
async def test_a_lost_answer_leaves_it_waiting_until_the_bank_is_polled(
    world: World, account: Account, fault: Fault
) -> None:
    invoice, _ = await challenged(world, account)
    world.wire.cancel_fault = fault
    after = await give_up(world, invoice)
    assert after.cancellable
    await world.pay(invoice, number=2, card=GOOD)
    assert await world.changes(invoice) == WAITING
    await polled(world, account)
    assert await world.changes(invoice) == CLOSED
    await world.pay(invoice, number=2, card=GOOD)
    assert await world.changes(invoice) == PAID_BY_ANOTHER
    assert await taken(world, account) == 1


@pytest.mark.parametrize("fault", [Fault.LOSE, Fault.DOWN])
async def test_a_cancellation_that_never_arrived_leaves_the_challenge_open(
    world: World, account: Account, fault: Fault
) -> None:
    invoice, payment = await challenged(world, account)
    world.wire.cancel_fault = fault
    assert (await give_up(world, invoice)).cancellable
    await polled(world, account)
    assert await world.changes(invoice) == WAITING
    await world.press(payment.action or "", "approve")
    await polled(world, account)
    assert await world.changes(invoice) == PAID
    assert await taken(world, account) == 1


async def test_an_answer_that_comes_after_another_card_has_paid_changes_nothing(world: World, account: Account) -> None:
    invoice, payment = await challenged(world, account)
    world.wire.cancel_fault = Fault.HOLD_ANSWER
    late = asyncio.create_task(cancelling.cancel(world.platform, payment))
    await world.wire.held.wait()
    world.wire.cancel_fault = None
    await give_up(world, invoice)
    await world.pay(invoice, number=2, card=GOOD)
    world.wire.let_go.set()
    await late
    assert await world.changes(invoice) == PAID_BY_ANOTHER
    assert await taken(world, account) == 1


async def test_approval_and_cancellation_side_by_side_take_the_money_once_or_not_at_all(
    world: World, account: Account
) -> None:
    for _ in range(5):
        invoice, payment = await challenged(world, account)
        before = await taken(world, account)
        await asyncio.gather(give_up(world, invoice), world.press(payment.action or "", "approve"))
        outcome = await world.changes(invoice)
        assert outcome in (PAID, CLOSED)
        assert await taken(world, account) - before == (outcome == PAID)


async def test_two_tabs_that_cancel_at_once_close_one_attempt(world: World, account: Account) -> None:
    invoice, _ = await challenged(world, account)
    await asyncio.gather(*(give_up(world, invoice) for _ in range(5)))
    assert await world.changes(invoice) == CLOSED


async def test_a_stale_tab_does_not_cancel_the_next_attempt(world: World, account: Account) -> None:
    invoice, _ = await challenged(world, account)
    await give_up(world, invoice)
    await world.pay(invoice, number=2, card=GOOD_SECURE)
    assert (await give_up(world, invoice, number=1)).cancellable
    assert (await world.changes(invoice)).attempts == ["process_failed", "process_pending"]


@pytest.mark.parametrize("point", range(1, POINTS + 1))
async def test_a_death_anywhere_on_the_way_leaves_one_attempt_that_can_pay(
    world: World, account: Account, point: int
) -> None:
    invoice, payment = await challenged(world, account)
    with failpoints.dying(point), pytest.raises(Died):
        await cancelling.cancel(world.platform, payment)
    await polled(world, account)
    after = await world.open(invoice)
    if after.cancellable:
        await give_up(world, invoice)
    assert await world.changes(invoice) == CLOSED
    await world.press(payment.action or "", "approve")
    await world.pay(invoice, number=2, card=GOOD)
    assert await world.changes(invoice) == PAID_BY_ANOTHER
    assert await taken(world, account) == 1


async def test_a_wallet_that_is_given_up_ends_its_invoice(world: World) -> None:
    account = await world.account(services=(WALLET,), callback_url=NOBODY)
    invoice = await world.invoice(account, service=WALLET)
    payment = await payment_of(world, invoice)
    assert cancelling.cancellable(world.platform, payment)
    await cancelling.cancel(world.platform, payment)
    ended = Changes(status="process_failed", resolution="client_auth_failed", attempts=["process_failed"])
    assert await world.changes(invoice) == ended
    assert await world.told(invoice) == ["process_pending", "process_failed"]
    await world.press(payment.action or "", "approve")
    assert await taken(world, account) == 0


async def test_only_what_waits_for_its_payer_at_a_provider_that_can_is_cancellable(
    world: World, account: Account
) -> None:
    invoice, payment = await challenged(world, account)
    platform = world.platform
    assert not cancelling.cancellable(platform, None)
    assert not cancelling.cancellable(platform, msgspec.structs.replace(payment, action=None))
    assert not cancelling.cancellable(platform, msgspec.structs.replace(payment, provider="gone"))
    await give_up(world, invoice)
    assert not cancelling.cancellable(platform, await payment_of(world, invoice))


async def test_a_provider_that_is_not_installed_any_more_cancels_nothing(world: World, account: Account) -> None:
    invoice, payment = await challenged(world, account)
    await cancelling.cancel(world.platform, msgspec.structs.replace(payment, provider="gone"))
    assert await world.changes(invoice) == WAITING
