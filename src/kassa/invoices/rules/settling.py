"""What happens when an invoice is attempted, paid, or not paid in time: the changes that attempts make of it. Pure."""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from kassa.errors import InvoiceNotPayable
from kassa.invoices.rules import attempt, booking, conversion, refund
from kassa.invoices.rules import invoice as invoices
from kassa.invoices.rules.attempt import FAILED, UNDECIDED, Payment, PaymentStatus, Unexpected
from kassa.invoices.rules.invoice import OPEN, REJECTED, Invoice, Status
from kassa.invoices.rules.snapshot import Change, Event, Snapshot
from kassa.moderation.model import Decision, Hold, Verdict
from kassa.providers.protocol import Accepted, Declined, Outcome

_KINDS: Final = {
    PaymentStatus.INVOKED: "attempt.redirected",
    PaymentStatus.PROCESS_PENDING: "attempt.pending",
    PaymentStatus.INVOKE_FAILED: "attempt.declined",
    PaymentStatus.PROCESS_FAILED: "attempt.declined",
    PaymentStatus.PROCESS_ERROR: "review.held",
    PaymentStatus.PROCESSED: "invoice.paid",
}


def begin(snapshot: Snapshot, begun: Invoice, payment: Payment, *, now: datetime) -> Change:
    """Begin an attempt: the provider is about to be asked for the money. ``begun`` is the invoice with it.

    Raises ``InvoiceNotPayable`` while another attempt is in progress (P1).
    """
    if snapshot.payment is not None and snapshot.payment.live:
        raise InvoiceNotPayable("An attempt is in progress.")
    return Change(
        before=snapshot,
        after=replace(snapshot, invoice=begun).with_payment(payment),
        at=now,
        event=_event("attempt.started", payment, by="payer"),
    )


def unexpected(invoice: Invoice, outcome: Outcome, *, late_success: str) -> Unexpected | None:
    """Return why the money of a success that comes now has to go back, or None where it is the merchant's (P1).

    A provider that says when it took the money decides by that whether the payer was in time.
    """
    if invoice.payment_flow == "verify" or invoice.status in OPEN:
        return None
    if invoice.resolution == REJECTED:
        return Unexpected.REJECTED
    if invoice.status is not Status.PROCESS_FAILED:
        return Unexpected.DUPLICATE
    in_time = isinstance(outcome, Accepted) and outcome.booked_at is not None and outcome.booked_at < invoice.expires_at
    return Unexpected.LATE if late_success == "refund" and not in_time else None


def answered(snapshot: Snapshot, payment: Payment, outcome: Outcome, *, late_success: str, now: datetime) -> Payment:
    """Return an attempt as it is after a provider's answer, before any rule holds it."""
    if payment.status not in UNDECIDED | FAILED:
        return payment
    if isinstance(outcome, Accepted) and snapshot.invoice.status is Status.VERIFIED:
        # Verified twice: nothing was taken, so there is nothing to keep.
        outcome = Declined(external_id=outcome.external_id, resolution="duplicated_transaction")
    reason = unexpected(snapshot.invoice, outcome, late_success=late_success)
    return attempt.apply(payment, outcome, unexpected=reason, now=now)


def apply(
    snapshot: Snapshot,
    current: Payment,
    after: Payment,
    *,
    hold: Hold | None,
    refund_id: str,
    decision_id: str,
    now: datetime,
) -> Change | None:
    """Apply what a provider's answer has made of an attempt, ``current`` until now; None where nothing is new.

    ``hold``: why one of the account's rules holds a success. ``refund_id`` and ``decision_id`` are taken where a refund
    or a hold has to be written. An attempt that has ended stays as it is, but for one that was given up and turns out
    to have taken money: that is booked, or goes back (P1, P2).
    """
    if replace(after, due_at=current.due_at, polls=current.polls) == current:
        return None
    held = hold is not None and after.status is PaymentStatus.PROCESSED and after.unexpected is None
    if held and hold is not None:
        after = attempt.hold(after, resolution=hold.resolution)
    invoice = follow(snapshot.invoice, current, after, now=now)
    moved = replace(snapshot, invoice=invoice).with_payment(after)
    entries = booking.taken(invoice, after) if after.status in attempt.TAKEN else ()
    if after.unexpected is not None:
        moved = moved.with_refund(refund.unexpected(moved, after, refund_id=refund_id, now=now))
    return Change(
        before=snapshot,
        after=moved,
        at=now,
        event=_event(_kind(snapshot.invoice, invoice, current, after), after, by="provider"),
        entries=entries,
        review=_held(after, hold, decision_id, now) if held and hold is not None else None,
    )


