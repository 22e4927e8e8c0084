"""The payer's bank takes money back: it is heard of, believed, booked once and told."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from kassa.accounts.model import Account
from kassa.errors import Invalid, NothingToDecide
from kassa.invoices.document.building import private
from kassa.invoices.operations import dispute as operations
from kassa.invoices.operations import refund as refunds
from kassa.invoices.operations.review import send_back, settle
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.records import Refund
from kassa.invoices.tables import payments
from kassa.ledger.model import LedgerAccount
from kassa.moderation import queries as moderation
from kassa.providers.protocol import Accepted, Declined, Dispute, Pending
from tests.support import books, ledger
from tests.support.reconciling import compare_later
from tests.support.wire import Fault
from tests.support.world import World


@pytest.fixture(autouse=True)
def _line_works_and_time_is_real(world: World) -> Iterator[None]:
    world.platform.clock.test_offset = timedelta()
    yield
    world.wire.refund_fault = None


async def paid(world: World) -> tuple[Account, Invoice]:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    await world.pay(invoice)
    return account, (await world.view(invoice)).invoice


async def payment_of(world: World, invoice: Invoice) -> Payment:
    payment = (await world.view(invoice)).payment
    assert payment is not None
    return payment


async def back_of(world: World, invoice: Invoice) -> Refund:
    """Return the refund by which the money of an invoice goes back that nobody wanted."""
    view = await world.view(invoice)
    back = view.gone_back(view.payment)
    assert back is not None
    return back


async def charge_back(world: World, invoice: Invoice, amount: str = "") -> None:
    """Charge money back at the bank and let Kassa hear of it, as the bank's notification does."""
    payment = await payment_of(world, invoice)
    await world.charge_back(payment.payment_id, amount)
    await wake(world, payment)


async def wake(world: World, payment: Payment) -> None:
    now = world.platform.clock.now(test_mode=True)
    await payments.wake(world.platform.pool, payment.payment_id, account_id=payment.account_id, now=now, dispute=True)


async def purses(world: World, account: Account) -> dict[str, int]:
    """Return what an account's purses hold, when the books prove to be whole; empty ones are left out."""
    assert not (await ledger.verified(world.platform.pool, account.account_id)).problems
    found = await ledger.balances(world.platform.pool, account.account_id)
    return {str(purse): minor for (purse, _), minor in found.items() if minor}


async def test_a_whole_charge_back_is_booked_once_and_told(world: World) -> None:
    account, invoice = await paid(world)
    await charge_back(world, invoice)
    assert await world.ask(account) == 1
    found = (await world.view(invoice)).invoice
    assert (found.status, (await world.view(invoice)).charged_back_amount, found.moderation_required) == (
        "charged_back",
        10_000,
        False,
    )
    (dispute,) = (await world.view(invoice)).disputes
    assert (dispute.status, dispute.amount, dispute.booked) == ("open", 10_000, True)
    assert await purses(world, account) == {}
    assert (await world.told(invoice))[1:] == ["processed", "charged_back"]
    await wake(world, await payment_of(world, invoice))
    assert await world.ask(account) == 1
    assert (await world.view(invoice)).invoice == found
    assert await world.ask(account) == 0
    with pytest.raises(Invalid, match="nothing to refund"):
        await world.refund(invoice, 1)


async def test_other_news_of_a_payment_that_has_ended_asks_nothing(world: World) -> None:
    account, invoice = await paid(world)
    payment = await payment_of(world, invoice)
    now = world.platform.clock.now(test_mode=True)
    await payments.wake(world.platform.pool, payment.payment_id, account_id=payment.account_id, now=now)
    assert await world.ask(account) == 0


