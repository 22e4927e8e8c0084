"""What happens when an invoice is refunded: how it begins, and what a provider's answer about it changes. Pure.

    (request) ──> refund_pending ──┬──> refunded ──> refund_failed     the payer's bank could not deliver it
                                   ├──> refund_error ──> refunded      another amount: settled in review
                                   └──> refund_failed ──> refunded | refund_error      a success that is reported late

The provider is never asked for the same money twice: the worker polls, at ``due_at``. How much: ``refundable``.

Refunds that no merchant asked for send back money that never was the merchant's: they change no status of the invoice.
See contract#private-api, contract#statuses.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from kassa.errors import Invalid, Message, TransitionRefused
from kassa.invoices.rules import booking
from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.invoices.rules.invoice import Invoice, Status, flag, go_back, touch
from kassa.invoices.rules.patience import (
    ABSENT_AFTER,
    CLOCKS_APART,
    POLL_AFTER_BEGIN,
    RECHECK_AFTER,
    poll_delay,
    recheck_at,
)
from kassa.invoices.rules.records import REFUND_TRANSITIONS, Reason, Refund, RefundStatus
from kassa.invoices.rules.refundable import came_to, check_amount, ended_status, exceeds, provider_amount
from kassa.invoices.rules.reserve import restore, use
from kassa.invoices.rules.snapshot import Change, Event, Snapshot
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending

_KINDS: Final = {
    RefundStatus.REFUND_PENDING: "refund.pending",
    RefundStatus.REFUNDED: "refund.succeeded",
    RefundStatus.REFUND_FAILED: "refund.failed",
    RefundStatus.REFUND_ERROR: "refund.mismatched",
}


def request(
    snapshot: Snapshot,
    *,
    refund_id: str,
    reference_id: str,
    amount: Decimal | None,
    description: str | None,
    fee: int,
    by: str,
    now: datetime,
) -> Change:
    """Begin a refund that the merchant asks for: its money is held, and the provider is about to be asked.

    ``fee``: minor units of the invoice's currency. Raises ``Invalid`` where the invoice has not as much.
    """
    minor = check_amount(snapshot, amount)
    payment = _paid(snapshot)
    invoice, there = snapshot.invoice, provider_amount(snapshot, payment, minor)
    after, reserve = use(go_back(invoice, Status.REFUNDING, resolution="ok", now=now), minor)
    refund = replace(
        _new(payment, refund_id, (minor, invoice.currency), (there, invoice.service_currency), now=now),
        reference_id=reference_id,
        fee=fee,
        reserve=reserve,
        description=description,
        due_at=now + POLL_AFTER_BEGIN,
    )
    return Change(
        before=snapshot,
        after=replace(snapshot, invoice=after).with_refund(refund),
        at=now,
        event=_event("refund.started", refund, by=by),
        entries=booking.refund_started(refund),
    )


def _paid(snapshot: Snapshot) -> Payment:
    payment = snapshot.payment
    if payment is None or payment.status is not PaymentStatus.PROCESSED:
        raise Invalid({"amount": Message("There is nothing to refund.")})
    return payment


def unexpected(snapshot: Snapshot, payment: Payment, *, refund_id: str, now: datetime) -> Refund:
    """Return the refund of an attempt whose whole money has to go back, due to be asked for at once."""
    if payment.unexpected is None or payment.processed_currency is None:
        raise TransitionRefused("This money is the merchant's.")
    amount = (snapshot.returnable(payment), payment.processed_currency)
    return replace(_new(payment, refund_id, amount, amount, now=now), reason=Reason(payment.unexpected))


def _new(payment: Payment, refund_id: str, amount: tuple[int, str], there: tuple[int, str], *, now: datetime) -> Refund:
    """Return a refund of an amount, and of what that is at the provider, each with its currency."""
    return Refund(
        account_id=payment.account_id,
        refund_id=refund_id,
        invoice_id=payment.invoice_id,
        payment_id=payment.payment_id,
        test_mode=payment.test_mode,
        amount=amount[0],
        currency=amount[1],
        provider_amount=there[0],
        provider_currency=there[1],
        created_at=now,
        updated_at=now,
        due_at=now,
    )


def apply(snapshot: Snapshot, refund_id: str, outcome: Outcome, *, asked: RefundStatus, now: datetime) -> Change | None:
    """Apply what a provider answered about a refund that was ``asked`` when it was asked. Answers come in any order.

    None: nothing is new but, perhaps, when the provider is polled next (``reschedule``). A refund that was given up and
    has gone back all the same is booked, and flagged if that makes more than was taken (P2).
    """
    current = snapshot.refund(refund_id)
    if current is None:
        raise TransitionRefused("The invoice has no such refund.")
    refund = answered(current, outcome, asked=asked, now=now)
    starts_waiting = refund.requested and refund.pending and snapshot.invoice.status is Status.REFUNDING
    if refund.status is current.status and refund.external_id == current.external_id and not starts_waiting:
        return None
    return follow(snapshot, current, refund, by="provider", now=now)


def reschedule(
    snapshot: Snapshot, refund_id: str, outcome: Outcome, *, asked: RefundStatus, now: datetime
) -> datetime | None:
    """Return when the provider is polled next about a refund that an answer has not changed."""
    current = snapshot.refund(refund_id)
    return None if current is None else answered(current, outcome, asked=asked, now=now).due_at


def answered(refund: Refund, outcome: Outcome, *, asked: RefundStatus, now: datetime) -> Refund:
    """Return a refund as it is after a provider's answer to ``refund`` or ``status``.

    ``asked``: its status when the provider was asked. One that has failed follows nothing but a success; one that is
    done a failure alone, once, and no answer to a question that was asked before it was done.
    """
    if refund.status is RefundStatus.REFUND_ERROR or refund.reversed_at is not None:
        return replace(refund, due_at=None)
    if refund.status is RefundStatus.REFUNDED:
        return _answered_again(refund, outcome, asked=asked, now=now)
    match outcome:
        case Accepted():
            return _accepted(refund, outcome, now=now)
        case Pending():
            return _wait(refund, outcome.external_id, now=now)
        case _ if not refund.pending:
            return replace(refund, due_at=_woken(refund, now) or recheck_at(refund.updated_at, now=now))
        case Declined():
            failed = _move(refund, RefundStatus.REFUND_FAILED, outcome.resolution, now=now)
            return replace(
                failed,
                external_id=outcome.external_id or refund.external_id,
                due_at=_woken(refund, now) or now + RECHECK_AFTER,
            )
        case Absent() if refund.external_id is None and now >= refund.created_at + ABSENT_AFTER:
            return replace(
                _move(refund, RefundStatus.REFUND_FAILED, "provider_error", now=now), due_at=now + RECHECK_AFTER
            )
        case _:
            return _wait(refund, None, now=now)


def _answered_again(refund: Refund, outcome: Outcome, *, asked: RefundStatus, now: datetime) -> Refund:
    """Return a refund that is done as it is after another answer. Silence answers no poll that something has woken."""
    match outcome:
        case Declined() if asked is RefundStatus.REFUNDED:
            return replace(_move(refund, RefundStatus.REFUND_FAILED, outcome.resolution, now=now), reversed_at=now)
        case Pending() if refund.due_at is not None:
            return _wait(refund, None, now=now)
        case _:
            return replace(refund, due_at=_woken(refund, now))


def _accepted(refund: Refund, outcome: Accepted, *, now: datetime) -> Refund:
    if (outcome.amount, outcome.currency) == (refund.provider_amount, refund.provider_currency):
        return replace(_move(refund, RefundStatus.REFUNDED, "ok", now=now), external_id=outcome.external_id)
    return replace(
        _move(refund, RefundStatus.REFUND_ERROR, "invalid_amount", now=now),
        external_id=outcome.external_id,
        returned_amount=outcome.amount,
        returned_currency=outcome.currency,
    )


def settle(snapshot: Snapshot, payment: Payment, refund: Refund, *, by: str, now: datetime) -> Change:
    """Book a refund of another amount or currency than asked for as it was really sent, once a person has said so.

    Raises ``TransitionRefused`` for any other refund.
    """
    if refund.status is not RefundStatus.REFUND_ERROR:
        raise TransitionRefused("The refund has gone back as it was asked for.")
    amount = came_to(snapshot, payment, refund) if refund.requested else refund.amount
    done = replace(_move(refund, RefundStatus.REFUNDED, "ok", now=now), settled_amount=amount)
    return follow(snapshot, refund, done, by=by, now=now)


def follow(snapshot: Snapshot, was: Refund, refund: Refund, *, by: str, now: datetime) -> Change:
    """Return the change of an invoice that the new state of one of its refunds makes."""
    with_it = snapshot.with_refund(refund)
    if refund.requested:
        invoice, refund, reserve = _requested(with_it, was, refund, now=now)
    else:
        wrong = refund.status in {RefundStatus.REFUND_FAILED, RefundStatus.REFUND_ERROR} - {was.status}
        invoice, reserve = flag(snapshot.invoice, now=now) if wrong else touch(snapshot.invoice, now=now), 0
        with_it = _disputes_due(with_it, refund, now=now)
    after = replace(with_it, invoice=invoice).with_refund(refund)
    kind = "refund.reversed" if refund.reversed_at is not None else _KINDS[refund.status]
    return Change(
        before=snapshot,
        after=after,
        at=now,
        event=_event(kind, refund, by=by),
        entries=booking.refund_ended(refund, was=was.status, reserve=reserve),
    )


def _disputes_due(snapshot: Snapshot, refund: Refund, *, now: datetime) -> Snapshot:
    """Let the payment be polled once the money has gone back, or would not: the bank may have taken it."""
    payment = snapshot.attempt(refund.payment_id)
    if payment is None or refund.pending:
        return snapshot
    return snapshot.with_payment(replace(payment, due_at=now))


def _requested(snapshot: Snapshot, was: Refund, refund: Refund, *, now: datetime) -> tuple[Invoice, Refund, int]:
    """Return the invoice, the refund and what moves into the reserve or out of it.

    While other refunds are pending the invoice waits with them, and the last to end gives the status.
    """
    invoice = snapshot.invoice
    if not any(each.pending for each in snapshot.requested):
        status = ended_status(snapshot)
    elif refund.pending and invoice.status is Status.REFUNDING:
        status = Status.REFUND_PENDING
    else:
        status = invoice.status
    wrong = refund.status is RefundStatus.REFUND_ERROR or exceeds(snapshot)
    moved = go_back(invoice, status, resolution=refund.resolution, now=now)
    moved = replace(moved, moderation_required=invoice.moderation_required or wrong)
    moved, reserve = _reserve_moved(moved, refund, was=was.status, now=now)
    if was.status is RefundStatus.REFUND_FAILED:
        refund = replace(refund, reserve=reserve)
    elif was.status is RefundStatus.REFUND_ERROR:
        refund = replace(refund, reserve=refund.reserve + reserve)
    return moved, refund, reserve


def _reserve_moved(invoice: Invoice, refund: Refund, *, was: RefundStatus, now: datetime) -> tuple[Invoice, int]:
    """Return the invoice with its reserve as a refund's new status leaves it, and how much moved into it or out of it.

    What a refund that failed had used is held again; one that the provider reports late uses it anew. One that is
    settled uses it for what more went back than asked, and restores what less did: that is less than nothing.
    """
    match was, refund.status:
        case (RefundStatus.REFUND_PENDING | RefundStatus.REFUNDED, RefundStatus.REFUND_FAILED):
            return restore(invoice, refund.reserve, now=now)
        case (RefundStatus.REFUND_FAILED, RefundStatus.REFUNDED | RefundStatus.REFUND_ERROR):
            return use(invoice, refund.amount)
        case (RefundStatus.REFUND_ERROR, RefundStatus.REFUNDED) if refund.counted > refund.amount:
            return use(invoice, refund.counted - refund.amount)
        case (RefundStatus.REFUND_ERROR, RefundStatus.REFUNDED):
            after, held = restore(invoice, min(refund.amount - refund.counted, refund.reserve), now=now)
            return after, -held
        case _:
            return invoice, 0


def _move(refund: Refund, status: RefundStatus, resolution: str, *, now: datetime) -> Refund:
    if status not in REFUND_TRANSITIONS[refund.status]:
        raise TransitionRefused(f"A refund does not go from {refund.status} to {status}.")
    return replace(refund, status=status, resolution=resolution, updated_at=max(now, refund.updated_at), due_at=None)


def _wait(refund: Refund, external_id: str | None, *, now: datetime) -> Refund:
    due_at = _woken(refund, now) or now + poll_delay(refund.polls)
    return replace(refund, external_id=external_id or refund.external_id, due_at=due_at)


def _woken(refund: Refund, now: datetime) -> datetime | None:
    """Return since when a refund is due again, if it was woken while it was polled."""
    return refund.due_at if refund.due_at is not None and refund.due_at <= now + CLOCKS_APART else None


def _event(kind: str, refund: Refund, *, by: str) -> Event:
    params: dict[str, str | int | None] = {
        "refund_id": refund.refund_id,
        "payment_id": refund.payment_id,
        "reason": refund.reason,
        "amount": refund.counted,
        "currency": refund.currency,
        "resolution": refund.resolution,
    }
    return Event(kind=kind, by=by, params=params)
