"""What happens when an invoice is disputed: the payer's bank takes money back, and may have to return it. Pure.

    (opened) ──> open ──┬──> won      the money is the merchant's again
                        └──> lost

A provider lists all disputes of a payment whenever it is polled for it, the oldest first. Each is booked, charged
for and notified by itself, however many are heard of together: ``apply`` makes one change at a time, until None.

What is taken back of money that is not the merchant's (late, duplicate, rejected) costs nothing and flags the invoice.
While such money is held for review, or on its way back, a dispute is kept and counts, and is booked when that has
ended. See contract#statuses.
"""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from kassa.invoices.rules import booking, conversion
from kassa.invoices.rules.attempt import TAKEN, Payment, PaymentStatus
from kassa.invoices.rules.invoice import Invoice, Status, flag, go_back, next_update, touch
from kassa.invoices.rules.records import DISPUTE_TRANSITIONS, Dispute, DisputeStatus, RefundStatus
from kassa.invoices.rules.refundable import (
    claimed,
    claimed_at_provider,
    ended_status,
    exceeds,
    sent_back,
)
from kassa.invoices.rules.reserve import restore, use
from kassa.invoices.rules.snapshot import Change, Event, Snapshot
from kassa.providers import protocol
from kassa.providers.protocol import Accepted

_WON: Final = protocol.DisputeStatus.WON


def apply(
    snapshot: Snapshot, payment: Payment, outcome: Accepted, *, fee: int, new_id: str, now: datetime
) -> Change | None:
    """Apply the first thing that a provider's answer says of an attempt's disputes and is not known; None: nothing.

    ``fee``: what a dispute costs the merchant, in minor units of the invoice's currency. ``new_id``: the id of a
    dispute that is new.
    """
    if payment.status not in TAKEN:
        return None
    known = {each.position: each for each in snapshot.disputes if each.payment_id == payment.payment_id}
    for position, reported in enumerate(outcome.disputes, 1):
        current = known.get(position)
        if current is None:
            total = sum(each.amount for each in outcome.disputes[:position])
            opened = _opened(snapshot, payment, reported, (position, total, outcome.currency), new_id=new_id, now=now)
            return _book(snapshot, payment, opened, fee=fee, now=now)
        # One that was won before it could be booked has cost nothing.
        if not current.booked and current.counts and _bookable(snapshot, payment, current):
            return _book(snapshot, payment, current, fee=fee, now=now)
        change = _closed(snapshot, payment, current, reported, now=now)
        if change is not None:
            return change
    return None


def _opened(
    snapshot: Snapshot,
    payment: Payment,
    reported: protocol.Dispute,
    place: tuple[int, int, str],
    *,
    new_id: str,
    now: datetime,
) -> Dispute:
    position, total, currency = place
    merchants = _is_merchants(snapshot, payment, currency)
    amount = _share(snapshot, payment, reported.amount) if merchants else reported.amount
    return Dispute(
        account_id=payment.account_id,
        dispute_id=new_id,
        invoice_id=payment.invoice_id,
        payment_id=payment.payment_id,
        test_mode=payment.test_mode,
        position=position,
        external_id=reported.external_id,
        reason=reported.reason,
        amount=amount,
        currency=snapshot.invoice.currency if merchants else currency,
        provider_amount=reported.amount,
        provider_currency=currency,
        total=total,
        unexpected=not merchants,
        deadline=reported.deadline,
        opened_at=now,
        updated_at=now,
    )


def _is_merchants(snapshot: Snapshot, payment: Payment, currency: str) -> bool:
    """Return whether what was taken in a currency by an attempt is what paid the invoice."""
    paid_by_it = payment.status is PaymentStatus.PROCESSED and payment.unexpected is None
    return (
        paid_by_it and snapshot.invoice.processed_amount is not None and currency == snapshot.invoice.service_currency
    )


def _share(snapshot: Snapshot, payment: Payment, minor: int) -> int:
    """Return what a dispute comes to in the invoice's currency: never nothing.

    As with refunds, together with what went before, so that parts sum to the whole; alone where the bank took more than
    is left.
    """
    gone = claimed(snapshot.requested) + snapshot.charged_back_amount
    gone_there = claimed_at_provider(snapshot.requested) + snapshot.charged_back_service_amount
    return max(conversion.share(snapshot.invoice, payment, minor, gone=gone, gone_there=gone_there), 1)


def _bookable(snapshot: Snapshot, payment: Payment, dispute: Dispute) -> bool:
    """Return whether it is settled whose money a dispute has taken: not while it is held, or on its way back."""
    if _is_merchants(snapshot, payment, dispute.provider_currency):
        return True
    on_its_way = any(refund.pending for refund in snapshot.unexpected_refunds(payment.payment_id))
    ended = payment.status is PaymentStatus.PROCESSED and payment.unexpected is not None and not on_its_way
    return ended and dispute.provider_currency == payment.processed_currency


