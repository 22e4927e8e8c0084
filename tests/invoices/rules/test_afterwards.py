"""What a provider says of money long after it was taken, sent back or disputed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from kassa.errors import Invalid
from kassa.invoices.rules import refund, refundable, settling
from kassa.invoices.rules.attempt import Payment, PaymentStatus, Unexpected
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.invoices.rules.patience import RECHECK_AFTER
from kassa.invoices.rules.records import DisputeStatus, Reason, RefundStatus
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.ledger.model import LedgerAccount, applied
from kassa.providers.protocol import Absent, Accepted, Declined, Dispute, Outcome
from kassa.providers.protocol import DisputeStatus as Reported
from tests.support import sessions
from tests.support.disputing import changes, disputed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
UNTIL = NOW + timedelta(days=30)
SENT = Accepted(external_id="b-1", amount=4_000, currency="USD")
DENIED = Declined(external_id="b-1", resolution="limit_violation")


def invoice(**other: object) -> Invoice:
    paid = {"status": Status.PROCESSED, "processed_amount": 10_000, "processed_at": NOW}
    whole = {"amount": 10_000, "payment_amount": 10_000, "payment_id": sessions.PAYMENT.payment_id}
    return sessions.invoice(**{**paid, **whole, **other})


def payment(**other: object) -> Payment:
    taken = {"status": PaymentStatus.PROCESSED, "processed_amount": 10_000, "processed_currency": "USD"}
    return sessions.payment(**{"amount": 10_000, **taken, **other})


PAID = Snapshot(invoice=invoice(), payment=payment())
RESERVED = Snapshot(
    invoice=invoice(reserved_amount=1_000, reserve_left=1_000, reserve_expires_at=UNTIL, due_at=UNTIL),
    payment=payment(),
)


def begun(before: Snapshot, amount: str = "40") -> Change:
    return refund.request(
        before,
        refund_id="ref_1",
        reference_id="return-1",
        amount=Decimal(amount),
        description=None,
        fee=0,
        by="merchant",
        now=NOW,
    )


def told(made: list[Change], outcome: Outcome, *, now: datetime = NOW) -> list[Change]:
    """Return the changes with the one that a provider's answer about the refund makes."""
    after = made[-1].after
    change = refund.apply(after, "ref_1", outcome, asked=after.refunds[0].status, now=now)
    assert change is not None
    return [*made, change]


def moved(made: list[Change]) -> dict[tuple[LedgerAccount, str], int]:
    """Return what changes did to the books, empty where they undo each other."""
    balances: dict[tuple[LedgerAccount, str], int] = {}
    for change in made:
        for entry in change.entries:
            balances = applied(balances, entry.transfers)
    return {place: minor for place, minor in balances.items() if minor}


@pytest.mark.parametrize("now, left", [(UNTIL - timedelta(seconds=1), 1_000), (UNTIL, 0)])
def test_a_refund_that_came_back_restores_the_reserve_while_its_time_lasts(now: datetime, left: int) -> None:
    made = told([begun(RESERVED)], SENT)
    assert made[-1].after.invoice.reserve_left == 0
    made = told(made, DENIED, now=now)
    after = made[-1].after
    assert (after.invoice.reserve_left, after.invoice.due_at) == (left, UNTIL if left else None)
    assert refundable.left(after) == 10_000
    books = moved(made)
    assert sum(books.values()) == 0
    assert books.get((LedgerAccount.PROVIDER, "USD"), 0) == 0


def test_a_refund_that_succeeded_late_and_came_back_leaves_the_reserve_as_it_was() -> None:
    made = told(told(told([begun(RESERVED)], DENIED), SENT), DENIED)
    assert [change.event.kind for change in made[1:]] == ["refund.failed", "refund.succeeded", "refund.reversed"]
    assert (made[-1].after.invoice.reserve_left, moved(made)) == (1_000, {})


def test_a_declined_refund_is_polled_once_more_and_no_more() -> None:
    after = told([begun(PAID)], DENIED)[-1].after
    assert after.refunds[0].due_at == NOW + RECHECK_AFTER
    again = NOW + RECHECK_AFTER
    failed = RefundStatus.REFUND_FAILED
    # Whoever polls it has claimed it, and a claim moves when it is due.
    claimed = after.with_refund(replace(after.refunds[0], due_at=again + timedelta(minutes=5)))
    assert refund.apply(claimed, "ref_1", DENIED, asked=failed, now=again) is None
    assert refund.reschedule(claimed, "ref_1", DENIED, asked=failed, now=again) is None


