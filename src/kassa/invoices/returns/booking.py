"""Which recipe tells what a refund or a charge-back did with money."""

from kassa.errors import TransitionRefused
from kassa.invoices.model import Invoice
from kassa.ledger import recipes
from kassa.ledger.model import Entry
from kassa.payments.model import Payment
from kassa.refunds.model import Refund, RefundStatus


def begun(refund: Refund, *, reserve: int) -> Entry:
    """Return the entry of a refund that is about to be asked for; ``reserve`` pays that much of it."""
    return recipes.refund_begun(**_names(refund), amount=refund.amount, reserve=reserve)


def ended(refund: Refund, *, was: RefundStatus) -> Entry | None:
    """Return the entry for the status that a refund has just got, or None where no money moved."""
    match was, refund.status:
        case (RefundStatus.REFUND_PENDING, RefundStatus.REFUNDED):
            return recipes.refunded(**_names(refund), amount=refund.amount, fee=refund.fee)
        case (RefundStatus.REFUND_PENDING, RefundStatus.REFUND_FAILED):
            return recipes.refund_failed(**_names(refund), amount=refund.amount)
        case (RefundStatus.REFUND_FAILED, RefundStatus.REFUNDED):
            return recipes.refunded_late(**_names(refund), amount=refund.amount, fee=refund.fee)
        case (_, RefundStatus.REFUND_PENDING | RefundStatus.REFUND_ERROR):
            return None
        case _:
            raise TransitionRefused(f"No recipe tells what {was} → {refund.status} does with money.")


def charged_back(invoice: Invoice, payment: Payment, *, total: int, amount: int, fee: int, reserve: int) -> Entry:
    """Return the entry of a charge-back of an amount, ``total`` with what was taken before."""
    return recipes.charged_back(
        payment_id=payment.payment_id,
        invoice_id=invoice.invoice_id,
        currency=invoice.currency,
        total=total,
        amount=amount,
        fee=fee,
        reserve=reserve,
    )


def _names(refund: Refund) -> dict[str, str]:
    return {"refund_id": refund.refund_id, "invoice_id": refund.invoice_id, "currency": refund.currency}
