"""Refunds and charge-backs on the two books: those that differ are seen, and mended where asking can mend them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from kassa.accounts.model import Account
from kassa.errors import NothingToDecide
from kassa.invoices.operations import dispute
from kassa.invoices.operations.review import decide, send_back
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import ABSENT_AFTER, RECHECK_AFTER
from kassa.invoices.tables import payments
from kassa.moderation.model import Verdict
from kassa.providers.protocol import Accepted, Dispute
from tests.support.reconciling import at_bank, compare, compare_later, found, now, proven, told, write
from tests.support.wire import Fault
from tests.support.world import World


@pytest.fixture(autouse=True)
def _refunds_arrive(world: World) -> Iterator[None]:
    yield
    world.wire.refund_fault = None


async def paid(world: World) -> tuple[Account, Invoice, str]:
    """Return an account, its paid invoice of 100 dollars, and the payment."""
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice)
    invoice = (await world.view(invoice)).invoice
    return account, invoice, invoice.payment_id or ""


async def refunded(world: World, *, fault: Fault | None = None) -> tuple[Account, Invoice, str, str]:
    """Return the same and the refund of 40 dollars, which may have come to grief on the line."""
    account, invoice, payment_id = await paid(world)
    world.wire.refund_fault = fault
    await world.refund(invoice, 40)
    world.wire.refund_fault = None
    (refund,) = (await world.view(invoice)).refunds
    return account, (await world.view(invoice)).invoice, payment_id, refund.refund_id


async def charged_back(world: World, account: Account, payment_id: str, *amounts: str) -> None:
    """Charge amounts back at the bank, and let Kassa hear of them all at once."""
    for amount in amounts:
        await world.charge_back(payment_id, amount)
    await payments.wake(world.platform.pool, payment_id, account_id=account.account_id, now=now(world), dispute=True)
    assert await world.ask(account) == 1


async def test_what_went_back_as_both_books_have_it_makes_no_discrepancy(world: World) -> None:
    account, invoice, payment_id = await paid(world)
    await world.refund(invoice, 40)
    await world.refund(invoice, 5)
    await charged_back(world, account, payment_id, "30")
    await charged_back(world, account, payment_id, "10", "7", "8")
    result = await compare_later(world, account)
    assert (result.lines, result.entries, result.kinds, result.open) == (7, 7, {}, 0)


async def test_what_went_back_much_later_than_it_came_is_compared_too(world: World) -> None:
    account, invoice, payment_id = await paid(world)
    world.move_clock(days=20)
    await world.refund(invoice, 40)
    await charged_back(world, account, payment_id, "30")
    result = await compare_later(world, account)
    assert (result.lines, result.entries, result.kinds) == (2, 2, {})
    result = await compare(world, account, until=now(world) - timedelta(days=19), since=now(world) - timedelta(days=21))
    assert (result.lines, result.entries, result.kinds) == (1, 1, {})


async def test_a_refund_whose_answer_was_lost_is_mended_by_asking(world: World) -> None:
    account, invoice, payment_id, refund_id = await refunded(world, fault=Fault.LOSE_ANSWER)
    await world.platform.pool.execute(
        "UPDATE refunds SET due_at = $2 WHERE refund_id = $1", refund_id, now(world) + timedelta(days=1)
    )
    result = await compare_later(world, account)
    assert (result.kinds, result.asked) == ({"status": 1}, 1)
    (seen,) = await found(world, account)
    assert (seen.movement, seen.ref, seen.payment_id) == ("refund", refund_id, payment_id)
    assert told(seen) == (("refund_pending", None), 4_000)
    assert await world.ask(account) == 0
    assert await world.ask_about_refunds(account) == 1
    assert (await world.view(invoice)).invoice.status == "partially_refunded"
    result = await compare_later(world, account)
    assert (result.kinds, result.closed, result.open) == ({}, 1, 0)
    await proven(world, account)


async def test_a_refund_that_we_gave_up_and_the_bank_made_is_mended_by_asking(world: World) -> None:
    account, invoice, payment_id, refund_id = await refunded(world, fault=Fault.LOSE)
    for wait in (ABSENT_AFTER, RECHECK_AFTER):
        world.move_clock(seconds=wait.total_seconds() + 1)
        assert await world.ask_about_refunds(account) == 1
    await at_bank(world, f"/purchases/{payment_id}/refunds/{refund_id}", {"amount": 4_000, "currency": "USD"})
    world.move_clock(hours=1)
    assert await world.ask_about_refunds(account) == 0, "nobody would have asked any more"
    assert (await compare(world, account)).asked == 1
    (seen,) = await found(world, account)
    assert told(seen) == (("refund_failed", None), 4_000)
    assert await world.ask_about_refunds(account) == 1
    assert (await world.view(invoice)).invoice.status == "partially_refunded"
    result = await compare_later(world, account)
    assert (result.lines, result.entries, result.kinds, result.closed) == (2, 2, {}, 1)
    await proven(world, account)


@pytest.mark.parametrize(
    "change, kind",
    [
        ("DELETE FROM refunds", "missing_there"),
        ("UPDATE refunds SET amount = 3999", "amount"),
        ("UPDATE refunds SET currency = 'EUR'", "amount"),
        ("UPDATE refunds SET transaction_id = transaction_id || 'x'", "transaction"),
    ],
)
async def test_a_refund_that_the_bank_does_not_have_or_has_otherwise_is_told(
    world: World, change: str, kind: str
) -> None:
    account, _, payment_id, refund_id = await refunded(world)
    assert write(world, f"{change} WHERE refund_ref = ?", refund_id) == 1
    result = await compare_later(world, account)
    assert (result.kinds, result.asked, result.open) == ({kind: 1}, 0, 1)
    (seen,) = await found(world, account)
    assert (seen.movement, seen.ref, seen.payment_id) == ("refund", refund_id, payment_id)
    assert told(seen)[0] == ("refunded", 4_000)
    assert await world.ask_about_refunds(account) == 0
    await proven(world, account)


async def test_a_refund_that_was_made_otherwise_than_asked_stays_a_case(world: World) -> None:
    account, _, _, refund_id = await refunded(world, fault=Fault.LOSE_ANSWER)
    write(world, "UPDATE refunds SET amount = 3999 WHERE refund_ref = ?", refund_id)
    world.move_clock(minutes=1)
    await world.ask_about_refunds(account)
    result = await compare_later(world, account)
    assert (result.kinds, result.asked) == ({"status": 1}, 0)
    (seen,) = await found(world, account)
    assert told(seen) == (("refund_error", None), 3_999)
    assert await world.ask_about_refunds(account) == 0


@pytest.mark.parametrize("heard", [(), ("20",)], ids=["none heard of", "the first heard of"])
async def test_charge_backs_that_we_did_not_hear_of_are_mended_by_asking(world: World, heard: tuple[str, ...]) -> None:
    account, invoice, payment_id = await paid(world)
    if heard:
        await charged_back(world, account, payment_id, *heard)
    await world.charge_back(payment_id, "30")
    await world.charge_back(payment_id, "5")
    total = 3_500 + 2_000 * len(heard)
    result = await compare_later(world, account)
    assert (result.kinds, result.asked) == ({"status": 2}, 2)
    discrepancies = await found(world, account)
    assert {seen.movement for seen in discrepancies} == {"charge_back"}
    assert {seen.ref for seen in discrepancies} == {
        f"{payment_id}:{total - 500}",
        f"{payment_id}:{total}",
    }
    assert {told(seen) for seen in discrepancies} == {
        (("processed", None), 3_000),
        (("processed", None), 500),
    }
    assert await world.ask(account) == 1
    assert (await world.view(invoice)).charged_back_amount == total
    result = await compare_later(world, account)
    assert (result.lines, result.entries) == (3 + len(heard), 3 + len(heard))
    assert (result.kinds, result.closed, result.open) == ({}, 2, 0)
    await proven(world, account)


@pytest.mark.parametrize(
    "change, kind",
    [
        ("DELETE FROM charge_backs WHERE order_ref = ?", "missing_there"),
        ("UPDATE charge_backs SET amount = 2999 WHERE order_ref = ?", "amount"),
        ("UPDATE charge_backs SET amount = 3001 WHERE order_ref = ?", "amount"),
        ("UPDATE charge_backs SET currency = 'EUR' WHERE order_ref = ?", "amount"),
    ],
)
async def test_a_charge_back_that_the_bank_does_not_have_or_has_otherwise_is_told(
    world: World, change: str, kind: str
) -> None:
    account, _, payment_id = await paid(world)
    await charged_back(world, account, payment_id, "30")
    assert write(world, change, payment_id) == 1
    result = await compare_later(world, account)
    assert (result.kinds, result.asked, result.open) == ({kind: 1}, 0, 1)
    (seen,) = await found(world, account)
    assert (seen.movement, seen.payment_id, told(seen)[0]) == (
        "charge_back",
        payment_id,
        ("processed", 3_000),
    )
    assert await world.ask(account) == 0
    await proven(world, account)


@pytest.mark.parametrize(
    "change, kind",
    [
        ("DELETE FROM charge_backs WHERE order_ref = ? AND amount = 500", "amount"),
        ("DELETE FROM charge_backs WHERE order_ref = ? AND amount = 3000", "amount"),
        ("UPDATE charge_backs SET amount = 499 WHERE order_ref = ? AND amount = 500", "amount"),
        ("UPDATE charge_backs SET amount = 501 WHERE order_ref = ? AND amount = 500", "status"),
        ("DELETE FROM charge_backs WHERE order_ref = ?", "missing_there"),
    ],
)
async def test_of_charge_backs_that_were_booked_together_one_that_is_not_there_is_told(
    world: World, change: str, kind: str
) -> None:
    account, invoice, payment_id = await paid(world)
    for amount in ("30", "5"):
        await world.charge_back(payment_id, amount)
    payment = (await world.view(invoice)).payment
    assert payment is not None
    # A provider that tells of both by their sum.
    together = Accepted(
        external_id=payment.external_id or "", amount=10_000, currency="USD", disputes=(Dispute(amount=3_500),)
    )
    await dispute.apply(world.platform, payment, together)
    assert (await compare_later(world, account)).kinds == {}
    assert write(world, change, payment_id)
    assert kind in (await compare_later(world, account)).kinds
    assert ("processed", 3_500) in {told(seen)[0] for seen in await found(world, account)}
    assert (await compare(world, account)).open == (2 if kind == "status" else 1)


async def test_a_charge_back_of_money_that_is_no_merchants_is_mended_by_asking_and_for_a_person(world: World) -> None:
    account = await world.account(late_success="refund")
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    world.move_clock(minutes=31)
    await world.expire(account)
    payment = (await world.view(invoice)).payment
    assert payment is not None
    await world.decide(payment.payment_id, "approve")
    assert await world.ask(account) == 2, "for the attempt, and for its money to go back"
    assert (await world.changes(invoice)).attempts == ["refunded"]
    await world.charge_back(payment.payment_id, "30")
    assert (await compare_later(world, account)).asked == 1
    assert await world.ask(account) == 1
    assert (await world.view(invoice)).invoice.moderation_required
    result = await compare_later(world, account)
    assert (result.kinds, result.closed, result.open) == ({}, 1, 0)
    await proven(world, account)


async def held_and_charged_back(world: World) -> tuple[Account, Invoice, str]:
    """Return a held payment of 50 dollars, 30 of which the payer's bank has taken back, and we know of that."""
    account = await world.account()
    world.wire.fault = Fault.HALVE
    invoice = await world.invoice(account)
    await world.pay(invoice)
    world.wire.fault = None
    payment_id = (await world.view(invoice)).invoice.payment_id or ""
    await world.charge_back(payment_id, "30")
    for asked in (1, 0):
        result = await compare_later(world, account)
        assert (result.kinds, result.asked, result.open) == ({"status": 1}, asked, 1)
        assert await world.ask(account) == 1
    return account, invoice, payment_id


