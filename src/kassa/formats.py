"""Amounts, dates and times as a language writes them (Unicode CLDR, through Babel)."""

import re
from datetime import UTC, datetime

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_currency, get_currency_symbol

from kassa.money import exponent, to_decimal


def money(minor: int, currency: str, language: str) -> str:
    """Return an amount in minor units as people write it: ``$123.45``, ``1 234,50 ₴``, ``UAH 10.00``.

    The decimals are those of ISO 4217, never fewer: CLDR would round some currencies, and a price must not be rounded.
    """
    places = exponent(currency)
    pattern = str(Locale.parse(language).currency_formats["standard"].pattern)
    pattern = re.sub(r"0\.0+", f"0.{'0' * places}" if places else "0", pattern)
    if get_currency_symbol(currency, language)[-1:].isalpha():
        pattern = re.sub("¤(?=[#0])", "¤\u00a0", pattern)
    return format_currency(to_decimal(minor, currency), currency, pattern, language, currency_digits=False)


def moment(at: datetime, language: str) -> str:
    """Return a moment in UTC, in full; the page's script turns it into the payer's own time."""
    day = format_date(at.astimezone(UTC).date(), "long", locale=language)
    return f"{day}, {format_time(at, 'short', tzinfo=UTC, locale=language)} UTC"
