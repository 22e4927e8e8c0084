"""Money that a provider would not send back: it is asked for once more by a person's word, or settled by hand."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from kassa.accounts.model import Account
from kassa.errors import NotFound, NothingToDecide
from kassa.invoices.operations import dispute
from kassa.invoices.operations import pay as operations
from kassa.invoices.operations import refund as returns
from kassa.invoices.operations.review import decide, send_back, settle
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import ABSENT_AFTER
from kassa.invoices.rules.records import Refund, RefundStatus
from kassa.ledger.model import LedgerAccount
from kassa.moderation import operations as moderation
from kassa.moderation import queries
from kassa.moderation.model import AmountRule, Verdict
from kassa.providers.protocol import Absent, Accepted, Declined, Dispute
from tests.support import ledger
from tests.support.reconciling import compare_later
from tests.support.wire import Fault
from tests.support.world import Changes, World

REFUSED = Declined(external_id=None, resolution="general_decline")
ANN = "operator Ann"


@pytest.fixture(autouse=True)
def _time_is_real(world: World) -> None:
    world.platform.clock.test_offset = timedelta()


async def payment_of(world: World, invoice: Invoice) -> Payment:
    payment = (await world.view(invoice)).payment
    assert payment is not None
    return payment


async def back_of(world: World, invoice: Invoice) -> Refund:
    """Return the refund by which the money of the invoice's payment goes back, or was to."""
    view = await world.view(invoice)
    back = view.gone_back(view.payment)
    assert back is not None
    return back


async def refused(world: World) -> tuple[Account, Invoice]:
    """Return a rejected invoice whose money the provider would not send back, and its account."""
    account = await world.account(callback_url="http://127.0.0.1:9/")
    rule = AmountRule(currency="USD", at_least=10_000)
    await moderation.add_rule(world.platform.pool, account.account_id, rule, now=account.created_at, by="ann")
    invoice = await world.invoice(account)
    await world.pay(invoice)
    await decide(world.platform, account, invoice.invoice_id, Verdict.REJECTED, by=ANN)
    await returns.apply_result(world.platform, await back_of(world, invoice), REFUSED)
    assert (await back_of(world, invoice)).status == "refund_failed"
    assert (await world.view(invoice)).invoice.moderation_required
    return account, invoice


async def purses(world: World, account: Account) -> dict[str, int]:
    await ledger.number(world.platform.pool, account.account_id)
    assert (await ledger.verified(world.platform.pool, account.account_id)).problems == ()
    found = await ledger.balances(world.platform.pool, account.account_id)
    return {str(purse): minor for (purse, _), minor in found.items() if minor}


async def reasons(world: World, account: Account) -> list[str | None]:
    return [each.reason for each in await queries.waiting(world.platform.pool, account_id=account.account_id)]


async def verdicts(world: World, invoice: Invoice) -> list[str]:
    found = await queries.decisions(world.platform.pool, invoice.invoice_id, account_id=invoice.account_id)
    return [each.verdict for each in found]


async def test_it_goes_back_under_another_name_and_both_books_agree(world: World) -> None:
    account, invoice = await refused(world)
    first = await back_of(world, invoice)
    world.wire.refunds.clear()
    view = await send_back(world.platform, account, invoice.invoice_id, by=ANN, note="they had no money")
    assert (view.invoice.status, view.invoice.moderation_required) == ("process_failed", False)
    await world.ask(account)
    second = await back_of(world, invoice)
    assert (second.status, world.wire.refunds) == ("refunded", [second.refund_id])
    assert second.refund_id != first.refund_id
    assert await purses(world, account) == {}
    assert await verdicts(world, invoice) == ["held", "rejected", "returned"]
    result = await compare_later(world, account)
    assert (result.lines, result.kinds, result.open) == (2, {}, 0)


async def test_what_is_refused_again_is_listed_again_and_may_be_asked_for_again(world: World) -> None:
    account, invoice = await refused(world)
    for number in (2, 3):
        await send_back(world.platform, account, invoice.invoice_id, by=ANN)
        back = await back_of(world, invoice)
        assert (back.status, len((await world.view(invoice)).refunds)) == ("refund_pending", number)
        await returns.apply_result(world.platform, back, REFUSED)
        assert (await world.view(invoice)).invoice.moderation_required
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 10_000, LedgerAccount.PENDING: 10_000}


async def test_an_answer_about_the_return_that_was_refused_says_nothing_of_the_next(world: World) -> None:
    account, invoice = await refused(world)
    first = msgspec.structs.replace(await back_of(world, invoice), status=RefundStatus.REFUND_PENDING)
    await send_back(world.platform, account, invoice.invoice_id, by=ANN)
    await returns.apply_result(world.platform, first, REFUSED)
    assert (await back_of(world, invoice)).status == "refund_pending"
    assert not (await world.view(invoice)).invoice.moderation_required