def _book(snapshot: Snapshot, payment: Payment, dispute: Dispute, *, fee: int, now: datetime) -> Change:
    """Return the change that opens a dispute, or books one that was kept; booked where that is possible yet."""
    if not _bookable(snapshot, payment, dispute):
        after = replace(snapshot.with_dispute(dispute), invoice=flag(snapshot.invoice, now=now))
        return Change(before=snapshot, after=after, at=now, event=_event("dispute.opened", dispute))
    if _is_merchants(snapshot, payment, dispute.provider_currency):
        return _of_merchant(snapshot, payment, dispute, fee=fee, now=now)
    returned = [
        each for each in snapshot.unexpected_refunds(payment.payment_id) if each.status is RefundStatus.REFUNDED
    ]
    booked_before = sum(
        each.provider_amount
        for each in snapshot.disputes
        if each.payment_id == payment.payment_id and each.booked and each.counts
    )
    there = max((payment.processed_amount or 0) - booked_before, 0)
    held = 0 if returned else min(there, dispute.amount)
    booked = replace(dispute, held=held, booked=True, updated_at=now)
    return Change(
        before=snapshot,
        after=replace(snapshot.with_dispute(booked), invoice=flag(snapshot.invoice, now=now)),
        at=now,
        event=_event("dispute.opened" if dispute.opened_at == now else "dispute.booked", booked),
        entries=(booking.disputed(booked),),
    )


def _of_merchant(snapshot: Snapshot, payment: Payment, dispute: Dispute, *, fee: int, now: datetime) -> Change:
    """Return the change by a dispute of the merchant's money, which pays for it.

    A bank that takes more than there was, because some had gone back already, is believed; the invoice is flagged.
    """
    invoice = snapshot.invoice
    amount = dispute.amount
    if dispute.unexpected:  # It was kept while the money was held; now the money is the merchant's.
        amount = _share(snapshot, payment, dispute.provider_amount)
    after, reserve = use(invoice, amount)
    booked = replace(
        dispute,
        unexpected=False,
        amount=amount,
        currency=invoice.currency,
        fee=fee,
        reserve=reserve,
        booked=True,
        updated_at=now,
    )
    with_it = snapshot.with_dispute(booked)
    whole = sent_back(snapshot.requested) + with_it.charged_back_amount >= (invoice.processed_amount or 0)
    status = Status.CHARGED_BACK if whole else Status.PARTIALLY_CHARGED_BACK
    moved = _bump(go_back(after, status, resolution="ok", now=now), invoice, now)
    moved = replace(moved, moderation_required=invoice.moderation_required or exceeds(with_it))
    return Change(
        before=snapshot,
        after=replace(with_it, invoice=moved),
        at=now,
        event=_event("dispute.opened" if dispute.opened_at == now else "dispute.booked", booked),
        entries=(booking.disputed(booked),),
        notify=True,
    )


def _closed(
    snapshot: Snapshot, payment: Payment, current: Dispute, reported: protocol.Dispute, *, now: datetime
) -> Change | None:
    """Return the change by a dispute that the provider says has ended, or whose deadline has moved."""
    status = DisputeStatus(reported.status)
    if (status, reported.deadline) == (current.status, current.deadline):
        return None
    if status is not current.status and status not in DISPUTE_TRANSITIONS[current.status]:
        return _reopened(snapshot, current, now=now)
    closed_at = None if status is DisputeStatus.OPEN else (current.closed_at or now)
    dispute = replace(current, status=status, deadline=reported.deadline, updated_at=now, closed_at=closed_at)
    with_it = snapshot.with_dispute(dispute)
    kind = f"dispute.{status}" if status is not current.status else "dispute.updated"
    if status is current.status or status is not DisputeStatus.WON or not current.booked:
        after = replace(with_it, invoice=touch(snapshot.invoice, now=now))
        return Change(before=snapshot, after=after, at=now, event=_event(kind, dispute))
    invoice, restored = restore(snapshot.invoice, dispute.reserve, now=now)
    if dispute.unexpected:
        invoice = flag(invoice, now=now)
    else:
        moved = go_back(invoice, _status_without(with_it), resolution="ok", now=now)
        invoice = replace(_bump(moved, snapshot.invoice, now), due_at=invoice.due_at)
    return Change(
        before=snapshot,
        after=replace(with_it, invoice=invoice),
        at=now,
        event=_event(kind, dispute),
        entries=(booking.dispute_won(dispute, reserve=restored),),
        notify=not dispute.unexpected,
    )


def _reopened(snapshot: Snapshot, current: Dispute, *, now: datetime) -> Change | None:
    """Flag an invoice for a dispute that has ended, and is reported as if it had not: a person has to look at it."""
    if snapshot.invoice.moderation_required:
        return None
    flagged = replace(snapshot, invoice=flag(snapshot.invoice, now=now))
    return Change(before=snapshot, after=flagged, at=now, event=_event("dispute.reopened", current))


def _bump(moved: Invoice, before: Invoice, now: datetime) -> Invoice:
    """Return an invoice whose ``updated`` orders its callback after the last, also where its status stayed."""
    return replace(moved, updated_at=next_update(before.updated_at, now))


def _status_without(snapshot: Snapshot) -> Status:
    """Return the status of an invoice one of whose disputes was won."""
    invoice, refunds = snapshot.invoice, snapshot.requested
    if snapshot.charged_back_amount:
        return Status.PARTIALLY_CHARGED_BACK
    if any(refund.pending for refund in refunds):
        return Status.REFUNDING
    if sent_back(refunds) or any(refund.status is RefundStatus.REFUND_ERROR for refund in refunds):
        return ended_status(snapshot)
    paid = (invoice.processed_amount or 0) >= invoice.payment_amount
    return Status.PROCESSED if paid else Status.PARTIALLY_PROCESSED


def _event(kind: str, dispute: Dispute) -> Event:
    params: dict[str, str | int | None] = {
        "dispute_id": dispute.dispute_id,
        "payment_id": dispute.payment_id,
        "amount": dispute.amount,
        "currency": dispute.currency,
        "reason": dispute.reason,
        "deadline": dispute.deadline.isoformat() if dispute.deadline else None,
    }
    return Event(kind=kind, by="provider", params=params)
