"""Amounts: exact in, exact out, and nothing that cannot be paid."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa import money
from kassa.errors import AmountRefused, UnknownCurrency


@pytest.mark.parametrize(
    "text, currency, minor",
    [
        ("123.45", "USD", 12345),
        ("100.000", "USD", 10000),
        ("100", "JPY", 100),
        ("100.0", "JPY", 100),
        ("0.001", "KWD", 1),
        ("0.01", "XTS", 1),
        ("1E+2", "USD", 10000),
        ("9999999999999.99", "USD", 999999999999999),
    ],
)
def test_an_amount_is_whole_minor_units(text: str, currency: str, minor: int) -> None:
    assert money.to_minor(Decimal(text), currency) == minor


@pytest.mark.parametrize(
    "text, currency, words",
    [
        ("0", "USD", "This value should be greater than 0."),
        ("-0.01", "USD", "This value should be greater than 0."),
        ("-0", "USD", "This value should be greater than 0."),
        ("NaN", "USD", "This value should be a number."),
        ("sNaN", "USD", "This value should be a number."),
        ("Infinity", "USD", "This value should be a number."),
        ("-Infinity", "USD", "This value should be a number."),
        ("0.001", "USD", "This value should have no more than 2 decimals in USD."),
        ("1.5", "JPY", "This value should have no more than 0 decimals in JPY."),
        ("1E-400", "USD", "This value should have no more than 2 decimals in USD."),
        (
            "1.00000000000000000000000000000000000000001",
            "USD",
            "This value should have no more than 2 decimals in USD.",
        ),
        ("10000000000000", "USD", "This value is too large."),
        ("1E+400", "USD", "This value is too large."),
    ],
)
def test_what_cannot_be_paid_is_refused_in_words(text: str, currency: str, words: str) -> None:
    with pytest.raises(AmountRefused) as refused:
        money.to_minor(Decimal(text), currency)
    assert refused.value.detail == words


@pytest.mark.parametrize(
    "minor, currency, text",
    [
        (12345, "USD", "123.45"),
        (10000, "USD", "100"),
        (12340, "USD", "123.4"),
        (5, "USD", "0.05"),
        (0, "USD", "0"),
        (-150, "USD", "-1.5"),
        (100, "JPY", "100"),
        (1, "KWD", "0.001"),
        (999999999999999, "USD", "9999999999999.99"),
    ],
)
def test_an_amount_is_written_as_the_shortest_exact_decimal(minor: int, currency: str, text: str) -> None:
    assert money.to_text(minor, currency) == text


@pytest.mark.parametrize(
    "minor, currency, text",
    [
        (12345, "USD", "123.45"),
        (10000, "USD", "100.00"),
        (-5, "USD", "-0.05"),
        (0, "JPY", "0"),
        (1, "KWD", "0.001"),
    ],
)
def test_an_amount_is_written_with_all_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert money.to_fixed(minor, currency) == text
    assert money.to_decimal(minor, currency) == Decimal(text)


@given(st.integers(1, money.AMOUNT_MAX - 1), st.sampled_from(["JPY", "USD", "KWD", "XTS"]))
def test_what_goes_out_comes_back_the_same(minor: int, currency: str) -> None:
    text = money.to_text(minor, currency)
    assert "E" not in text
    assert money.to_minor(Decimal(text), currency) == minor


@pytest.mark.parametrize("currency", ["", "usd", "ZZZ", "US", "$"])
def test_a_currency_is_one_that_iso_4217_lists(currency: str) -> None:
    assert not money.is_currency(currency)
    with pytest.raises(UnknownCurrency, match=re.escape(repr(currency))):
        money.exponent(currency)


def test_a_currency_of_the_catalogue_counts_once_it_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(money, "_exponents", dict(money._exponents))  # what is learned here is forgotten after it
    assert not money.is_iso("LEAF")
    with pytest.raises(UnknownCurrency):
        money.to_minor(Decimal(1), "LEAF")
    money.learn({"LEAF": 9})
    assert money.is_currency("LEAF")
    assert money.to_minor(Decimal("0.000000001"), "LEAF") == 1
    assert money.to_text(money.AMOUNT_MAX - 1, "LEAF") == "999999.999999999"
    assert not money.is_iso("LEAF")
    assert money.is_iso("USD")
    assert money.is_iso("XTS")
