"""Rates are exact, the freshest counts, and whatever has to be rounded is rounded in the house's favour."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.rates.model import BANKS, DIGITS, Quote, Source, Table, convert, effective, table, to_text

DAY = datetime(2026, 11, 24, tzinfo=UTC)
WEEK = dict.fromkeys(BANKS, 7)


def quote(
    source: Source,
    base: str,
    other: str,
    rate: str,
    *,
    valid_from: datetime = DAY,
    valid_until: datetime | None = None,
) -> Quote:
    return Quote(
        source=source, base=base, quote=other, rate=Decimal(rate), valid_from=valid_from, valid_until=valid_until
    )


EUROS = [quote(Source.ECB, "EUR", code, rate) for code, rate in {"USD": "1.25", "GBP": "0.8", "JPY": "160"}.items()]
HRYVNIAS = [quote(Source.NBU, code, "UAH", rate) for code, rate in {"USD": "40", "EUR": "50", "RUB": "0.5"}.items()]
ROUBLES = [quote(Source.CBR, code, "RUB", rate) for code, rate in {"USD": "80", "UAH": "2.5", "KZT": "0.16"}.items()]


def known(*quotes: Quote, now: datetime = DAY) -> Table:
    return table(quotes, now=now, days_max=WEEK)


@pytest.mark.parametrize(
    "base,other,expected",
    [
        ("EUR", "USD", "5/4"),
        ("USD", "EUR", "4/5"),
        ("USD", "GBP", "16/25"),
        ("JPY", "USD", "1/128"),
        ("USD", "UAH", "40"),
        ("UAH", "EUR", "1/50"),
        ("RUB", "USD", "1/80"),
        ("EUR", "UAH", "50"),
        ("UAH", "RUB", "2"),
        ("KZT", "USD", "1/500"),
    ],
)
def test_each_pair_is_asked_of_the_bank_that_knows_it_best(base: str, other: str, expected: str) -> None:
    assert known(*EUROS, *HRYVNIAS, *ROUBLES).middle(base, other) == Fraction(expected)


@pytest.mark.parametrize("base,other", [("EUR", "KZT"), ("USD", "XTS"), ("XTS", "EUR")])
def test_what_no_bank_tells_both_sides_of_has_no_rate(base: str, other: str) -> None:
    assert known(*EUROS, *HRYVNIAS).middle(base, other) is None


def test_a_bank_without_rates_knows_not_even_its_own_currency() -> None:
    assert known().middle("EUR", "UAH") is None


def test_a_manual_rate_goes_first_and_in_one_direction_alone() -> None:
    found = known(*EUROS, quote(Source.MANUAL, "EUR", "USD", "1.3"))
    assert (found.middle("EUR", "USD"), found.middle("USD", "EUR")) == (Fraction("1.3"), Fraction("0.8"))


@pytest.mark.parametrize("days,expected", [(0, "5/4"), (6.99, "5/4"), (7, None), (400, None)])
def test_a_banks_rate_ages(days: float, expected: str | None) -> None:
    now = DAY + timedelta(days=days)
    assert known(*EUROS, now=now).middle("EUR", "USD") == (Fraction(expected) if expected else None)


def test_an_old_rate_of_one_bank_leaves_the_pair_to_another() -> None:
    old = [
        quote(Source.NBU, code, "UAH", rate, valid_from=DAY - timedelta(days=9)) for code, rate in {"RUB": "9"}.items()
    ]
    assert known(*old, *ROUBLES).middle("UAH", "RUB") == Fraction("2.5")


def test_test_mode_takes_a_banks_rate_at_any_age() -> None:
    late = DAY + timedelta(days=4000)
    assert table(EUROS, now=late, days_max=None).middle("EUR", "USD") == Fraction("5/4")


@pytest.mark.parametrize("days_max", [WEEK, None])
def test_a_manual_rate_stays_until_its_end_in_both_modes(days_max: dict[Source, int] | None) -> None:
    ending = quote(Source.MANUAL, "EUR", "USD", "2", valid_until=DAY + timedelta(days=30))
    before, at_end = (DAY + timedelta(days=30) - timedelta(seconds=1), DAY + timedelta(days=30))
    assert table([ending], now=before, days_max=days_max).middle("EUR", "USD") == 2
    assert table([ending], now=at_end, days_max=days_max).middle("EUR", "USD") is None
    endless = quote(Source.MANUAL, "EUR", "USD", "2")
    assert table([endless], now=DAY + timedelta(days=4000), days_max=days_max).middle("EUR", "USD") == 2


@pytest.mark.parametrize(
    "middle,spread,expected",
    [
        ("1.082", "0", "1.082"),
        ("1.082", "2.5", "1.10905"),
        ("100", "0", "100"),
        ("1/3", "0", "0.333333333334"),
        ("2/3", "0", "0.666666666667"),
        ("1/30000000", "0", "0.0000000333333333334"),
        ("1/3", "1", "0.336666666667"),
    ],
)
def test_spread_and_rounding_are_what_the_payer_pays_more(middle: str, spread: str, expected: str) -> None:
    assert to_text(effective(Fraction(middle), Decimal(spread))) == expected


RATES = st.fractions(min_value=Fraction(1, 10**12), max_value=10**12)
SPREADS = st.decimals(min_value=0, max_value=50, places=4)


@given(middle=RATES, spread=SPREADS)
def test_an_effective_rate_is_never_below_the_exact_one_and_as_good_as_it(middle: Fraction, spread: Decimal) -> None:
    exact = middle * (1 + Fraction(spread) / 100)
    found = Fraction(effective(middle, spread))
    assert exact <= found < exact * (1 + Fraction(1, 10 ** (DIGITS - 1)))


@given(middle=RATES, spread=SPREADS)
def test_a_rate_is_written_in_plain_digits_and_read_back_as_it_was(middle: Fraction, spread: Decimal) -> None:
    rate = effective(middle, spread)
    assert Decimal(to_text(rate)) == rate
    assert set(to_text(rate)) <= set("0123456789.")


@pytest.mark.parametrize(
    "minor,rate,base,other,expected",
    [
        (10_000, "1.082", "EUR", "USD", 10_820),
        (10_000, "157.255", "USD", "JPY", 15_726),
        (100, "0.006", "JPY", "USD", 60),
        (1_000, "0.3065", "USD", "KWD", 3_065),
        (1_234, "3.25", "KWD", "USD", 401),
        (500, "0.001", "KWD", "JPY", 0),
        (1, "1.5", "EUR", "USD", 2),
        (1, "2.5", "EUR", "USD", 2),
        (1, "0.5", "EUR", "USD", 0),
        (12_345, "1", "USD", "USD", 12_345),
        (0, "1.082", "EUR", "USD", 0),
    ],
)
def test_an_amount_is_converted_between_exponents_and_rounded_half_to_even(
    minor: int, rate: str, base: str, other: str, expected: int
) -> None:
    assert convert(minor, Decimal(rate), base, other) == expected
