import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.cardgate import brands, issuers


@pytest.mark.parametrize(
    "number,code,grouped",
    [
        ("4412397212080000", "visa", "4412 3972 1208 0000"),
        ("5123817234060000", "mastercard", "5123 8172 3406 0000"),
        ("2221000000000009", "mastercard", "2221 0000 0000 0009"),
        ("2720990000000007", "mastercard", "2720 9900 0000 0007"),
        ("371449635398431", "amex", "3714 496353 98431"),
        ("6200000000000005", "unionpay", "6200 0000 0000 0005"),
        ("3530111333300000", "jcb", "3530 1113 3330 0000"),
        ("6011111111111117", "discover", "6011 1111 1111 1117"),
        ("30569309025904", "diners", "3056 930902 5904"),
        ("6759649826438453", "maestro", "6759 6498 2643 8453"),
        ("2204883716636153", "mir", "2204 8837 1663 6153"),
    ],
)
def test_a_number_belongs_to_its_brand_and_is_written_as_on_the_card(number: str, code: str, grouped: str) -> None:
    brand = brands.find(number)
    assert brand is not None
    assert brand.code == code
    assert brands.grouped(number) == grouped
    assert brands.luhn(number)
    assert len(number) in brand.lengths


def test_no_two_brands_claim_the_same_digits() -> None:
    claims = [(low, high, brand.code) for brand in brands.BRANDS for low, high in brand.ranges]
    for low, high, code in claims:
        for other_low, other_high, other in claims:
            width = min(len(low), len(other_low))
            apart = high[:width] < other_low[:width] or other_high[:width] < low[:width]
            assert apart or code == other, (code, other)


@pytest.mark.parametrize("number", ["", "9", "2720", "0000000000000000"])
def test_few_or_foreign_digits_belong_to_nobody_or_to_whom_they_say(number: str) -> None:
    found = brands.find(number)
    assert (found.code if found else None) == ("mastercard" if number == "2720" else None)


@given(st.text("0123456789", min_size=11, max_size=18), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(body: str, place: int, off: int) -> None:
    number = next(f"{body}{check}" for check in range(10) if brands.luhn(f"{body}{check}"))
    place %= len(number)
    wrong = f"{number[:place]}{(int(number[place]) + off) % 10}{number[place + 1 :]}"
    assert not brands.luhn(wrong)


def test_the_seeds_issuer_is_known_and_others_are_not() -> None:
    assert issuers.find("5123817234060000") == issuers.Issuer(name="FIRST DATA CORPORATION", country="US")
    assert issuers.find("9999990000000000") is None