async def test_parts_are_charged_back_one_after_the_other_each_with_its_fee_and_each_is_told(world: World) -> None:
    account, invoice = await paid(world)
    await world.set_terms(account, charge_back_fee_fix="15")
    for amount, total in (("30", 3_000), ("20.50", 5_050)):
        await charge_back(world, invoice, amount)
        await world.ask(account)
        found = (await world.view(invoice)).invoice
        assert (found.status, (await world.view(invoice)).charged_back_amount) == ("partially_charged_back", total)
    assert await purses(world, account) == {
        LedgerAccount.PROVIDER: 4_950,
        LedgerAccount.ACTIVE: 1_950,
        LedgerAccount.FEES: 3_000,
    }
    assert (await world.told(invoice))[2:] == ["partially_charged_back"] * 2
    await charge_back(world, invoice)
    await world.ask(account)
    assert (await world.view(invoice)).invoice.status == "charged_back"
    # The merchant owes the gateway what the charge-backs cost.
    assert await purses(world, account) == {LedgerAccount.ACTIVE: -4_500, LedgerAccount.FEES: 4_500}


async def test_what_is_left_after_one_may_be_refunded_and_no_more(world: World) -> None:
    account, invoice = await paid(world)
    await charge_back(world, invoice, "40")
    await world.ask(account)
    with pytest.raises(Invalid, match="60 or less"):
        await world.refund(invoice, 61)
    after = await world.refund(invoice)
    assert (after.invoice.status, after.refunds[0].amount) == ("refunded", 6_000)
    assert await purses(world, account) == {}


async def test_of_what_was_refunded_the_rest_is_charged_back(world: World) -> None:
    account, invoice = await paid(world)
    await world.refund(invoice, 40)
    await charge_back(world, invoice, "60")
    await world.ask(account)
    found = (await world.view(invoice)).invoice
    assert (found.status, found.moderation_required) == ("charged_back", False)
    assert await purses(world, account) == {}


async def test_a_bank_that_takes_back_what_was_refunded_is_believed_and_a_person_called(world: World) -> None:
    account, invoice = await paid(world)
    await world.refund(invoice)
    await charge_back(world, invoice, "30")
    await world.ask(account)
    found = (await world.view(invoice)).invoice
    assert (found.status, (await world.view(invoice)).charged_back_amount, found.moderation_required) == (
        "charged_back",
        3_000,
        True,
    )
    assert await purses(world, account) == {LedgerAccount.PROVIDER: -3_000, LedgerAccount.ACTIVE: -3_000}


async def test_refunds_and_a_charge_back_side_by_side_give_back_no_more_than_was_taken(world: World) -> None:
    account, invoice = await paid(world)
    refunds = [world.refund(invoice, 15) for _ in range(10)]
    results = await asyncio.gather(*refunds, charge_back(world, invoice, "50"), return_exceptions=True)
    assert not [each for each in results if isinstance(each, BaseException) and not isinstance(each, Invalid)]
    await world.ask(account)
    view = await world.view(invoice)
    refunded = sum(each.amount for each in view.refunds if each.status == "refunded")
    # The bank decides who was first; whatever it refused is the merchant's again.
    lines = [line for line in await world.statement() if line["order"] == (view.payment and view.payment.payment_id)]
    moved = {kind: sum(line["amount"] for line in lines if line["kind"] == kind) for kind in ("REFUND", "CHARGE_BACK")}
    assert (moved["REFUND"], moved["CHARGE_BACK"]) == (refunded, 5_000)
    assert refunded + 5_000 <= 10_000
    left = 5_000 - refunded
    assert await purses(world, account) == {
        name: left for name in (LedgerAccount.PROVIDER, LedgerAccount.ACTIVE) if left
    }
    assert not view.invoice.moderation_required


async def test_one_that_comes_while_a_refund_is_under_way_waits_for_nothing(world: World) -> None:
    account, invoice = await paid(world)
    world.wire.refund_fault = Fault.LOSE_ANSWER
    await world.refund(invoice, 60)
    await charge_back(world, invoice, "40")
    await world.ask(account)
    assert (await world.view(invoice)).invoice.status == "partially_charged_back"
    world.move_clock(seconds=5)
    await world.ask_about_refunds(account)
    found = (await world.view(invoice)).invoice
    assert (found.status, found.moderation_required) == ("refunded", False)
    assert await purses(world, account) == {}


