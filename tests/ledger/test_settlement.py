"""What settling an invoice books, with the real bank: one entry a fact, in the transaction that makes it one."""

from datetime import timedelta

import asyncpg
import pytest

from kassa.accounts.model import Account
from kassa.cardgate.facts import card_facts
from kassa.errors import TransitionRefused
from kassa.invoices import booking, operations
from kassa.invoices.model import Invoice
from kassa.ledger.model import Balances, Purse
from kassa.payments.model import Payment, PaymentStatus
from kassa.providers.protocol import Accepted, Card
from tests.support import ledger
from tests.support.postgres import Database
from tests.support.world import BAD, GOOD, World

TARIFF = "UPDATE account_services SET fee_rate = 2.5, fee_fix = 30 WHERE account_id = '{}'"


@pytest.fixture(autouse=True)
def _time_is_real(world: World) -> None:
    world.platform.clock.test_offset = timedelta()


@pytest.fixture
async def account(world: World, module_database: Database) -> Account:
    """An account that pays fees and is told of everything."""
    made = await world.account(callback_url="http://127.0.0.1:9/")
    await ledger.tamper(module_database, TARIFF.format(made.account_id))
    return made


async def entries(world: World, account: Account) -> list[str]:
    """Number what was booked, prove the books, and return the recipes in their order."""
    await ledger.number(world.platform.pool, account.account_id)
    assert (await ledger.verified(world.platform.pool, account.account_id)).problems == ()
    rows = await world.platform.pool.fetch(
        "SELECT entry_id FROM ledger_journal WHERE account_id = $1 AND test_mode ORDER BY number", account.account_id
    )
    return [row["entry_id"].partition(":")[0] for row in rows]


async def balances(world: World, account: Account) -> Balances:
    return await ledger.balances(world.platform.pool, account.account_id)


async def begun(world: World, invoice: Invoice) -> Payment:
    """Begin an attempt that nobody asks the bank about."""
    route = await world.platform.route(invoice.account_id, invoice.service, test_mode=True)
    assert route is not None
    card = card_facts(world.platform, Card(number=GOOD, expiry_month=12, expiry_year=2030, cvv="123"), test_mode=True)
    return await operations.begin(world.platform, invoice, number=1, card=card, client_ip="192.0.2.1", route=route)


def accepted(payment: Payment, **changes: int | str) -> Accepted:
    return Accepted(**{"external_id": "tx", "amount": payment.amount, "currency": payment.currency, **changes})  # type: ignore[arg-type]


async def test_a_payment_is_booked_once_with_its_fee(world: World, account: Account) -> None:
    invoice = await world.invoice(account)
    await world.pay(invoice)
    await world.pay(invoice)
    assert await entries(world, account) == ["processed"]
    paid = (await world.view(invoice)).invoice
    assert (paid.processed_amount, paid.processed_fee, paid.processed_deposit) == (10_000, 280, 9_720)
    assert await balances(world, account) == {
        (Purse.PROVIDER, "USD"): 10_000,
        (Purse.ACTIVE, "USD"): 9_720,
        (Purse.FEES, "USD"): 280,
    }


async def test_an_answer_that_comes_many_times_is_booked_once(world: World, account: Account) -> None:
    payment = await begun(world, await world.invoice(account))
    for _ in range(3):
        await operations.settle(world.platform, payment, accepted(payment))
    assert await entries(world, account) == ["processed"]


async def test_a_decline_and_a_verification_book_nothing(world: World, account: Account) -> None:
    await world.pay(await world.invoice(account), card=BAD)
    await world.pay(await world.invoice(account, flow="verify"))
    assert await entries(world, account) == []
    assert await balances(world, account) == {}


@pytest.mark.parametrize("changes, currency", [({"amount": 9_999}, "USD"), ({"currency": "EUR"}, "EUR")])
async def test_what_was_taken_otherwise_than_asked_is_held(
    world: World, account: Account, changes: dict[str, int | str], currency: str
) -> None:
    payment = await begun(world, await world.invoice(account))
    outcome = accepted(payment, **changes)
    await operations.settle(world.platform, payment, outcome)
    await operations.settle(world.platform, payment, outcome)
    assert await entries(world, account) == ["suspended"]
    assert await balances(world, account) == {
        (Purse.PROVIDER, currency): outcome.amount,
        (Purse.PENDING, currency): outcome.amount,
    }


async def test_an_unwanted_payment_is_held_until_it_has_gone_back(world: World) -> None:
    account = await world.account(late_success="refund")
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    world.move_clock(minutes=31)
    await world.expire(account)
    payment = (await world.view(invoice)).payment
    assert payment is not None
    await world.decide(payment.payment_id, "approve")
    world.move_clock(minutes=6)
    assert await world.ask(account) == 1
    assert await entries(world, account) == ["unwanted"]
    held = await balances(world, account)
    assert held == {(Purse.PROVIDER, "USD"): 10_000, (Purse.PENDING, "USD"): 10_000}
    assert await world.ask(account) == 1
    assert await entries(world, account) == ["unwanted", "returned"]
    assert await balances(world, account) == dict.fromkeys(held, 0)
    lines = [line for line in await world.statement() if line["order"] == payment.payment_id]
    assert [(line["kind"], line["amount"]) for line in lines] == [("PURCHASE", 10_000), ("REFUND", 10_000)]


@pytest.mark.parametrize("table", ["payments", "invoices", "callbacks", "ledger_transfers", "ledger_unnumbered"])
async def test_settling_that_breaks_off_at_any_step_leaves_nothing_and_can_be_done_again(
    world: World, module_database: Database, account: Account, table: str
) -> None:
    invoice = await world.invoice(account)
    payment = await begun(world, invoice)
    before = await world.view(invoice)
    async with ledger.full(module_database, table):
        with pytest.raises(asyncpg.CheckViolationError):
            await operations.settle(world.platform, payment, accepted(payment))
    assert await world.view(invoice) == before
    assert await balances(world, account) == {}
    await operations.settle(world.platform, payment, accepted(payment))
    assert (await world.changes(invoice)).status == "processed"
    assert await world.told(invoice) == ["process_pending", "processed"]
    assert await entries(world, account) == ["processed"]


async def test_money_that_no_recipe_tells_of_never_moves(world: World, account: Account) -> None:
    invoice = await world.invoice(account)
    await world.pay(invoice)
    view = await world.view(invoice)
    assert view.payment is not None
    assert view.payment.status is PaymentStatus.PROCESSED
    for was in (PaymentStatus.REFUND_FAILED, PaymentStatus.REFUND_PENDING):
        with pytest.raises(TransitionRefused):
            booking.entry(view.invoice, view.payment, was=was)
