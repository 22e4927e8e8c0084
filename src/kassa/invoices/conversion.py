"""Between an invoice's currency and its service's, at the rate that the invoice keeps. Pure.

All that was taken for an invoice is all that the merchant was given for it; a part of it goes by the rate.
"""

from fractions import Fraction

from kassa.invoices.model import Invoice
from kassa.payments.model import Payment
from kassa.rates.model import convert


def due(invoice: Invoice, amount: int) -> tuple[int, str]:
    """Return what an amount of an invoice comes to for its payer: minor units and their currency."""
    return convert(amount, invoice.exchange_rate, invoice.currency, invoice.service_currency), invoice.service_currency


def worth(invoice: Invoice, minor: int) -> int:
    """Return what minor units of the service's currency, such as its fees, come to in the invoice's."""
    return convert(minor, 1 / Fraction(invoice.exchange_rate), invoice.service_currency, invoice.currency)


def taken(invoice: Invoice, payment: Payment) -> tuple[int, str]:
    """Return what an attempt took, in the invoice's currency wherever it can be told in it.

    What was asked for is the invoice's whole amount; anything else in the service's currency goes by the rate.
    """
    return _told(invoice, payment, payment.processed_amount or 0, payment.processed_currency)


def returned(invoice: Invoice, payment: Payment) -> tuple[int, str]:
    """Return what an attempt that has gone back gave back, in the same way."""
    if payment.returned_amount is None:
        return taken(invoice, payment)
    return _told(invoice, payment, payment.returned_amount, payment.returned_currency)


def _told(invoice: Invoice, payment: Payment, minor: int, told_currency: str | None) -> tuple[int, str]:
    currency = told_currency or invoice.service_currency
    if (minor, currency) == (payment.amount, payment.currency):
        return invoice.payment_amount, invoice.currency
    if currency != invoice.service_currency:
        return minor, currency
    return worth(invoice, minor), invoice.currency


def to_provider(invoice: Invoice, payment: Payment, amount: int) -> int:
    """Return what an amount of a paid invoice is at the provider, the whole being what was taken."""
    if amount == invoice.processed_amount:
        return payment.processed_amount or 0
    return due(invoice, amount)[0]


def from_provider(invoice: Invoice, payment: Payment, minor: int) -> int:
    """Return what an amount at the provider is of a paid invoice, what was taken being the whole."""
    if minor == payment.processed_amount:
        return invoice.processed_amount or 0
    return worth(invoice, minor)
