"""Between an invoice's currency and its service's, at the rate that the invoice keeps. Pure.

A part of an invoice is what the whole comes to with it, less what it comes to without: so however an invoice is cut,
its parts sum to the whole.
"""

from fractions import Fraction

from kassa.invoices.model import Invoice
from kassa.payments.model import Payment
from kassa.rates.model import convert


def provider_amount(invoice: Invoice, amount: int, *, earlier: int = 0) -> tuple[int, str]:
    """Return what a part of ``payment_amount`` is at the provider: minor units and their currency.

    ``earlier`` is what other parts, such as former refunds, have come to already, in the invoice's currency.
    """
    return _due(invoice, earlier + amount) - _due(invoice, earlier), invoice.service_currency


def taken(invoice: Invoice, payment: Payment) -> tuple[int, str]:
    """Return what an attempt took, in the invoice's currency wherever it can be told in it.

    What was asked for is the invoice's whole amount; anything else in the service's currency goes by the rate.
    """
    minor, currency = payment.processed_amount or 0, payment.processed_currency or invoice.service_currency
    if currency != invoice.service_currency or not invoice.converted:
        return minor, currency
    if (minor, currency) == (payment.amount, payment.currency):
        return invoice.payment_amount, invoice.currency
    return convert(minor, 1 / Fraction(invoice.exchange_rate), currency, invoice.currency), invoice.currency


def _due(invoice: Invoice, amount: int) -> int:
    return convert(amount, invoice.exchange_rate, invoice.currency, invoice.service_currency)