async def test_a_charge_back_of_money_that_is_held_is_a_discrepancy_until_it_is_decided_on(world: World) -> None:
    account, invoice, _ = await held_and_charged_back(world)
    await decide(world.platform, account, invoice.invoice_id, Verdict.REJECTED, by="operator Ann")
    # What the bank has not taken back goes back, and then the charge-back is booked.
    assert [await world.ask(account) for _ in range(2)] == [1, 1]
    (back,) = (await world.view(invoice)).refunds
    assert (back.status, back.amount) == ("refunded", 2_000)
    with pytest.raises(NothingToDecide):
        await send_back(world.platform, account, invoice.invoice_id, by="operator Ann")
    result = await compare_later(world, account)
    assert (result.lines, result.kinds, result.closed, result.open) == (3, {}, 1, 0)
    await proven(world, account)


async def test_one_that_is_not_heard_of_before_the_rest_is_sent_back_leaves_what_a_person_asks_for(
    world: World,
) -> None:
    account, invoice, payment_id = await held_and_charged_back(world)
    await world.charge_back(payment_id, "5")
    await decide(world.platform, account, invoice.invoice_id, Verdict.REJECTED, by="operator Ann")
    # The bank has not as much any more as is asked for: it refuses, and what it still has is asked for by a person.
    assert [await world.ask(account) for _ in range(2)] == [1, 1]
    assert (await world.changes(invoice)).attempts == ["refund_failed"]
    result = await compare_later(world, account)
    assert (result.kinds, result.closed, result.open) == ({}, 1, 0)
    await send_back(world.platform, account, invoice.invoice_id, by="operator Ann")
    assert await world.ask(account) == 2, "for the refusal once more, and for the money to go back"
    assert [(each.status, each.amount) for each in (await world.view(invoice)).refunds] == [
        ("refund_failed", 2_000),
        ("refunded", 1_500),
    ]
    result = await compare_later(world, account)
    assert (result.lines, result.kinds) == (4, {})
    await proven(world, account)


async def test_a_charge_back_of_a_payment_that_is_not_ours_is_told(world: World) -> None:
    account = await world.account()
    lost = f"pay_{account.tag}000000000000"
    await at_bank(world, f"/purchases/{lost}")
    await world.charge_back(lost, "1")
    result = await compare_later(world, account)
    discrepancies: list[Any] = await found(world, account)
    assert (result.kinds, {seen.movement for seen in discrepancies}) == (
        {"missing_here": 2},
        {"purchase", "charge_back"},
    )
