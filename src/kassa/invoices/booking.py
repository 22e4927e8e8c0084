"""Which recipe tells what an attempt did with money."""

from typing import Final

from kassa.errors import TransitionRefused
from kassa.invoices.model import Invoice
from kassa.ledger import recipes
from kassa.ledger.model import Entry
from kassa.payments.model import FAILED, UNDECIDED, Payment, PaymentStatus

_HELD: Final = {PaymentStatus.PROCESS_ERROR, PaymentStatus.REFUND_FAILED, PaymentStatus.REFUND_ERROR}
"""Statuses in which the money waits in the pending purse."""


def entry(invoice: Invoice, payment: Payment, *, was: PaymentStatus) -> Entry | None:
    """Return the entry for the status that an attempt has just got, or None where no money moved.

    Raises ``TransitionRefused`` for a change that no recipe tells: money never moves without an entry.
    """
    if invoice.payment_flow == "verify" or payment.processed_amount is None or payment.processed_currency is None:
        return None
    names = {"payment_id": payment.payment_id, "invoice_id": invoice.invoice_id}
    paid, currency = payment.processed_amount, payment.processed_currency
    match payment.status:
        case PaymentStatus.PROCESSED if was in {*UNDECIDED, *FAILED, PaymentStatus.PROCESS_ERROR}:
            recipe = recipes.approved if was is PaymentStatus.PROCESS_ERROR else recipes.processed
            return recipe(
                **names,
                currency=invoice.currency,
                paid=invoice.processed_amount or 0,
                fee=invoice.processed_fee or 0,
                reserve=invoice.reserve_left,
                at_provider=(paid, currency),
            )
        case PaymentStatus.PROCESS_ERROR if was in UNDECIDED | FAILED:
            return recipes.suspended(**names, currency=currency, paid=paid)
        case PaymentStatus.REFUND_PENDING if was in UNDECIDED | FAILED:
            return recipes.unwanted(**names, currency=currency, paid=paid)
        case PaymentStatus.REFUND_PENDING if was in _HELD:
            return None
        case PaymentStatus.REFUNDED if was is PaymentStatus.REFUND_ERROR:
            back = (payment.returned_amount or 0, payment.returned_currency or currency)
            return recipes.returned_otherwise(**names, currency=currency, paid=payment.returnable, at_provider=back)
        case PaymentStatus.REFUNDED:
            return recipes.returned(**names, currency=currency, paid=payment.returnable)
        case PaymentStatus.REFUND_FAILED | PaymentStatus.REFUND_ERROR:
            return None
        case status:
            raise TransitionRefused(f"No recipe tells what {was} → {status} does with money.")
