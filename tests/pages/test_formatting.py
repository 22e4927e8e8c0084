from datetime import UTC, datetime

import pytest

from kassa.pages.formatting import clock, moment, money


@pytest.mark.parametrize(
    "minor,currency,language,expected",
    [
        (12345, "USD", "en", "$123.45"),
        (123450, "UAH", "ru", "1\u00a0234,50\u00a0₴"),
        (10000, "USD", "uk", "100,00\u00a0USD"),
        (1000, "UAH", "en", "UAH\u00a010.00"),
        (123, "JPY", "en", "¥123"),
        (1234, "KWD", "en", "KWD\u00a01.234"),
        (150, "XTS", "en", "XTS\u00a01.50"),
    ],
)
def test_an_amount_is_written_as_the_language_writes_it(
    minor: int, currency: str, language: str, expected: str
) -> None:
    assert money(minor, currency, language) == expected


def test_a_price_is_never_rounded() -> None:
    assert money(10050, "AFN", "en") == "AFN\u00a0100.50"


def test_a_moment_names_its_month_and_zone() -> None:
    assert moment(datetime(2026, 1, 5, 3, 4, tzinfo=UTC), "uk") == "5 січня 2026\u202fр., 03:04 UTC"


@pytest.mark.parametrize("seconds,expected", [(1745, "29:05"), (59, "0:59"), (7265, "2:01:05"), (-3, "0:00")])
def test_the_time_left_reads_like_a_clock(seconds: int, expected: str) -> None:
    assert clock(seconds) == expected
