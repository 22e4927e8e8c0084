"""Which recipe tells what an attempt did with money."""

from kassa.invoices.model import Invoice
from kassa.ledger import recipes
from kassa.ledger.model import Entry
from kassa.payments.model import Payment, PaymentStatus


def entry(invoice: Invoice, payment: Payment) -> Entry | None:
    """Return the entry for the status that an attempt has just got, or None where no money moved."""
    if invoice.payment_flow == "verify" or payment.processed_amount is None or payment.processed_currency is None:
        return None
    names = {"payment_id": payment.payment_id, "invoice_id": invoice.invoice_id}
    paid, currency = payment.processed_amount, payment.processed_currency
    match payment.status:
        case PaymentStatus.PROCESSED:
            fee = invoice.processed_fee or 0
            return recipes.processed(**names, currency=currency, paid=paid, fee=fee, reserve=0)
        case PaymentStatus.PROCESS_ERROR:
            return recipes.suspended(**names, currency=currency, paid=paid)
        case PaymentStatus.REFUND_PENDING:
            return recipes.unwanted(**names, currency=currency, paid=paid)
        case PaymentStatus.REFUNDED:
            return recipes.returned(**names, currency=currency, paid=paid)
        case _:
            return None
