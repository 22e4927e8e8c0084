"""A payer reads the price in the currency that is charged, and what it was converted from, in their language."""

from decimal import Decimal

import pytest

from kassa.pages.prices import converted_from, payable
from tests.support.rates import converted


@pytest.mark.parametrize(
    "language,pays,of",
    [
        ("en", "$108.20", "€100.00, 1 EUR = 1.082 USD"),
        ("ru", "108,20 $", "100,00 €, 1 EUR = 1,082 USD"),
        ("uk", "108,20 USD", "100,00 EUR, 1 EUR = 1,082 USD"),
    ],
)
def test_a_converted_price_is_told_in_both_currencies(language: str, pays: str, of: str) -> None:
    invoice = converted(10_000, Decimal("1.082"), "EUR", "USD")
    assert payable(invoice, language).replace("\u00a0", " ") == pays
    assert (converted_from(invoice, language) or "").replace("\u00a0", " ") == of


def test_a_part_is_told_as_a_part() -> None:
    invoice = converted(10_000, Decimal("1.082"), "EUR", "USD")
    assert payable(invoice, "en", 5_000) == "$54.10"
    assert (converted_from(invoice, "en", 5_000) or "").startswith("€50.00,")


def test_a_long_rate_is_neither_cut_nor_written_with_an_exponent() -> None:
    shown = converted_from(converted(10_000, Decimal("0.0000123456789012"), "JPY", "KWD"), "en")
    assert (shown or "").endswith("0.0000123456789012\u00a0KWD")


def test_what_is_not_converted_is_told_once() -> None:
    invoice = converted(10_000, Decimal(1), "USD", "USD")
    assert (payable(invoice, "en"), converted_from(invoice, "en")) == ("$100.00", None)