def follow(invoice: Invoice, before: Payment, payment: Payment, *, now: datetime) -> Invoice:
    """Return what an attempt's new state makes of its invoice. Only the card page can offer another attempt."""
    retries = invoice.attempts_left > 0 and invoice.session_id is not None
    match payment.status:
        case status if status is before.status:
            return invoices.touch(invoice, now=now)
        case PaymentStatus.PROCESSED if payment.unexpected is not None:
            return invoices.touch(invoice, now=now)
        case PaymentStatus.PROCESSED:
            amount, _ = conversion.taken(invoice, payment)
            return invoices.succeed(invoice, amount=amount, payment_id=payment.payment_id, now=now)
        case PaymentStatus.PROCESS_ERROR:
            return invoices.hold(invoice, resolution=payment.resolution, payment_id=payment.payment_id, now=now)
        case PaymentStatus.PROCESS_FAILED | PaymentStatus.INVOKE_FAILED if invoice.status in OPEN and not retries:
            if now >= invoice.expires_at:
                return invoices.expire(invoice, now=now)
            return invoices.fail(invoice, resolution=payment.resolution, now=now)
        case PaymentStatus.INVOKED | PaymentStatus.PROCESS_PENDING if invoice.status is Status.CREATED:
            return invoices.offer(invoice, now=now)
        case _:
            return invoices.touch(invoice, now=now)


def expire(snapshot: Snapshot, *, now: datetime) -> Change | None:
    """End an invoice whose time is over; None where it has ended already, or still has time.

    An attempt in progress is still polled, for a late success (P2).
    """
    invoice = snapshot.invoice
    if invoice.status not in OPEN or now < invoice.expires_at:
        return None
    return Change(
        before=snapshot,
        after=replace(snapshot, invoice=invoices.expire(invoice, now=now)),
        at=now,
        event=Event(kind="invoice.expired", by="kassa"),
    )


def contradicted(snapshot: Snapshot, payment: Payment, outcome: Outcome, *, now: datetime) -> Change:
    """Flag an invoice whose provider says now that it has not taken the money that it said it had."""
    said = outcome.resolution if isinstance(outcome, Declined) else "unknown"
    params: dict[str, str | int | None] = {"payment_id": payment.payment_id, "resolution": said}
    return Change(
        before=snapshot,
        after=replace(snapshot, invoice=invoices.flag(snapshot.invoice, now=now)).with_payment(
            replace(payment, due_at=None)
        ),
        at=now,
        event=Event(kind="attempt.contradicted", by="provider", params=params),
    )


def _kind(before: Invoice, invoice: Invoice, current: Payment, payment: Payment) -> str:
    if payment.unexpected is not None:
        return "attempt.unexpected"
    if payment.status is current.status:
        return "attempt.redirected" if payment.action and not current.action else "attempt.pending"
    if invoice.status is Status.VERIFIED:
        return "invoice.verified"
    if payment.status in FAILED and invoice.status is not before.status:
        return "invoice.expired" if invoice.resolution == "expired" else "invoice.failed"
    return _KINDS[payment.status]


def _held(payment: Payment, hold: Hold, decision_id: str, now: datetime) -> Decision:
    return Decision(
        decision_id=decision_id,
        invoice_id=payment.invoice_id,
        payment_id=payment.payment_id,
        verdict=Verdict.HELD,
        decided_by=", ".join(hold.rule_ids),
        note=hold.reason,
        decided_at=now,
    )


def _event(kind: str, payment: Payment, *, by: str) -> Event:
    params: dict[str, str | int | None] = {
        "payment_id": payment.payment_id,
        "attempt": payment.attempt_number,
        "provider": payment.provider,
        "status": payment.status,
        "resolution": payment.resolution,
        "amount": payment.amount if payment.processed_amount is None else payment.processed_amount,
        "currency": payment.processed_currency or payment.currency,
        "external_id": payment.external_id,
        "unexpected": payment.unexpected,
    }
    return Event(kind=kind, by=by, params={name: value for name, value in params.items() if value is not None})
