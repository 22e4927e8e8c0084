"""What settling an invoice books, with the real bank: one entry a fact, in the transaction that makes it one."""

from datetime import timedelta

import asyncpg
import pytest

from kassa.accounts.model import Account
from kassa.errors import TransitionRefused
from kassa.invoices.operations import pay as operations
from kassa.invoices.operations import polling
from kassa.invoices.rules import booking
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.records import RefundStatus
from kassa.ledger.model import Balances, LedgerAccount
from kassa.providers.protocol import Accepted
from tests.support import ledger
from tests.support.postgres import Database
from tests.support.world import BAD, World

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
        "SELECT entry_id FROM ledger_journal WHERE account_id = $1 AND test_mode ORDER BY number",
        account.account_id,
    )
    return [row["entry_id"].partition(":")[0] for row in rows]


async def balances(world: World, account: Account) -> Balances:
    return await ledger.balances(world.platform.pool, account.account_id)


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
        (LedgerAccount.PROVIDER, "USD"): 10_000,
        (LedgerAccount.ACTIVE, "USD"): 9_720,
        (LedgerAccount.FEES, "USD"): 280,
    }


async def test_an_answer_that_comes_many_times_is_booked_once(world: World, account: Account) -> None:
    payment = await world.begin(await world.invoice(account))
    for _ in range(3):
        await operations.apply_result(world.platform, payment, accepted(payment))
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
    payment = await world.begin(await world.invoice(account))
    outcome = accepted(payment, **changes)
    await operations.apply_result(world.platform, payment, outcome)
    await operations.apply_result(world.platform, payment, outcome)
    assert await entries(world, account) == ["suspended"]
    assert await balances(world, account) == {
        (LedgerAccount.PROVIDER, currency): outcome.amount,
        (LedgerAccount.PENDING, currency): outcome.amount,
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
    await polling.poll(world.platform, payment)
    assert await entries(world, account) == ["unexpected"]
    held = await balances(world, account)
    assert held == {(LedgerAccount.PROVIDER, "USD"): 10_000, (LedgerAccount.PENDING, "USD"): 10_000}
    assert await world.ask(account) == 1
    assert await entries(world, account) == ["unexpected", "refund_sent"]
    assert await balances(world, account) == dict.fromkeys(held, 0)
    lines = [line for line in await world.statement() if line["order"] == payment.payment_id]
    assert [(line["kind"], line["amount"]) for line in lines] == [("PURCHASE", 10_000), ("REFUND", 10_000)]


@pytest.mark.parametrize("table", ["payments", "invoices", "callbacks", "ledger_transfers", "ledger_unnumbered"])
async def test_settling_that_breaks_off_at_any_step_leaves_nothing_and_can_be_done_again(
    world: World, module_database: Database, account: Account, table: str
) -> None:
    invoice = await world.invoice(account)
    payment = await world.begin(invoice)
    before = await world.view(invoice)
    async with ledger.full(module_database, table):
        with pytest.raises(asyncpg.CheckViolationError):
            await operations.apply_result(world.platform, payment, accepted(payment))
    assert await world.view(invoice) == before
    assert await balances(world, account) == {}
    await operations.apply_result(world.platform, payment, accepted(payment))
    assert (await world.changes(invoice)).status == "processed"
    assert await world.told(invoice) == ["process_pending", "processed"]
    assert await entries(world, account) == ["processed"]


async def test_money_that_no_recipe_tells_of_never_moves(world: World, account: Account) -> None:
    invoice = await world.invoice(account)
    await world.pay(invoice)
    refund = await world.begin_refund(invoice)
    assert refund.status is RefundStatus.REFUND_PENDING
    for was in (RefundStatus.REFUND_FAILED, RefundStatus.REFUND_ERROR, RefundStatus.REFUNDED):
        with pytest.raises(TransitionRefused):
            booking.refund_ended(refund, was=was, reserve=0)