def test_the_hundredth_refund_is_made_and_only_what_was_requested_counts() -> None:
    (one,) = begun(PAID, "0.01").after.refunds
    failed = replace(one, status=RefundStatus.REFUND_FAILED)
    most = tuple(replace(failed, refund_id=f"ref_{number}") for number in range(refundable.REFUNDS_MAX))
    ours = replace(failed, refund_id="ref_late", reason=Reason.LATE)
    assert refundable.check_amount(replace(PAID, refunds=(*most[1:], ours)), Decimal(1)) == 100
    with pytest.raises(Invalid):
        refundable.check_amount(replace(PAID, refunds=most), Decimal(1))


def test_a_lost_dispute_that_is_won_after_all_is_booked_back() -> None:
    made = changes(PAID, 4_000, now=NOW)
    made += changes(made[-1].after, Dispute(amount=4_000, status=Reported.LOST), now=NOW)
    made += changes(made[-1].after, Dispute(amount=4_000, status=Reported.WON), now=NOW + timedelta(days=1))
    after = made[-1].after
    assert [change.event.kind for change in made] == ["dispute.opened", "dispute.lost", "dispute.won"]
    assert (after.invoice.status, made[-1].notify, moved(made)) == (Status.PROCESSED, True, {})


def test_a_dispute_that_is_won_while_its_money_is_held_is_never_booked() -> None:
    held = Snapshot(
        invoice=invoice(status=Status.PROCESS_ERROR, moderation_required=True, processed_amount=None),
        payment=payment(status=PaymentStatus.PROCESS_ERROR),
    )
    made = changes(held, 3_000, now=NOW)
    made += changes(made[-1].after, Dispute(amount=3_000, status=Reported.WON), now=NOW)
    (row,) = made[-1].after.disputes
    assert (row.status, row.booked, row.counts) == (DisputeStatus.WON, False, False)
    assert [change.entries for change in made] == [(), ()]


@pytest.mark.parametrize("seconds, unexpected", [(-1, None), (0, Unexpected.LATE)])
def test_a_declined_attempt_that_took_money_is_judged_by_when_the_provider_booked_it(
    seconds: int, unexpected: Unexpected | None
) -> None:
    expired = invoice(status=Status.PROCESS_FAILED, resolution="expired", processed_amount=None, processed_at=None)
    declined = payment(status=PaymentStatus.PROCESS_FAILED, processed_amount=None, processed_currency=None)
    before = Snapshot(invoice=expired, payment=declined)
    booked_at = expired.expires_at + timedelta(seconds=seconds)
    success = Accepted(external_id="b-1", amount=10_000, currency="USD", booked_at=booked_at)
    now = expired.expires_at + timedelta(days=1)
    after = settling.answered(before, declined, success, late_success="refund", now=now)
    change = settling.apply(before, declined, after, hold=None, refund_id="ref_1", decision_id="dec_1", now=now)
    assert change is not None
    assert change.after.payment is not None
    assert change.after.payment.unexpected is unexpected
    assert change.after.invoice.status is (Status.PROCESS_FAILED if unexpected else Status.PROCESSED)
    reasons = [(each.reason, each.amount, each.due_at) for each in change.after.refunds]
    assert reasons == ([(Reason.LATE, 10_000, now)] if unexpected else [])


def test_a_success_that_the_provider_no_longer_knows_is_flagged_and_keeps_its_money() -> None:
    paid = payment(due_at=NOW)
    change = settling.contradicted(replace(PAID, payment=paid), paid, Absent(), now=NOW)
    assert change.event.params["resolution"] == "unknown"
    assert (change.after.invoice.moderation_required, change.after.invoice.processed_amount) == (True, 10_000)
    assert (change.after.payment, change.entries) == (replace(paid, due_at=None), ())


def test_a_refund_that_was_settled_for_less_and_came_back_leaves_the_reserve_as_it_was() -> None:
    made = told([begun(RESERVED)], replace(SENT, amount=3_500))
    wrong = made[-1].after
    assert wrong.payment is not None
    made.append(refund.settle(wrong, wrong.payment, wrong.refunds[0], by="operator Ann", now=NOW))
    made = told(made, DENIED)
    assert (made[-1].after.invoice.reserve_left, moved(made)) == (1_000, {})


def test_a_lost_dispute_that_is_contested_after_all_is_open_and_moves_nothing() -> None:
    lost = disputed(PAID, Dispute(amount=4_000, status=Reported.LOST), now=NOW)
    (change,) = changes(lost, 4_000, now=NOW + timedelta(days=1))
    (row,) = change.after.disputes
    assert (row.status, row.closed_at, change.entries) == (DisputeStatus.OPEN, None, ())
