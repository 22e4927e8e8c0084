"""What a payment costs: parts make the whole, no fee exceeds the amount, half a unit goes to the even one."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kassa import money
from kassa.fees.model import Parts, Tariff, fee, parts, reserve
from kassa.money import AMOUNT_MAX

amounts = st.integers(1, AMOUNT_MAX - 1)
bounds = st.one_of(st.just(0), st.integers(0, 10_000), st.integers(0, AMOUNT_MAX))
rates = st.decimals(0, 100, allow_nan=False, allow_infinity=False, places=None)
tariffs = st.builds(Tariff, fee_rate=rates, fee_fix=bounds, fee_min=bounds, fee_max=bounds)


@given(amount=amounts, tariff=tariffs, payer_pays=st.booleans())
def test_the_parts_make_the_whole(amount: int, tariff: Tariff, payer_pays: bool) -> None:  # noqa: FBT001
    found = parts(amount, tariff, payer_pays=payer_pays)
    assert found.payment_amount == found.fee + found.deposit
    assert (found.deposit if payer_pays else found.payment_amount) == amount
    assert found.fee == fee(amount, tariff)
    assert found.deposit >= 0


@given(amount=amounts, tariff=tariffs)
def test_no_fee_is_below_zero_or_above_the_amount(amount: int, tariff: Tariff) -> None:
    assert 0 <= fee(amount, tariff) <= amount


@given(amount=amounts, tariff=tariffs)
def test_the_fee_is_clamped_from_below_and_then_from_above(amount: int, tariff: Tariff) -> None:
    charged = fee(amount, tariff)
    if tariff.fee_max:
        assert charged <= tariff.fee_max
    least = min(tariff.fee_min, tariff.fee_max) if tariff.fee_max else tariff.fee_min
    assert charged >= min(least, amount)


@given(amount=amounts, rate=rates, fix=st.integers(0, AMOUNT_MAX))
@example(amount=AMOUNT_MAX - 1, rate=Decimal("33.333333333333333333333333333"), fix=0)
@example(amount=1, rate=Decimal(50), fix=0)
@example(amount=3, rate=Decimal(50), fix=0)
def test_a_fee_without_bounds_is_the_exact_one_rounded_once(amount: int, rate: Decimal, fix: int) -> None:
    with localcontext() as context:
        context.prec, context.Emin = 2000, -10_000
        exact = Decimal(amount) * rate / 100 + fix
        expected = int(exact.to_integral_value(ROUND_HALF_EVEN))
    assert fee(amount, Tariff(fee_rate=rate, fee_fix=fix)) == min(expected, amount)


@pytest.mark.parametrize(
    "currency, amount, rate, expected",
    [
        ("USD", "1", "2.5", "0.02"),  # 0.025
        ("USD", "3", "2.5", "0.08"),  # 0.075
        ("USD", "1", "2.51", "0.03"),
        ("JPY", "100", "2.5", "2"),  # 2.5
        ("JPY", "140", "2.5", "4"),  # 3.5
        ("JPY", "1", "50", "0"),  # 0.5
        ("KWD", "1", "2.55", "0.026"),  # 0.0255
        ("KWD", "1", "2.45", "0.024"),  # 0.0245
        ("KWD", "0.001", "50", "0"),  # 0.0005
    ],
)
def test_half_a_unit_of_the_currency_goes_to_the_even_one(currency: str, amount: str, rate: str, expected: str) -> None:
    minor = money.to_minor(Decimal(amount), currency)
    assert money.to_text(fee(minor, Tariff(fee_rate=Decimal(rate))), currency) == expected
    assert money.to_text(reserve(minor, minor, rate=Decimal(rate)), currency) == expected


@pytest.mark.parametrize(
    "tariff, expected",
    [
        (Tariff(), 0),
        (Tariff(fee_rate=Decimal("2.5"), fee_fix=30), 280),
        (Tariff(fee_rate=Decimal("2.5"), fee_fix=30, fee_min=500), 500),
        (Tariff(fee_rate=Decimal("2.5"), fee_fix=30, fee_max=100), 100),
        (Tariff(fee_min=500, fee_max=100), 100),
        (Tariff(fee_fix=20_000), 10_000),
        (Tariff(fee_min=20_000), 10_000),
        (Tariff(fee_rate=Decimal(100)), 10_000),
    ],
)
def test_a_fee_of_a_hundred_follows_its_tariff(tariff: Tariff, expected: int) -> None:
    assert fee(10_000, tariff) == expected


def test_who_pays_the_fee_decides_what_the_others_pay_and_get() -> None:
    tariff = Tariff(fee_rate=Decimal("2.5"), fee_fix=30)
    assert parts(10_000, tariff, payer_pays=False) == Parts(payment_amount=10_000, fee=280, deposit=9_720)
    assert parts(10_000, tariff, payer_pays=True) == Parts(payment_amount=10_280, fee=280, deposit=10_000)


@given(amount=amounts, rate=rates)
@example(amount=AMOUNT_MAX - 1, rate=Decimal("33.333333333333333333333333333"))
def test_a_reserve_is_the_exact_share_rounded_once_and_no_more_than_the_deposit(amount: int, rate: Decimal) -> None:
    share = fee(amount, Tariff(fee_rate=rate))
    assert reserve(amount, amount, rate=rate) == share
    assert reserve(amount, share // 2, rate=rate) == share // 2
    assert reserve(amount, 0, rate=rate) == 0