async def test_a_bank_that_does_not_answer_is_asked_again(world: World) -> None:
    account, invoice = await paid(world)
    payment = await payment_of(world, invoice)
    await world.charge_back(payment.payment_id)
    await operations.apply(world.platform, payment, Pending())
    assert await world.ask(account) == 0
    world.move_clock(seconds=5)
    assert await world.ask(account) == 1
    assert (await world.view(invoice)).invoice.status == "charged_back"


async def test_one_that_is_told_with_the_payment_itself_is_asked_about_once_more(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    payment = await payment_of(world, invoice)
    await world.decide(payment.payment_id, "approve")
    await world.charge_back(payment.payment_id, "1")
    world.move_clock(seconds=5)
    await world.ask(account)
    assert (await world.view(invoice)).invoice.status == "processed"
    assert await world.ask(account) == 1
    assert (await world.view(invoice)).invoice.status == "partially_charged_back"


async def unwanted(world: World) -> tuple[Account, Invoice]:
    """Return an invoice that was paid too late, and its account; its money is about to go back."""
    account = await world.account(late_success="refund")
    await world.set_terms(account, charge_back_fee_fix="15")
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    world.move_clock(minutes=31)
    await world.expire(account)
    await world.decide((await payment_of(world, invoice)).payment_id, "approve")
    assert await world.poll_attempts(account) == 1
    assert (await back_of(world, invoice)).status == "refund_pending"
    return account, invoice


async def agreed(world: World, account: Account) -> None:
    """Hold the books against the bank's, in all and by the last movement."""
    result = await compare_later(world, account)
    assert (result.kinds, result.open) == ({}, 0)
    assert await books.net_agrees(world, world.bank_url)
    assert await books.differences(world, world.bank_url) == []


async def test_of_money_that_nobody_wanted_and_went_back_the_merchant_owes_it_and_no_fee(world: World) -> None:
    account, invoice = await unwanted(world)
    await world.ask(account)
    before = (await world.view(invoice)).invoice
    assert (await back_of(world, invoice)).status == "refunded"
    for amount, owed in (("30", 3_000), ("0.01", 3_001)):
        await charge_back(world, invoice, amount)
        await world.ask(account)
        assert await purses(world, account) == {LedgerAccount.PROVIDER: -owed, LedgerAccount.ACTIVE: -owed}
    after = (await world.view(invoice)).invoice
    assert (after.status, (await world.view(invoice)).charged_back_amount) == (before.status, 0)
    assert after.moderation_required
    await wake(world, await payment_of(world, invoice))
    await settle(world.platform, account, invoice.invoice_id, by="operator Ann", note="disputed")
    await world.ask(account)
    assert not (await world.view(invoice)).invoice.moderation_required, "it is known already"
    await agreed(world, account)


async def test_of_money_that_would_not_go_back_it_is_taken_from_what_is_held_and_the_rest_goes_back(
    world: World,
) -> None:
    account, invoice = await unwanted(world)
    payment = await payment_of(world, invoice)
    refused = Declined(external_id=None, resolution="general_decline")
    await refunds.apply_result(world.platform, await back_of(world, invoice), refused)
    for amount in ("30", "5"):
        await world.charge_back(payment.payment_id, amount)
    assert await world.ask(account) == 2, "the payment, and the refund that was declined"
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 6_500, LedgerAccount.PENDING: 6_500}
    await send_back(world.platform, account, invoice.invoice_id, by="operator Ann")
    assert await world.ask(account) == 1
    back = await back_of(world, invoice)
    assert (back.status, back.at_provider) == ("refunded", (6_500, "USD"))
    assert await purses(world, account) == {}
    told = private(world.platform, account, await world.view(invoice)).data.attributes
    assert bytes(told.refunded_amount) == b"65"
    await charge_back(world, invoice, "65")
    await world.ask(account)
    await world.ask(account)
    assert await purses(world, account) == {LedgerAccount.PROVIDER: -6_500, LedgerAccount.ACTIVE: -6_500}
    await agreed(world, account)