async def test_of_any_number_who_send_it_back_one_does(world: World) -> None:
    account, invoice = await refused(world)
    sent = [send_back(world.platform, account, invoice.invoice_id, by=ANN) for _ in range(5)]
    results = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(each) for each in results].count(NothingToDecide) == 4
    assert len((await world.view(invoice)).refunds) == 2


async def test_what_was_put_right_elsewhere_is_off_the_list_and_moves_no_money(world: World) -> None:
    account, invoice = await refused(world)
    before, told = await purses(world, account), await world.told(invoice)
    assert await reasons(world, account) == ["the provider would not send its money back"]
    await settle(world.platform, account, invoice.invoice_id, by=ANN, note="sent by wire")
    assert await queries.waiting(world.platform.pool, account_id=account.account_id) == []
    assert (await purses(world, account), await world.told(invoice)) == (before, told)
    assert await verdicts(world, invoice) == ["held", "rejected", "settled"]
    with pytest.raises(NothingToDecide):
        await settle(world.platform, account, invoice.invoice_id, by=ANN, note="again")


async def test_nothing_else_can_be_sent_back_or_settled(world: World) -> None:
    account = await world.account()
    rule = AmountRule(currency="USD", at_least=20_000)
    await moderation.add_rule(world.platform.pool, account.account_id, rule, now=account.created_at, by="ann")
    paid, held, unpaid = [await world.invoice(account, amount=amount) for amount in (100, 200, 100)]
    for invoice in (paid, held):
        await world.pay(invoice)
    assert (await world.view(held)).invoice.status == "process_error"
    before = await purses(world, account)
    for invoice in (paid, held, unpaid):
        with pytest.raises(NothingToDecide):
            await send_back(world.platform, account, invoice.invoice_id, by=ANN)
        with pytest.raises(NothingToDecide):
            await settle(world.platform, account, invoice.invoice_id, by=ANN, note="no")
    other = await world.account()
    for deciding in (send_back, settle):
        with pytest.raises(NotFound):
            await deciding(world.platform, other, held.invoice_id, by=ANN, note="no")
    assert await purses(world, account) == before


async def test_what_would_not_go_back_waits_on_while_another_payment_of_the_invoice_is_decided_on(
    world: World,
) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    rule = AmountRule(currency="USD", at_least=10_000)
    await moderation.add_rule(world.platform.pool, account.account_id, rule, now=account.created_at, by="ann")
    invoice = await world.invoice(account)
    first = await world.begin(invoice)
    world.move_clock(seconds=ABSENT_AFTER.total_seconds() + 1)
    await operations.apply_result(world.platform, first, Absent())
    await world.pay(invoice, number=2)
    # The first attempt has taken money after all, and the provider would not send it back.
    taken = Accepted(external_id="tx", amount=first.amount, currency=first.currency)
    await operations.apply_result(world.platform, first, taken)
    (back,) = (await world.view(invoice)).refunds
    assert (back.payment_id, back.reason) == (first.payment_id, "duplicate")
    await returns.apply_result(world.platform, back, REFUSED)
    assert await world.changes(invoice) == Changes(
        status="process_error", resolution="limit_violation", attempts=["refund_failed", "process_error"]
    )
    with pytest.raises(NothingToDecide):
        await settle(world.platform, account, invoice.invoice_id, by=ANN, note="sent by wire")
    view = await decide(world.platform, account, invoice.invoice_id, Verdict.APPROVED, by=ANN)
    assert (view.invoice.status, view.invoice.moderation_required) == ("processed", True)
    assert await reasons(world, account) == ["the provider would not send its money back"]
    await settle(world.platform, account, invoice.invoice_id, by=ANN, note="sent by wire")
    assert not (await world.view(invoice)).invoice.moderation_required
    found = await queries.decisions(world.platform.pool, invoice.invoice_id, account_id=account.account_id)
    assert (found[-1].verdict, found[-1].payment_id) == (Verdict.SETTLED, first.payment_id)


async def test_why_an_invoice_waits_is_told(world: World) -> None:
    account = await world.account()
    otherwise, twice = [await world.invoice(account) for _ in range(2)]
    for invoice in (otherwise, twice):
        await world.pay(invoice)
    world.wire.refund_fault = Fault.LOSE
    begun = (await world.refund(otherwise, 40)).refunds[0]
    world.wire.refund_fault = None
    await returns.apply_result(world.platform, begun, Accepted(external_id="b", amount=3_999, currency="USD"))
    await world.refund(twice)
    charged = Accepted(external_id="b", amount=10_000, currency="USD", disputes=(Dispute(amount=1_000),))
    await dispute.apply(world.platform, await payment_of(world, twice), charged)
    assert await reasons(world, account) == [
        "another amount was sent back than was asked for",
        "more went back than was taken",
    ]
