"""Which recipe tells what a refund or a charge-back did with money."""

from typing import Any

from kassa.errors import TransitionRefused
from kassa.invoices.model import Invoice
from kassa.ledger import recipes
from kassa.ledger.model import Entry
from kassa.payments.model import Payment, PaymentStatus
from kassa.refunds.model import Refund, RefundStatus


def begun(refund: Refund) -> Entry:
    """Return the entry of a refund that is about to be asked for."""
    return recipes.refund_begun(**_names(refund), amount=refund.amount, reserve=refund.reserve)


def ended(refund: Refund, *, was: RefundStatus, reserve: int) -> Entry | None:
    """Return the entry for the status that a refund has just got, or None where no money moved.

    ``reserve`` is what moves into the invoice's reserve or out of it with that.
    """
    match was, refund.status:
        case (RefundStatus.REFUND_PENDING, RefundStatus.REFUNDED):
            return recipes.refunded(**_done(refund))
        case (RefundStatus.REFUND_PENDING, RefundStatus.REFUND_FAILED):
            return recipes.refund_failed(**_names(refund), amount=refund.amount, reserve=reserve)
        case (RefundStatus.REFUND_FAILED, RefundStatus.REFUNDED):
            return recipes.refunded_late(**_done(refund), reserve=reserve)
        case (RefundStatus.REFUND_FAILED, RefundStatus.REFUND_ERROR):
            return recipes.refund_begun_again(**_names(refund), amount=refund.amount, reserve=reserve)
        case (RefundStatus.REFUND_ERROR, RefundStatus.REFUNDED):
            return recipes.refunded_otherwise(**_done(refund), set_aside=refund.amount, reserve=reserve)
        case (_, RefundStatus.REFUND_PENDING | RefundStatus.REFUND_ERROR):
            return None
        case _:
            raise TransitionRefused(f"No recipe tells what {was} → {refund.status} does with money.")


def charged_back(before: Invoice, invoice: Invoice, payment: Payment, *, fee: int, reserve: int) -> Entry:
    """Return the entry of what was charged back of an invoice since it was as ``before``."""
    total, taken = invoice.charged_back_service_amount or 0, before.charged_back_service_amount or 0
    return recipes.charged_back(
        payment_id=payment.payment_id,
        invoice_id=invoice.invoice_id,
        currency=invoice.currency,
        total=total,
        amount=(invoice.charged_back_amount or 0) - (before.charged_back_amount or 0),
        fee=fee,
        reserve=reserve,
        at_provider=(total - taken, invoice.service_currency),
    )


def charged_back_unwanted(before: Payment, payment: Payment, amount: int) -> Entry:
    """Return the entry of what was charged back of money that nobody wanted, which was as ``before``."""
    return recipes.charged_back_unwanted(
        payment_id=payment.payment_id,
        invoice_id=payment.invoice_id,
        currency=payment.processed_currency or payment.currency,
        total=payment.charged_back_amount,
        amount=amount,
        held=0 if payment.status is PaymentStatus.REFUNDED else min(before.returnable, amount),
    )


def _done(refund: Refund) -> dict[str, Any]:
    return {**_names(refund), "amount": refund.counted, "fee": refund.fee, "at_provider": refund.at_provider}


def _names(refund: Refund) -> dict[str, str]:
    return {"refund_id": refund.refund_id, "invoice_id": refund.invoice_id, "currency": refund.currency}
