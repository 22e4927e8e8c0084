"""Which recipe says what a change did with money; no money moves without an entry (P4)."""

from typing import TypedDict

from kassa.errors import TransitionRefused
from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.records import Dispute, Refund, RefundStatus
from kassa.ledger import recipes
from kassa.ledger.model import Entry


def taken(invoice: Invoice, payment: Payment) -> tuple[Entry, ...]:
    """Return the entry of an attempt that has just taken money: paid, held for review, or not the merchant's."""
    if invoice.payment_flow == "verify" or not payment.processed_amount or payment.processed_currency is None:
        return ()
    paid, currency = payment.processed_amount, payment.processed_currency
    if payment.status is PaymentStatus.PROCESS_ERROR:
        recipe = recipes.suspended
    elif payment.unexpected is not None:
        recipe = recipes.unexpected
    else:
        return (_paid(invoice, payment, approved=False),)
    return (recipe(payment_id=payment.payment_id, invoice_id=invoice.invoice_id, currency=currency, paid=paid),)


def approved(invoice: Invoice, payment: Payment) -> tuple[Entry, ...]:
    """Return the entry of a held payment that was approved."""
    if invoice.payment_flow == "verify":
        return ()
    return (_paid(invoice, payment, approved=True),)


def _paid(invoice: Invoice, payment: Payment, *, approved: bool) -> Entry:
    recipe = recipes.approved if approved else recipes.processed
    return recipe(
        payment_id=payment.payment_id,
        invoice_id=invoice.invoice_id,
        currency=invoice.currency,
        paid=invoice.processed_amount or 0,
        fee=invoice.processed_fee or 0,
        reserve=invoice.reserve_left,
        at_provider=(payment.processed_amount or 0, payment.processed_currency or payment.currency),
    )


def released(invoice: Invoice) -> Entry:
    """Return the entry of a reserve that is released."""
    return recipes.released(invoice_id=invoice.invoice_id, currency=invoice.currency, reserve=invoice.reserve_left)


def refund_started(refund: Refund) -> tuple[Entry, ...]:
    """Return the entry of a refund that is about to be asked for; money that is not the merchant's is held already."""
    if not refund.requested:
        return ()
    return (recipes.refund_started(**_ids(refund), amount=refund.amount, reserve=refund.reserve),)


def refund_ended(refund: Refund, *, was: RefundStatus, reserve: int) -> tuple[Entry, ...]:
    """Return the entry for the status that a refund has just got, empty where no money moved.

    ``reserve`` is what moves into the invoice's reserve or out of it with that. Money that is not the merchant's waits,
    and is pending, until it has gone back: that it failed to do so moves nothing.
    """
    pending = refund.counted if not refund.requested else 0
    match was, refund.status:
        case (RefundStatus.REFUND_PENDING, RefundStatus.REFUNDED):
            entry = _sent(refund)
        case (RefundStatus.REFUND_FAILED, RefundStatus.REFUNDED) if pending:
            entry = _sent(refund)
        case (RefundStatus.REFUND_FAILED, RefundStatus.REFUNDED):
            entry = recipes.refund_sent_after_failure(
                **_ids(refund), amount=refund.counted, fee=refund.fee, reserve=reserve, at_provider=refund.at_provider
            )
        case (RefundStatus.REFUND_ERROR, RefundStatus.REFUNDED):
            entry = _mismatched(refund, reserve=reserve)
        case (RefundStatus.REFUNDED, RefundStatus.REFUND_FAILED):
            entry = recipes.refund_failed_after_success(
                **_ids(refund),
                amount=refund.counted,
                fee=refund.fee,
                reserve=reserve,
                pending=pending,
                at_provider=refund.at_provider,
            )
        case (RefundStatus.REFUND_PENDING, RefundStatus.REFUND_FAILED) if not pending:
            entry = recipes.refund_failed(**_ids(refund), amount=refund.amount, reserve=reserve)
        case (RefundStatus.REFUND_FAILED, RefundStatus.REFUND_ERROR) if not pending:
            entry = recipes.refund_reopened(**_ids(refund), amount=refund.amount, reserve=reserve)
        case (RefundStatus.REFUND_PENDING, RefundStatus.REFUND_ERROR):
            return ()
        case (before, after) if before is after or pending:
            return ()
        case _:
            raise TransitionRefused(f"No recipe says what {was} → {refund.status} does with money.")
    return (entry,)


def _sent(refund: Refund) -> Entry:
    return recipes.refund_sent(**_ids(refund), amount=refund.counted, fee=refund.fee, at_provider=refund.at_provider)


def _mismatched(refund: Refund, *, reserve: int) -> Entry:
    """Return the entry of a refund of another amount; of unexpected money that is what was sent, in its currency."""
    sent, currency = refund.at_provider
    return recipes.refund_mismatched(
        **_ids(refund),
        pending=refund.amount,
        amount=refund.counted if refund.requested or currency != refund.currency else sent,
        fee=refund.fee,
        reserve=reserve,
        at_provider=refund.at_provider,
    )


def _ids(refund: Refund) -> dict[str, str]:
    return {
        "refund_id": refund.refund_id,
        "payment_id": refund.payment_id,
        "invoice_id": refund.invoice_id,
        "currency": refund.currency,
    }


def disputed(dispute: Dispute) -> Entry:
    """Return the entry of a dispute."""
    if dispute.unexpected:
        return recipes.charged_back_unexpected(**_named(dispute), amount=dispute.amount, pending=dispute.held)
    return recipes.charged_back(
        **_named(dispute),
        amount=dispute.amount,
        fee=dispute.fee,
        reserve=dispute.reserve,
        at_provider=(dispute.provider_amount, dispute.provider_currency),
    )


def dispute_won(dispute: Dispute, *, reserve: int) -> Entry:
    """Return the entry of a dispute whose money is there again; ``reserve`` of it is held back again."""
    if dispute.unexpected:
        return recipes.dispute_won_unexpected(**_named(dispute), amount=dispute.amount, pending=dispute.held)
    return recipes.dispute_won(
        **_named(dispute),
        amount=dispute.amount,
        fee=0,
        reserve=reserve,
        at_provider=(dispute.provider_amount, dispute.provider_currency),
    )


class _Named(TypedDict):
    payment_id: str
    invoice_id: str
    currency: str
    total: int
    dispute_id: str


def _named(dispute: Dispute) -> _Named:
    return {
        "payment_id": dispute.payment_id,
        "invoice_id": dispute.invoice_id,
        "currency": dispute.currency,
        "total": dispute.total,
        "dispute_id": dispute.dispute_id,
    }
