"""What rules hold of real payments, and that nothing is processed before somebody has decided."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from kassa.accounts.model import Account
from kassa.invoices.operations import pay as operations
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.patience import ABSENT_AFTER
from kassa.ledger.model import LedgerAccount
from kassa.moderation import operations as moderation
from kassa.moderation.model import AmountRule, CountryRule, Subject, Terms, VelocityRule
from kassa.providers.protocol import Absent, Accepted, Card, Declined, Outcome, Pending
from tests.support import ledger
from tests.support.postgres import Database
from tests.support.world import BAD, GOOD, Changes, World

HELD = "process_error"
CARD = Card(number=GOOD, expiry_month=12, expiry_year=2030, cvv="123")
LARGE = AmountRule(currency="USD", at_least=10_000)


@pytest.fixture(autouse=True)
def _time_is_real(world: World) -> None:
    world.platform.clock.test_offset = timedelta()


async def ruled(world: World, *terms: Terms, **options: str) -> Account:
    """Add an account with rules."""
    account = await world.account(**options)
    for each in terms:
        await moderation.add_rule(world.platform.pool, account.account_id, each, now=account.created_at, by="ann")
    return account


def accepted(payment: Payment) -> Accepted:
    return Accepted(external_id=f"tx-{payment.payment_id}", amount=payment.amount, currency=payment.currency)


async def paid(world: World, account: Account, *, card: str = GOOD, **asked: object) -> str:
    """Pay a new invoice and return what became of it."""
    invoice = await world.invoice(account, **asked)
    await world.pay(invoice, card=card)
    return (await world.changes(invoice)).status


@pytest.mark.parametrize("amount, status", [("99.99", "processed"), ("100", HELD), ("100.01", HELD)])
async def test_a_large_payment_is_held(world: World, amount: str, status: str) -> None:
    account = await ruled(world, AmountRule(currency="EUR", at_least=1), LARGE)
    assert await paid(world, account, amount=amount) == status


@pytest.mark.parametrize(
    "country, lives_in, status",
    [("GB", None, "processed"), ("US", None, HELD), ("GB", "gb", HELD), ("GB", "Great Britain", "processed")],
)
async def test_a_country_is_that_of_the_card_or_of_the_address(
    world: World, country: str, lives_in: str | None, status: str
) -> None:
    account = await ruled(world, CountryRule(countries=(country,)))
    invoice = await world.invoice(account)
    if lives_in is not None:
        await world.platform.pool.execute(
            "INSERT INTO customers (account_id, customer_id, test_mode, reference_id, address, created_at, updated_at)"
            " VALUES ($1, 'cus_1', true, '1', json_build_object('country', $2::text), $3, $3)",
            account.account_id,
            lives_in,
            invoice.created_at,
        )
        await world.platform.pool.execute(
            "UPDATE invoices SET customer_id = 'cus_1' WHERE account_id = $1", account.account_id
        )
    await world.pay(invoice)
    assert (await world.changes(invoice)).status == status


async def test_velocity_counts_what_a_card_has_paid_in_its_time(world: World) -> None:
    often = VelocityRule(by=Subject.CARD, count="successes", more_than=2, minutes=60)
    account = await ruled(world, often)
    other = await ruled(world, often)
    assert await paid(world, account, card=BAD) == "process_pending"
    assert [await paid(world, account) for _ in range(3)] == ["processed", "processed", HELD]
    assert await paid(world, other) == "processed"
    world.move_clock(minutes=59)
    assert await paid(world, account) == HELD
    world.move_clock(minutes=2)
    # The one of two minutes ago is left, and this one beside it.
    assert [await paid(world, account) for _ in range(2)] == ["processed", HELD]


async def test_velocity_counts_attempts_of_an_address_the_declined_ones_too(world: World) -> None:
    account = await ruled(world, VelocityRule(by=Subject.CLIENT_IP, count="attempts", more_than=2, minutes=60))
    assert await paid(world, account, card=BAD) == "process_pending"
    assert await paid(world, account) == "processed"
    assert await paid(world, account) == HELD


async def test_velocity_counts_what_a_customer_has_paid_with_any_card(world: World) -> None:
    account = await ruled(world, VelocityRule(by=Subject.CUSTOMER, count="successes", more_than=1, minutes=60))
    statuses = []
    for customer_id in ("cus_1", "cus_2", "cus_1", None, None):
        invoice = await world.invoice(account)
        await world.platform.pool.execute(
            "UPDATE invoices SET customer_id = $3 WHERE account_id = $1 AND invoice_id = $2",
            account.account_id,
            invoice.invoice_id,
            customer_id,
        )
        await world.pay(invoice)
        statuses.append((await world.changes(invoice)).status)
    assert statuses == ["processed", "processed", HELD, "processed", "processed"]


async def test_of_payments_of_one_card_at_once_no_more_pass_than_may(world: World) -> None:
    account = await ruled(world, VelocityRule(by=Subject.CARD, count="successes", more_than=2, minutes=60))
    payments = [await world.begin(await world.invoice(account)) for _ in range(6)]
    views = await asyncio.gather(*(operations.apply_result(world.platform, each, accepted(each)) for each in payments))
    assert sorted(view.invoice.status for view in views) == [HELD] * 4 + ["processed"] * 2


async def test_a_verification_takes_no_money_and_is_not_held(world: World) -> None:
    assert await paid(world, await ruled(world, LARGE), flow="verify") == "verified"


async def test_a_removed_rule_holds_nothing_more(world: World) -> None:
    account = await world.account()
    rule = await moderation.add_rule(world.platform.pool, account.account_id, LARGE, now=account.created_at, by="ann")
    await moderation.remove_rule(
        world.platform.pool, account.account_id, rule.rule_id, now=account.created_at, by="ann"
    )
    assert await paid(world, account) == "processed"


async def test_what_is_held_is_not_processed_and_waits_without_an_end(world: World) -> None:
    account = await ruled(world, LARGE, callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    payment = await world.begin(invoice)
    await operations.apply_result(world.platform, payment, accepted(payment))
    before = await world.view(invoice)
    assert (before.invoice.status, before.invoice.resolution) == (HELD, "limit_violation")
    assert before.invoice.moderation_required
    assert before.invoice.processed_amount is None
    assert await world.told(invoice) == ["process_pending", HELD]
    late: list[Outcome] = [
        accepted(payment),
        Declined(external_id="tx", resolution="issuer_decline"),
        Pending(),
        Absent(),
    ]
    for outcome in late:
        await operations.apply_result(world.platform, payment, outcome)
    world.move_clock(days=3)
    assert (await world.expire(account), await world.ask(account)) == (0, 0)
    assert await world.view(invoice) == before
    assert await ledger.balances(world.platform.pool, account.account_id) == {
        (LedgerAccount.PROVIDER, "USD"): 10_000,
        (LedgerAccount.PENDING, "USD"): 10_000,
    }


async def test_a_late_success_is_held_like_any_other(world: World) -> None:
    account = await ruled(world, LARGE)
    invoice = await world.invoice(account)
    payment = await world.begin(invoice)
    world.move_clock(minutes=31)
    await world.expire(account)
    assert (await world.changes(invoice)).resolution == "expired"
    await operations.apply_result(world.platform, payment, accepted(payment))
    assert (await world.changes(invoice)).status == HELD


async def test_while_a_given_up_attempt_is_held_the_money_of_the_next_goes_back(world: World) -> None:
    account = await ruled(world, LARGE)
    invoice = await world.invoice(account)
    first = await world.begin(invoice)
    world.move_clock(seconds=ABSENT_AFTER.total_seconds() + 1)
    await operations.apply_result(world.platform, first, Absent())
    second = await world.begin(invoice, number=2)
    await operations.apply_result(world.platform, first, accepted(first))
    held = await world.view(invoice)
    assert held.invoice.payment_id == first.payment_id
    assert await world.changes(invoice) == Changes(
        status=HELD, resolution="limit_violation", attempts=[HELD, "process_pending"]
    )
    await operations.apply_result(world.platform, second, accepted(second))
    assert (await world.changes(invoice)).attempts == [HELD, "refund_pending"]


@pytest.mark.parametrize("table", ["payments", "invoices", "callbacks", "ledger_transfers", "moderation_decisions"])
async def test_holding_that_breaks_off_at_any_step_leaves_nothing_and_can_be_done_again(
    world: World, module_database: Database, table: str
) -> None:
    account = await ruled(world, LARGE, callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    payment = await world.begin(invoice)
    before = await world.view(invoice)
    async with ledger.full(module_database, table):
        with pytest.raises(asyncpg.CheckViolationError):
            await operations.apply_result(world.platform, payment, accepted(payment))
    assert await world.view(invoice) == before
    assert await ledger.balances(world.platform.pool, account.account_id) == {}
    await operations.apply_result(world.platform, payment, accepted(payment))
    assert (await world.changes(invoice)).status == HELD
