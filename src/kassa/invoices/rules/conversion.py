"""Between an invoice's currency and its service's, at the rate that the invoice keeps. Pure.

All that was taken for an invoice is all that the merchant was given for it; a part of it goes by the rate.
"""

from fractions import Fraction

from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.rates.model import convert


def due(invoice: Invoice, amount: int) -> tuple[int, str]:
    """Return what an amount of an invoice comes to for its payer: minor units and their currency."""
    return convert(amount, invoice.exchange_rate, invoice.currency, invoice.service_currency), invoice.service_currency


def worth(invoice: Invoice, minor: int) -> int:
    """Return what minor units of the service's currency, such as its fees, come to in the invoice's."""
    return convert(minor, 1 / Fraction(invoice.exchange_rate), invoice.service_currency, invoice.currency)


def taken(invoice: Invoice, payment: Payment) -> tuple[int, str]:
    """Return what an attempt took, in the invoice's currency wherever it is known in it.

    What was asked for is the invoice's whole amount; anything else in the service's currency goes by the rate.
    """
    return of_attempt(invoice, payment, payment.processed_amount or 0, payment.processed_currency)


def of_attempt(invoice: Invoice, payment: Payment, minor: int, currency: str | None) -> tuple[int, str]:
    """Return what money that an attempt took or sent back is, in the invoice's currency wherever that can be known."""
    currency = currency or invoice.service_currency
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


def share(invoice: Invoice, payment: Payment, minor: int, *, gone: int, gone_there: int) -> int:
    """Return what an amount at the provider is of an invoice of which ``gone`` went back before."""
    if gone_there + minor <= (payment.processed_amount or 0):
        return from_provider(invoice, payment, gone_there + minor) - gone
    return from_provider(invoice, payment, minor)
