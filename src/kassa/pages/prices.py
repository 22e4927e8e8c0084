"""What a payer pays, in the currency that is charged, and what it was converted from."""

from babel.numbers import format_decimal

from kassa.invoices.rules.conversion import due
from kassa.invoices.rules.invoice import Invoice
from kassa.pages.formatting import money


def payable(invoice: Invoice, language: str, amount: int | None = None) -> str:
    """Return what the payer pays, or ``amount`` of it in the invoice's minor units, in the currency that is charged."""
    minor, currency = due(invoice, invoice.payment_amount if amount is None else amount)
    return money(minor, currency, language)


def converted_from(invoice: Invoice, language: str, amount: int | None = None) -> str | None:
    """Return the price and rate, such as ``€100.00, 1 EUR = 1.082 USD``, or None where nothing was converted.

    The rate is the exact one, however long it is.
    """
    if not invoice.converted:
        return None
    price = money(invoice.payment_amount if amount is None else amount, invoice.currency, language)
    rate = format_decimal(invoice.exchange_rate, locale=language, decimal_quantization=False)
    return f"{price}, 1\u00a0{invoice.currency} =\u00a0{rate}\u00a0{invoice.service_currency}"
