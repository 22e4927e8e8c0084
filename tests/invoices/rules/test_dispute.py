"""Disputes: opened, won, lost; each is booked once, notified once, and undone when it is won."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from kassa.invoices.rules import refund, review, settling
from kassa.invoices.rules.attempt import Payment, PaymentStatus, Unexpected
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.invoices.rules.records import DisputeStatus, RefundStatus
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.ledger.model import LedgerAccount, applied
from kassa.moderation.model import Decision, Verdict
from kassa.providers.protocol import Accepted, Declined, Dispute
from kassa.providers.protocol import DisputeStatus as Told
from tests.support import sessions
from tests.support.disputing import changes, disputed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DEADLINE = NOW + timedelta(days=20)


def invoice(**other: object) -> Invoice:
    return sessions.invoice(
        **{
            "status": Status.PROCESSED,
            "amount": 10_000,
            "payment_amount": 10_000,
            "processed_amount": 10_000,
            "processed_at": NOW,
            "payment_id": sessions.PAYMENT.payment_id,
            **other,
        }
    )


def payment(**other: object) -> Payment:
    return sessions.payment(
        **{
            "status": PaymentStatus.PROCESSED,
            "amount": 10_000,
            "processed_amount": 10_000,
            "processed_currency": "USD",
            **other,
        }
    )


PAID = Snapshot(invoice=invoice(), payment=payment())


def won(amount: int, **other: object) -> Dispute:
    return Dispute(amount=amount, status=Told.WON, **other)  # type: ignore[arg-type]


def lost(amount: int) -> Dispute:
    return Dispute(amount=amount, status=Told.LOST)


def moved(made: list[Change]) -> dict[tuple[str, str], int]:
    """Return what changes did to the books, empty where they undo each other."""
    balances: dict[tuple[LedgerAccount, str], int] = {}
    for change in made:
        for entry in change.entries:
            balances = applied(balances, entry.transfers)
    return {(str(account), currency): minor for (account, currency), minor in balances.items() if minor}


def test_a_dispute_is_opened_booked_charged_for_and_notified_once() -> None:
    opened = Dispute(amount=4_000, reason="fraudulent", external_id="dp_1", deadline=DEADLINE)
    (change,) = changes(PAID, opened, now=NOW, fee=1_500)
    (row,) = change.after.disputes
    assert (row.status, row.reason, row.external_id, row.deadline) == (
        DisputeStatus.OPEN,
        "fraudulent",
        "dp_1",
        DEADLINE,
    )
    assert (change.after.invoice.status, change.notify) == (Status.PARTIALLY_CHARGED_BACK, True)
    assert moved([change]) == {("provider", "USD"): -4_000, ("active", "USD"): -5_500, ("fees", "USD"): 1_500}
    assert changes(change.after, opened, now=NOW + timedelta(days=1), fee=1_500) == []


@pytest.mark.parametrize("together", [False, True])
def test_a_dispute_that_is_won_is_undone_but_for_its_fee(*, together: bool) -> None:
    if together:
        made = changes(PAID, won(4_000), now=NOW, fee=1_500)
    else:
        made = changes(PAID, 4_000, now=NOW, fee=1_500)
        made += changes(made[-1].after, won(4_000), now=NOW + timedelta(days=3), fee=1_500)
    after = made[-1].after
    assert (after.invoice.status, after.charged_back_amount) == (Status.PROCESSED, 0)
    assert (made[-1].event.kind, made[-1].notify) == ("dispute.won", True)
    assert after.disputes[0].closed_at is not None
    assert moved(made) == {("active", "USD"): -1_500, ("fees", "USD"): 1_500}
    assert (
        refund.request(
            after,
            refund_id="ref_1",
            reference_id="r",
            amount=None,
            description=None,
            fee=0,
            by="merchant",
            now=NOW + timedelta(days=4),
        )
        .after.refunds[0]
        .amount
        == 10_000
    )


def test_a_dispute_that_is_lost_stays_booked_and_nothing_is_notified_again() -> None:
    opened = disputed(PAID, 4_000, now=NOW)
    (change,) = changes(opened, lost(4_000), now=NOW + timedelta(days=30))
    assert (change.entries, change.notify, change.event.kind) == ((), False, "dispute.lost")
    assert change.after.invoice.status is Status.PARTIALLY_CHARGED_BACK
    assert change.after.disputes[0].status is DisputeStatus.LOST


def test_of_two_disputes_one_that_is_won_leaves_the_other() -> None:
    both = disputed(PAID, 4_000, 6_000, now=NOW)
    assert both.invoice.status is Status.CHARGED_BACK
    after = disputed(both, won(4_000), 6_000, now=NOW)
    assert (after.invoice.status, after.charged_back_amount) == (Status.PARTIALLY_CHARGED_BACK, 6_000)


def test_the_reserve_gives_first_and_gets_back_what_it_gave() -> None:
    until = NOW + timedelta(days=30)
    reserved = invoice(reserved_amount=1_000, reserve_left=1_000, reserve_expires_at=until, due_at=until)
    before = Snapshot(invoice=reserved, payment=payment())
    opened = disputed(before, 4_000, now=NOW)
    assert (opened.invoice.reserve_left, opened.invoice.due_at) == (0, None)
    in_time = disputed(opened, won(4_000), now=NOW + timedelta(days=1))
    assert (in_time.invoice.reserve_left, in_time.invoice.due_at) == (1_000, until)
    too_late = disputed(opened, won(4_000), now=until)
    assert (too_late.invoice.reserve_left, too_late.invoice.due_at) == (0, None)


def test_a_converted_dispute_is_undone_in_both_currencies() -> None:
    before = Snapshot(
        invoice=invoice(currency="EUR", exchange_rate=Decimal("1.0820"), processed_amount=10_000),
        payment=payment(amount=10_820, processed_amount=10_820),
    )
    made = changes(before, won(5_410), now=NOW)
    assert made[0].after.charged_back_amount == 5_000
    assert moved(made) == {}


def decision(verdict: Verdict) -> Decision:
    return Decision(
        decision_id="dec_1",
        invoice_id=PAID.invoice.invoice_id,
        payment_id=sessions.PAYMENT.payment_id,
        verdict=verdict,
        decided_by="operator Ann",
        note=None,
        decided_at=NOW,
    )


def held() -> Snapshot:
    return Snapshot(
        invoice=invoice(
            status=Status.PROCESS_ERROR, moderation_required=True, processed_amount=None, processed_at=None
        ),
        payment=payment(status=PaymentStatus.PROCESS_ERROR),
    )


def test_what_was_disputed_while_it_was_held_does_not_go_back_when_it_is_rejected() -> None:
    (kept,) = changes(held(), 3_000, now=NOW)
    assert (kept.entries, kept.after.disputes[0].booked) == ((), False)
    rejected = review.reject(kept.after, decision(Verdict.REJECTED), refund_id="ref_1", now=NOW)
    (back,) = rejected.after.refunds
    assert back.amount == 7_000
    # Until its money is back the dispute waits; then it is booked as what was not the merchant's.
    assert changes(rejected.after, 3_000, now=NOW) == []
    sent = Accepted(external_id="b", amount=7_000, currency="USD")
    done = refund.apply(rejected.after, "ref_1", sent, asked=back.status, now=NOW)
    assert done is not None
    assert done.after.refunds[0].status is RefundStatus.REFUNDED
    made = changes(done.after, 3_000, now=NOW, fee=1_500)
    assert [change.event.kind for change in made] == ["dispute.opened"]
    assert made[0].after.disputes[0].fee == 0


def test_what_was_disputed_while_it_was_held_is_the_merchants_loss_when_it_is_approved() -> None:
    kept = disputed(held(), 3_000, now=NOW)
    approved = review.approve(kept, decision(Verdict.APPROVED), now=NOW)
    assert approved.after.payment is not None
    assert approved.after.payment.due_at == NOW
    (booked,) = changes(approved.after, 3_000, now=NOW, fee=1_500)
    assert booked.after.invoice.status is Status.PARTIALLY_CHARGED_BACK
    assert booked.after.charged_back_amount == 3_000


def test_money_that_is_not_the_merchants_costs_nothing_and_flags_the_invoice() -> None:
    late = Snapshot(
        invoice=invoice(status=Status.PROCESS_FAILED, processed_amount=None, processed_at=None),
        payment=payment(unexpected=Unexpected.LATE),
    )
    made = changes(late, 4_000, now=NOW, fee=1_500)
    after = made[-1].after
    assert (after.invoice.status, after.invoice.moderation_required) == (Status.PROCESS_FAILED, True)
    assert moved(made) == {("provider", "USD"): -4_000, ("pending", "USD"): -4_000}
    made += changes(after, won(4_000), now=NOW)
    assert moved(made) == {}


def test_a_deadline_that_moves_is_kept_and_nothing_else_happens() -> None:
    opened = disputed(PAID, Dispute(amount=4_000, deadline=DEADLINE), now=NOW)
    later = DEADLINE + timedelta(days=5)
    (change,) = changes(opened, Dispute(amount=4_000, deadline=later), now=NOW)
    assert (change.after.disputes[0].deadline, change.event.kind) == (later, "dispute.updated")
    undone = disputed(PAID, won(4_000, deadline=DEADLINE), now=NOW)
    (moved_on,) = changes(undone, won(4_000, deadline=later), now=NOW)
    assert (moved_on.event.kind, moved_on.after.invoice.moderation_required) == ("dispute.updated", False)


def test_a_won_dispute_that_is_opened_once_more_is_flagged_for_a_person() -> None:
    undone = disputed(PAID, won(4_000), now=NOW)
    (change,) = changes(undone, 4_000, now=NOW)
    assert (change.event.kind, change.after.invoice.moderation_required) == ("dispute.reopened", True)
    assert change.entries == ()
    assert changes(change.after, 4_000, now=NOW) == []


def test_a_provider_that_takes_back_a_success_flags_the_invoice() -> None:
    denied = Declined(external_id="b", resolution="reversed")
    assert PAID.payment is not None
    change = settling.contradicted(PAID, PAID.payment, denied, now=NOW)
    assert (change.after.invoice.status, change.after.invoice.moderation_required) == (Status.PROCESSED, True)
    assert (change.event.kind, change.event.params["resolution"]) == ("attempt.contradicted", "reversed")
    assert msgspec.structs.replace(change.after, invoice=PAID.invoice).payment == PAID.payment
