"""What happens when an invoice is reviewed: a person approves or rejects it, sends money back again, or settles it.

Pure. Each decision is kept beside the change, for ever, with who took it and why.
"""

from datetime import datetime

from msgspec.structs import replace

from kassa.errors import NotApprovable, NothingToDecide
from kassa.invoices.rules import attempt, booking, conversion, invoice, refund
from kassa.invoices.rules.attempt import Payment, PaymentStatus, Unexpected
from kassa.invoices.rules.invoice import REJECTED, Invoice, Status
from kassa.invoices.rules.records import Refund, RefundStatus
from kassa.invoices.rules.snapshot import Change, Event, Snapshot
from kassa.ledger.model import Entry
from kassa.moderation.model import Decision, Verdict


def approve(snapshot: Snapshot, decision: Decision, *, now: datetime) -> Change:
    """Return the change that pays a held invoice: in part, if less was taken than was asked for.

    Raises ``NothingToDecide`` when it is not held, ``NotApprovable`` when another currency was taken than asked for:
    what of the invoice that has paid cannot be known.
    """
    held = _held(snapshot)
    if held.processed_currency != snapshot.invoice.service_currency:
        raise NotApprovable
    amount, _ = conversion.taken(snapshot.invoice, held)
    paid = invoice.succeed(reviewed(snapshot.invoice), amount=amount, payment_id=held.payment_id, now=now)
    # What was disputed meanwhile is booked by the next poll.
    payment = replace(attempt.move(held, PaymentStatus.PROCESSED, "ok", now=now), due_at=now)
    entries = booking.approved(paid, payment)
    return _change(snapshot, _flagged(snapshot, paid, now), payment, decision, entries=entries, now=now)


def reject(snapshot: Snapshot, decision: Decision, *, refund_id: str, now: datetime) -> Change:
    """Return the change that gives a held invoice up and sends its money back.

    Raises ``NothingToDecide`` when it is not held.
    """
    held = _held(snapshot)
    failed = invoice.fail(reviewed(snapshot.invoice), resolution=REJECTED, now=now)
    failed = _flagged(snapshot, failed, now)
    if not held.processed_amount:
        return _change(
            snapshot, failed, attempt.move(held, PaymentStatus.PROCESS_FAILED, REJECTED, now=now), decision, now=now
        )
    payment = replace(attempt.move(held, PaymentStatus.PROCESSED, REJECTED, now=now), unexpected=Unexpected.REJECTED)
    change = _change(snapshot, failed, payment, decision, now=now)
    if snapshot.returnable(payment) == 0:  # The payer's bank has taken all of it back already.
        due = change.after.with_payment(replace(payment, due_at=now))
        return replace(change, after=due)
    back = refund.unexpected(change.after, payment, refund_id=refund_id, now=now)
    return replace(change, after=change.after.with_refund(back))


def send_again(
    snapshot: Snapshot, payment: Payment, decision: Decision, *, refund_id: str, flagged: bool, now: datetime
) -> Change:
    """Return the change that sends an attempt's money back once more, under another id.

    ``flagged``: the invoice waits on, for other money. Raises ``NothingToDecide`` where no provider has refused, or
    where it is on its way already.
    """
    check_flagged(snapshot)
    failed = snapshot.gone_back(payment)
    if failed is None or failed.status is not RefundStatus.REFUND_FAILED or not snapshot.returnable(payment):
        raise NothingToDecide
    after = replace(invoice.touch(snapshot.invoice, now=now), moderation_required=flagged)
    change = _change(snapshot, after, payment, decision, now=now)
    again = refund.unexpected(snapshot, payment, refund_id=refund_id, now=now)
    return replace(change, after=change.after.with_refund(again))


def settle(snapshot: Snapshot, decision: Decision, *, flagged: bool, now: datetime) -> Change:
    """Return the change that notes that what an invoice was flagged for was put right elsewhere.

    ``flagged``: the invoice waits on, for other money. Raises ``NothingToDecide`` where it is not flagged, and for a
    held one, which is approved or rejected. What went back in another amount or currency than asked is booked before,
    by ``refund.settle``.
    """
    check_flagged(snapshot)
    after = replace(invoice.touch(snapshot.invoice, now=now), moderation_required=flagged)
    return Change(
        before=snapshot,
        after=replace(snapshot, invoice=after),
        at=now,
        event=_event(decision),
        review=decision,
    )


def check_flagged(snapshot: Snapshot) -> None:
    """Raise ``NothingToDecide`` unless an invoice is flagged for something else than to be approved or rejected."""
    if not snapshot.invoice.moderation_required or snapshot.invoice.status is Status.PROCESS_ERROR:
        raise NothingToDecide


def stuck(snapshot: Snapshot, decisions: list[Decision]) -> list[Refund]:
    """Return the refunds of money that is not the merchant's that have not gone as they should, and are not settled.

    Of several for one payment the latest counts.
    """
    settled = {each.payment_id for each in decisions if each.verdict is Verdict.SETTLED}
    latest = {each.payment_id: each for each in snapshot.refunds if not each.requested}
    wrong = {RefundStatus.REFUND_FAILED, RefundStatus.REFUND_ERROR}
    return [each for each in latest.values() if each.status in wrong and each.payment_id not in settled]


def reviewed(held: Invoice) -> Invoice:
    """Return the invoice no longer flagged for review."""
    return replace(held, moderation_required=False)


def _held(snapshot: Snapshot) -> Payment:
    payment = snapshot.payment
    if payment is None or (snapshot.invoice.status, payment.status) != (
        Status.PROCESS_ERROR,
        PaymentStatus.PROCESS_ERROR,
    ):
        raise NothingToDecide
    return payment


def _flagged(snapshot: Snapshot, after: Invoice, now: datetime) -> Invoice:
    """Return the invoice flagged still where money of another attempt has not gone back as it should."""
    wrong = {RefundStatus.REFUND_FAILED, RefundStatus.REFUND_ERROR}
    latest = {each.payment_id: each for each in snapshot.refunds if not each.requested}
    return invoice.flag(after, now=now) if any(each.status in wrong for each in latest.values()) else after


def _change(
    snapshot: Snapshot,
    after: Invoice,
    payment: Payment,
    decision: Decision,
    *,
    entries: tuple[Entry, ...] = (),
    now: datetime,
) -> Change:
    moved = replace(snapshot, invoice=after).with_payment(payment)
    return Change(before=snapshot, after=moved, at=now, event=_event(decision), entries=entries, review=decision)


def _event(decision: Decision) -> Event:
    return Event(
        kind=f"review.{decision.verdict}",
        by=decision.decided_by,
        params={"payment_id": decision.payment_id, "note": decision.note},
    )
