"""What a provider's answers make of a refund."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from kassa.errors import Invalid, TransitionRefused
from kassa.invoices.rules import refund as model
from kassa.invoices.rules import refundable
from kassa.invoices.rules.attempt import PaymentStatus, Unexpected
from kassa.invoices.rules.invoice import Status
from kassa.invoices.rules.patience import ABSENT_AFTER, RECHECK_AFTER
from kassa.invoices.rules.records import REFUND_TRANSITIONS, Reason, Refund, RefundStatus
from kassa.invoices.rules.snapshot import Snapshot
from kassa.ledger.model import LedgerAccount, applied
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending, Redirect
from tests.support import sessions

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCEPTED = Accepted(external_id="bank-1", amount=4_000, currency="USD")
DECLINED = Declined(external_id="bank-1", resolution="limit_violation")
REDIRECT = Redirect(external_id="bank-1", action="https://bank.example", method="GET", params={})


PAID = sessions.invoice(
    status=Status.PROCESSED, amount=10_000, payment_amount=10_000, processed_amount=10_000, processed_at=NOW
)
PAYMENT = sessions.payment(
    status=PaymentStatus.PROCESSED, amount=10_000, processed_amount=10_000, processed_currency="USD"
)


def refund(status: RefundStatus = RefundStatus.REFUND_PENDING, **changes: object) -> Refund:
    begun = Refund(
        account_id="coma_Acct000000000000",
        refund_id="ref_Acct000000000000",
        invoice_id="cpi_Acct000000000000",
        payment_id="pay_Acct000000000000",
        test_mode=True,
        reference_id="return-1",
        amount=4_000,
        currency="USD",
        provider_amount=4_000,
        provider_currency="USD",
        fee=50,
        status=status,
        created_at=NOW,
        updated_at=NOW,
        due_at=NOW + timedelta(seconds=25),
    )
    return msgspec.structs.replace(begun, **changes)


def answered(before: Refund, outcome: Outcome, *, now: datetime) -> Refund:
    return model.answered(before, outcome, asked=before.status, now=now)


def test_every_status_has_its_place_in_the_table() -> None:
    assert set(REFUND_TRANSITIONS) == set(RefundStatus)


@pytest.mark.parametrize(
    "outcome, status, resolution",
    [
        (ACCEPTED, RefundStatus.REFUNDED, "ok"),
        (DECLINED, RefundStatus.REFUND_FAILED, "limit_violation"),
        (msgspec.structs.replace(ACCEPTED, amount=3_999), RefundStatus.REFUND_ERROR, "invalid_amount"),
        (msgspec.structs.replace(ACCEPTED, currency="EUR"), RefundStatus.REFUND_ERROR, "invalid_amount"),
    ],
)
def test_an_answer_ends_it(outcome: Outcome, status: RefundStatus, resolution: str) -> None:
    later = NOW + timedelta(seconds=1)
    after = answered(refund(), outcome, now=later)
    # A refusal may have been a success, so it is polled once more.
    due_at = later + RECHECK_AFTER if status is RefundStatus.REFUND_FAILED else None
    expected = refund(status, resolution=resolution, external_id="bank-1", updated_at=later, due_at=due_at)
    if status is RefundStatus.REFUND_ERROR and isinstance(outcome, Accepted):
        back = {"returned_amount": outcome.amount, "returned_currency": outcome.currency}
        expected = msgspec.structs.replace(expected, **back)
    assert after == expected


def test_another_amount_counts_as_it_was_asked_for_until_it_is_settled() -> None:
    less = msgspec.structs.replace(ACCEPTED, amount=3_900)
    wrong = answered(refund(), less, now=NOW)
    assert (refundable.claimed([wrong]), refundable.claimed_at_provider([wrong])) == (4_000, 4_000)
    assert refundable.sent_back([wrong]) == 0
    assert answered(wrong, ACCEPTED, now=NOW) == wrong
    refunding = msgspec.structs.replace(PAID, status=Status.REFUND_ERROR)
    before = Snapshot(invoice=refunding, payment=PAYMENT, refunds=(wrong,))
    (done,) = model.settle(before, PAYMENT, wrong, by="operator Ann", now=NOW).after.refunds
    assert (done.status, done.resolution, done.at_provider) == (RefundStatus.REFUNDED, "ok", (3_900, "USD"))
    assert (refundable.claimed([done]), refundable.claimed_at_provider([done])) == (3_900, 3_900)
    assert refundable.sent_back([done]) == 3_900


@pytest.mark.parametrize("status", sorted(set(RefundStatus) - {RefundStatus.REFUND_ERROR}))
def test_nothing_else_is_settled(status: RefundStatus) -> None:
    before = Snapshot(invoice=PAID, payment=PAYMENT, refunds=(refund(status),))
    with pytest.raises(TransitionRefused):
        model.settle(before, PAYMENT, refund(status), by="operator Ann", now=NOW)


@pytest.mark.parametrize("outcome", [Pending(), Absent(), REDIRECT])
def test_what_says_nothing_leaves_it_waiting_ever_longer(outcome: Outcome) -> None:
    delays = [answered(refund(polls=polls), outcome, now=NOW).due_at for polls in (0, 1, 2, 30)]
    assert delays == [NOW + timedelta(seconds=seconds) for seconds in (2, 4, 8, 300)]


def test_never_heard_of_it_is_believed_when_nothing_can_be_on_its_way_any_more() -> None:
    early, late = NOW + ABSENT_AFTER - timedelta(seconds=1), NOW + ABSENT_AFTER
    assert answered(refund(), Absent(), now=early).pending
    failed = answered(refund(), Absent(), now=late)
    assert (failed.status, failed.resolution, failed.due_at) == (
        RefundStatus.REFUND_FAILED,
        "provider_error",
        late + RECHECK_AFTER,
    )
    assert answered(refund(external_id="bank-1"), Absent(), now=late).pending


def test_one_that_failed_hears_of_nothing_but_a_success() -> None:
    failed = refund(RefundStatus.REFUND_FAILED, resolution="provider_error", due_at=None)
    assert answered(failed, ACCEPTED, now=NOW).status is RefundStatus.REFUNDED
    for outcome in (DECLINED, Absent(), REDIRECT):
        assert answered(failed, outcome, now=NOW) == msgspec.structs.replace(failed, due_at=NOW + RECHECK_AFTER)
        over = NOW + RECHECK_AFTER
        assert answered(failed, outcome, now=over) == msgspec.structs.replace(failed, due_at=None)
    assert answered(failed, Pending(), now=NOW) == msgspec.structs.replace(failed, due_at=NOW + timedelta(seconds=2))


@pytest.mark.parametrize("status", [RefundStatus.REFUNDED, RefundStatus.REFUND_ERROR])
@pytest.mark.parametrize("outcome", [ACCEPTED, DECLINED, Absent(), Pending(), REDIRECT])
def test_one_that_has_ended_stays_as_it_is_unless_it_comes_back(status: RefundStatus, outcome: Outcome) -> None:
    ended = refund(status, due_at=None)
    later = NOW + timedelta(days=1)
    after = answered(ended, outcome, now=later)
    if (status, outcome) != (RefundStatus.REFUNDED, DECLINED):
        assert after == ended
        return
    assert (after.status, after.resolution, after.reversed_at) == (RefundStatus.REFUND_FAILED, "limit_violation", later)
    for again in (ACCEPTED, DECLINED, Pending()):
        assert answered(after, again, now=later) == after


def test_an_older_refusal_takes_back_no_success() -> None:
    done = refund(RefundStatus.REFUNDED, due_at=None)
    assert model.answered(done, DECLINED, asked=RefundStatus.REFUND_PENDING, now=NOW) == done


def test_what_came_back_can_be_refunded_again_and_its_fee_is_given_back() -> None:
    done = refund(RefundStatus.REFUNDED, due_at=None)
    before = Snapshot(
        invoice=msgspec.structs.replace(PAID, status=Status.PARTIALLY_REFUNDED), payment=PAYMENT, refunds=(done,)
    )
    assert refundable.left(before) == 6_000
    change = model.apply(before, done.refund_id, DECLINED, asked=RefundStatus.REFUNDED, now=NOW)
    assert change is not None
    assert (change.after.invoice.status, refundable.left(change.after)) == (Status.REFUND_FAILED, 10_000)
    assert (change.event.kind, change.status_changed) == ("refund.reversed", True)
    (entry,) = change.entries
    moved = {(each.debit, each.credit): each.amount for each in entry.transfers}
    assert moved == {("provider", "active"): 4_000, ("fees", "active"): 50}


def test_unexpected_money_that_came_back_waits_and_is_flagged() -> None:
    late = refund(RefundStatus.REFUNDED, reason=Reason.LATE, reference_id=None, fee=0, due_at=None)
    payment = msgspec.structs.replace(PAYMENT, unexpected=Unexpected.LATE)
    failed = msgspec.structs.replace(PAID, status=Status.PROCESS_FAILED, processed_amount=None)
    before = Snapshot(invoice=failed, payment=payment, refunds=(late,))
    change = model.apply(before, late.refund_id, DECLINED, asked=RefundStatus.REFUNDED, now=NOW)
    assert change is not None
    assert (change.after.invoice.status, change.after.invoice.moderation_required) == (Status.PROCESS_FAILED, True)
    (entry,) = change.entries
    balances = applied({}, entry.transfers)
    assert (balances[LedgerAccount.PENDING, "USD"], balances.get((LedgerAccount.ACTIVE, "USD"), 0)) == (4_000, 0)


def test_an_invoice_has_a_hundred_refunds_at_most() -> None:
    many = tuple(refund(RefundStatus.REFUNDED, refund_id=f"ref_{n}", amount=1) for n in range(refundable.REFUNDS_MAX))
    with pytest.raises(Invalid) as refused:
        refundable.check_amount(Snapshot(invoice=PAID, payment=PAYMENT, refunds=many), Decimal(1))
    assert refused.value.errors == {"amount": "This invoice has been refunded 100 times already."}


def test_what_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(TransitionRefused):
        model._move(refund(RefundStatus.REFUNDED), RefundStatus.REFUND_ERROR, "ok", now=NOW)


def test_all_but_those_that_failed_are_counted_as_gone_or_going() -> None:
    refunds = [refund(status) for status in RefundStatus]
    assert (refundable.claimed(refunds), refundable.sent_back(refunds)) == (12_000, 4_000)