async def test_where_all_of_it_was_charged_back_nothing_can_be_sent_back(world: World) -> None:
    account, invoice = await unwanted(world)
    payment = await payment_of(world, invoice)
    await world.charge_back(payment.payment_id)
    assert [await world.ask(account) for _ in range(2)] == [1, 1]
    assert ((await back_of(world, invoice)).status, await purses(world, account)) == ("refund_failed", {})
    (waiting,) = await moderation.waiting(world.pool, account_id=account.account_id)
    assert waiting.reason == "money that is not the merchant's was disputed"
    with pytest.raises(NothingToDecide):
        await send_back(world.platform, account, invoice.invoice_id, by="operator Ann")
    await settle(world.platform, account, invoice.invoice_id, by="operator Ann", note="the payer has it")
    await agreed(world, account)


async def test_one_that_comes_while_unwanted_money_goes_back_is_booked_once_that_has_ended(world: World) -> None:
    account, invoice = await unwanted(world)
    world.wire.refund_fault = Fault.LOSE_ANSWER
    await world.ask(account)
    assert (await back_of(world, invoice)).status == "refund_pending"
    world.wire.refund_fault = None
    await charge_back(world, invoice, "30")
    assert await world.ask(account) == 1
    (dispute,) = (await world.view(invoice)).disputes
    assert ((await back_of(world, invoice)).status, dispute.booked) == ("refund_pending", False)
    world.move_clock(minutes=1)
    assert await world.ask(account) == 1
    assert (await back_of(world, invoice)).status == "refunded"
    assert await world.ask(account) == 1
    assert (await world.view(invoice)).invoice.moderation_required
    assert await purses(world, account) == {LedgerAccount.PROVIDER: -3_000, LedgerAccount.ACTIVE: -3_000}
    assert await world.ask(account) == 0
    await agreed(world, account)


async def test_one_of_money_in_another_currency_is_for_a_person_and_moves_nothing(world: World) -> None:
    account, invoice = await unwanted(world)
    await world.ask(account)
    payment = await payment_of(world, invoice)
    other = Accepted(
        external_id=payment.external_id or "", amount=10_000, currency="EUR", disputes=(Dispute(amount=1),)
    )
    await operations.apply(world.platform, payment, other)
    assert (await world.view(invoice)).invoice.moderation_required
    assert await purses(world, account) == {}


async def test_several_that_are_heard_of_together_cost_a_fee_and_are_told_each(world: World) -> None:
    account, invoice = await paid(world)
    await world.set_terms(account, charge_back_fee_fix="15")
    payment = await payment_of(world, invoice)
    for amount in ("30", "20.50"):
        await world.charge_back(payment.payment_id, amount)
    await charge_back(world, invoice)
    assert await world.ask(account) == 1
    found = (await world.view(invoice)).invoice
    assert (found.status, (await world.view(invoice)).charged_back_amount) == ("charged_back", 10_000)
    assert await purses(world, account) == {LedgerAccount.ACTIVE: -4_500, LedgerAccount.FEES: 4_500}
    assert (await world.told(invoice))[2:] == ["partially_charged_back"] * 2 + ["charged_back"]
    rows = await world.fetch(
        "SELECT DISTINCT entry_id FROM ledger_transfers WHERE account_id = $1 AND recipe = 'charged_back'",
        account.account_id,
    )
    assert {row["entry_id"].rpartition(":")[2] for row in rows} == {"3000", "5050", "10000"}
    await agreed(world, account)
