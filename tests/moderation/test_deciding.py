"""Approving and rejecting what is held: the money, the merchant's document, and that exactly one decision counts."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from kassa.accounts.model import Account
from kassa.errors import NotApprovable, NotFound, NothingToDecide
from kassa.invoices.operations import pay as operations
from kassa.invoices.operations import refund as returns
from kassa.invoices.operations.review import decide
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import ABSENT_AFTER
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import payments
from kassa.ledger.model import LedgerAccount
from kassa.moderation import operations as moderation
from kassa.moderation import queries
from kassa.moderation.model import AmountRule, Verdict
from kassa.providers.protocol import Absent, Accepted, Declined
from tests.support import ledger
from tests.support.postgres import Database
from tests.support.world import Changes, World

TARIFF = "UPDATE account_services SET fee_rate = 2.5, fee_fix = 30 WHERE account_id = '{}'"
PROVIDER, ACTIVE, PENDING, FEES = (
    (ledger_account, "USD")
    for ledger_account in (LedgerAccount.PROVIDER, LedgerAccount.ACTIVE, LedgerAccount.PENDING, LedgerAccount.FEES)
)


@pytest.fixture(autouse=True)
def _time_is_real(world: World) -> None:
    world.platform.clock.test_offset = timedelta()


@pytest.fixture
async def account(world: World, module_database: Database) -> Account:
    """An account that pays fees, is told of everything, and whose payments from 100.00 on are held."""
    made = await world.account(callback_url="http://127.0.0.1:9/")
    await ledger.tamper(module_database, TARIFF.format(made.account_id))
    rule = AmountRule(currency="USD", at_least=10_000)
    await moderation.add_rule(world.platform.pool, made.account_id, rule, now=made.created_at, by="ann")
    return made


async def held(world: World, account: Account) -> Invoice:
    """Have a rule hold a payment that the bank has taken."""
    invoice = await world.invoice(account)
    await world.pay(invoice)
    assert (await world.changes(invoice)).status == "process_error"
    return invoice


async def mismatched(world: World, account: Account, *, amount: int, currency: str = "USD") -> Invoice:
    """Have a provider take something else than it was asked for."""
    invoice = await world.invoice(account)
    payment = await world.begin(invoice)
    taken = Accepted(external_id="tx", amount=amount, currency=currency)
    await operations.apply_result(world.platform, payment, taken)
    return invoice


async def decided(world: World, account: Account, invoice: Invoice, verdict: Verdict) -> Snapshot:
    return await decide(world.platform, account, invoice.invoice_id, verdict, by="operator Ann", note="called him")


async def balances(world: World, account: Account) -> dict[tuple[LedgerAccount, str], int]:
    """Number what was booked, prove the books, and return the balances that are not nothing."""
    await ledger.number(world.platform.pool, account.account_id)
    assert (await ledger.verified(world.platform.pool, account.account_id)).problems == ()
    found = await ledger.balances(world.platform.pool, account.account_id)
    return {ledger_account: minor for ledger_account, minor in found.items() if minor}


async def test_what_is_approved_is_processed_on_its_terms(world: World, account: Account) -> None:
    invoice = await held(world, account)
    assert await balances(world, account) == {PROVIDER: 10_000, PENDING: 10_000}
    view = await decided(world, account, invoice, Verdict.APPROVED)
    assert view == await _without_callbacks(world, invoice)
    after = view.invoice
    assert (after.status, after.resolution, after.moderation_required) == ("processed", "ok", False)
    assert (after.processed_amount, after.processed_fee, after.processed_deposit) == (10_000, 280, 9_720)
    assert after.processed_at is not None
    assert await balances(world, account) == {PROVIDER: 10_000, ACTIVE: 9_720, FEES: 280}
    assert await world.told(invoice) == ["process_pending", "process_error", "processed"]


@pytest.mark.parametrize("asked", [True, False])
async def test_what_was_charged_back_while_it_was_held_is_booked_once_it_is_approved(
    world: World, account: Account, *, asked: bool
) -> None:
    invoice = await held(world, account)
    payment_id = (await world.view(invoice)).invoice.payment_id or ""
    await world.charge_back(payment_id, "40")
    now = world.platform.clock.now(test_mode=True)
    await payments.wake(world.platform.pool, payment_id, account_id=account.account_id, now=now, dispute=True)
    if asked:
        assert await world.ask(account) == 1
        assert (await world.view(invoice)).charged_back_amount == 0
    await decided(world, account, invoice, Verdict.APPROVED)
    assert await world.ask(account) == 1
    after = await world.view(invoice)
    assert (after.invoice.status, after.charged_back_amount) == ("partially_charged_back", 4_000)
    assert await balances(world, account) == {PROVIDER: 6_000, ACTIVE: 5_720, FEES: 280}
    assert await world.ask(account) == 0


async def _without_callbacks(world: World, invoice: Invoice) -> Snapshot:
    found = await world.view(invoice)
    return Snapshot(
        invoice=found.invoice, payment=found.payment, customer=found.customer, callbacks=found.callbacks[:2]
    )


@pytest.mark.parametrize(
    "taken, status, fee",
    [
        (100, "partially_processed", 100),
        (280, "partially_processed", 280),
        (9_999, "partially_processed", 280),
        (10_001, "processed", 280),
    ],
)
async def test_another_amount_is_processed_as_what_it_is(
    world: World, account: Account, taken: int, status: str, fee: int
) -> None:
    invoice = await mismatched(world, account, amount=taken)
    assert await balances(world, account) == {PROVIDER: taken, PENDING: taken}
    after = (await decided(world, account, invoice, Verdict.APPROVED)).invoice
    assert (after.status, after.resolution) == (status, "ok")
    assert (after.processed_amount, after.processed_fee, after.processed_deposit) == (taken, fee, taken - fee)
    expected = {PROVIDER: taken, ACTIVE: taken - fee, FEES: fee}
    assert await balances(world, account) == {
        ledger_account: minor for ledger_account, minor in expected.items() if minor
    }


async def test_another_currency_can_only_be_rejected(world: World, account: Account) -> None:
    invoice = await mismatched(world, account, amount=10_000, currency="EUR")
    before, money = await world.view(invoice), await balances(world, account)
    with pytest.raises(NotApprovable):
        await decided(world, account, invoice, Verdict.APPROVED)
    assert (await world.view(invoice), await balances(world, account)) == (before, money)
    assert await queries.decisions(world.platform.pool, invoice.invoice_id, account_id=account.account_id) == []
    after = await decided(world, account, invoice, Verdict.REJECTED)
    assert after.invoice.status == "process_failed"


async def test_what_is_rejected_goes_back_to_the_payer(world: World, account: Account) -> None:
    invoice = await held(world, account)
    view = await decided(world, account, invoice, Verdict.REJECTED)
    assert await world.changes(invoice) == Changes(
        status="process_failed", resolution="customer_blocked", attempts=["refund_pending"]
    )
    assert not view.invoice.moderation_required
    assert view.invoice.processed_amount is None
    assert await world.told(invoice) == ["process_pending", "process_error", "process_failed"]
    assert await balances(world, account) == {PROVIDER: 10_000, PENDING: 10_000}
    assert await world.ask(account) == 1
    assert (await world.changes(invoice)).attempts == ["refunded"]
    assert await balances(world, account) == {}
    assert view.payment is not None
    lines = [line for line in await world.statement() if line["order"] == view.payment.payment_id]
    assert [(line["kind"], line["amount"]) for line in lines] == [("PURCHASE", 10_000), ("REFUND", 10_000)]


async def test_money_that_does_not_go_back_waits_for_a_person_again(world: World, account: Account) -> None:
    invoice = await held(world, account)
    (refunding,) = (await decided(world, account, invoice, Verdict.REJECTED)).refunds
    refused = Declined(external_id="tx", resolution="general_decline")
    await returns.apply_result(world.platform, refunding, refused)
    after = (await world.view(invoice)).invoice
    assert (after.status, after.moderation_required) == ("process_failed", True)
    for verdict in (Verdict.APPROVED, Verdict.REJECTED):
        with pytest.raises(NothingToDecide):
            await decided(world, account, invoice, verdict)
    (waiting,) = await queries.waiting(world.platform.pool, account_id=account.account_id)
    assert (waiting.invoice_id, waiting.status) == (invoice.invoice_id, "process_failed")


async def test_money_that_still_comes_for_what_was_rejected_goes_back(world: World, account: Account) -> None:
    invoice = await world.invoice(account)
    first = await world.begin(invoice)
    world.move_clock(seconds=ABSENT_AFTER.total_seconds() + 1)
    await operations.apply_result(world.platform, first, Absent())
    await world.pay(invoice, number=2)
    await decided(world, account, invoice, Verdict.REJECTED)
    taken = Accepted(external_id="tx", amount=first.amount, currency=first.currency)
    await operations.apply_result(world.platform, first, taken)
    assert await world.changes(invoice) == Changes(
        status="process_failed", resolution="customer_blocked", attempts=["refund_pending", "refund_pending"]
    )


@pytest.mark.parametrize("verdict", [Verdict.APPROVED, Verdict.REJECTED])
async def test_only_what_is_held_can_be_decided_on(world: World, account: Account, verdict: Verdict) -> None:
    fresh, paid = await world.invoice(account, amount=50), await world.invoice(account, amount=50)
    await world.pay(paid)
    for invoice in (fresh, paid):
        before = await world.view(invoice)
        with pytest.raises(NothingToDecide):
            await decided(world, account, invoice, verdict)
        assert await world.view(invoice) == before
    stranger = await world.account()
    with pytest.raises(NotFound):
        await decided(world, stranger, await held(world, account), verdict)


async def test_of_all_who_decide_at_once_exactly_one_does(world: World, account: Account) -> None:
    invoice = await held(world, account)
    verdicts = [Verdict.APPROVED, Verdict.REJECTED] * 4
    results = await asyncio.gather(
        *(decided(world, account, invoice, verdict) for verdict in verdicts), return_exceptions=True
    )
    done = [verdict for verdict, result in zip(verdicts, results, strict=True) if isinstance(result, Snapshot)]
    assert [type(result) for result in results].count(NothingToDecide) == len(verdicts) - 1
    told = await queries.decisions(world.platform.pool, invoice.invoice_id, account_id=account.account_id)
    assert [each.verdict for each in told] == [Verdict.HELD, *done]
    expected = {PROVIDER: 10_000, ACTIVE: 9_720, FEES: 280}
    money = expected if done == [Verdict.APPROVED] else {PROVIDER: 10_000, PENDING: 10_000}
    assert await balances(world, account) == money


@pytest.mark.parametrize("verdict", [Verdict.APPROVED, Verdict.REJECTED])
@pytest.mark.parametrize("table", ["moderation_decisions", "payments", "invoices", "callbacks"])
async def test_deciding_that_breaks_off_at_any_step_leaves_nothing_and_can_be_done_again(
    world: World, module_database: Database, account: Account, table: str, verdict: Verdict
) -> None:
    invoice = await held(world, account)
    before = await world.view(invoice)
    async with ledger.full(module_database, table):
        with pytest.raises(asyncpg.CheckViolationError):
            await decided(world, account, invoice, verdict)
    assert await world.view(invoice) == before
    assert await balances(world, account) == {PROVIDER: 10_000, PENDING: 10_000}
    await decided(world, account, invoice, verdict)
    assert (await world.view(invoice)).invoice.status != "process_error"


async def test_an_approval_that_cannot_be_booked_is_none(
    world: World, module_database: Database, account: Account
) -> None:
    invoice = await held(world, account)
    before = await world.view(invoice)
    async with ledger.full(module_database, "ledger_transfers"):
        with pytest.raises(asyncpg.CheckViolationError):
            await decided(world, account, invoice, Verdict.APPROVED)
    assert await world.view(invoice) == before


async def test_who_decided_is_told_and_cannot_be_rewritten(world: World, account: Account) -> None:
    invoice = await held(world, account)
    await decided(world, account, invoice, Verdict.APPROVED)
    why, what = await queries.decisions(world.platform.pool, invoice.invoice_id, account_id=account.account_id)
    (rule,) = await queries.rules(world.platform.pool, account_id=account.account_id)
    assert (why.verdict, why.decided_by, why.note) == ("held", rule.rule_id, "100.00 USD or more")
    assert (what.verdict, what.decided_by, what.note) == ("approved", "operator Ann", "called him")
    for statement in ("UPDATE moderation_decisions SET note = NULL", "DELETE FROM moderation_decisions"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await world.platform.pool.execute(statement)
