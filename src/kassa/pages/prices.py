"""What a payer pays, in the currency that it is taken in, and what that was converted from."""

from babel.numbers import format_decimal

from kassa.invoices.conversion import due
from kassa.invoices.model import Invoice
from kassa.pages.wording import money


def payable(invoice: Invoice, language: str, amount: int | None = None) -> str:
    """Return what the payer pays, or a part of it in the invoice's minor units, as it is taken from him."""
    minor, currency = due(invoice, invoice.payment_amount if amount is None else amount)
    return money(minor, currency, language)


def converted_from(invoice: Invoice, language: str, amount: int | None = None) -> str | None:
    """Return the invoice's own amount and the rate, such as ``€100.00, 1 EUR = 1.082 USD``; None where it is no other.

    The rate is the exact one, however long it is.
    """
    if not invoice.converted:
        return None
    price = money(invoice.payment_amount if amount is None else amount, invoice.currency, language)
    rate = format_decimal(invoice.exchange_rate, locale=language, decimal_quantization=False)
    return f"{price}, 1\u00a0{invoice.currency} =\u00a0{rate}\u00a0{invoice.service_currency}"
