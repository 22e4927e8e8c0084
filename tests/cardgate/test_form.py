from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.cardgate.form import Entry, Fault, Field, check, read
from kassa.errors import BadRequest
from kassa.providers.protocol import Card
from tests.support.sessions import NOW

GOOD = {"number": "1", "card_number": "5123 8172 3406 0000", "expiry": "12 / 30", "cvc": "123"}


def sent(**changes: str) -> Entry:
    return read(urlencode({**GOOD, **changes}).encode())


def faults(*, now: datetime = NOW, test_mode: bool = False, **changes: str) -> dict[Field, Fault]:
    found = check(sent(**changes), now=now, test_mode=test_mode)
    return {} if isinstance(found, Card) else found


@pytest.mark.parametrize(
    "number",
    [
        "5123817234060000",
        "5123-8172-3406-0000",
        "  5123\u00a08172\u20093406\u20110000 ",
        "5123.8172.3406.0000",
        "\uff15\uff11\uff12\uff13817234060000",
    ],
)
def test_a_number_is_taken_however_it_is_pasted(number: str) -> None:
    found = check(sent(card_number=number), now=NOW, test_mode=False)
    assert isinstance(found, Card)
    assert found.number == "5123817234060000"


@pytest.mark.parametrize(
    "number,fault",
    [
        ("", Fault.MISSING),
        ("   ", Fault.MISSING),
        ("5123817234060001", Fault.WRONG),
        ("512381723406000", Fault.WRONG),
        ("51238172340600000", Fault.WRONG),
        ("5123 8172 3406 000x", Fault.WRONG),
        ("0" * 11, Fault.WRONG),
        ("0" * 20, Fault.WRONG),
        ("\u0665\u0661\u0662\u0663817234060000", Fault.WRONG),
        ("2204883716636153", Fault.UNACCEPTED),
        ("2200", Fault.UNACCEPTED),
    ],
)
def test_a_number_that_cannot_be_right_is_refused(number: str, fault: Fault) -> None:
    assert faults(card_number=number) == {Field.NUMBER: fault}


@pytest.mark.parametrize(
    "text,month,year",
    [
        ("12/30", 12, 2030),
        ("1/30", 1, 2030),
        ("01 / 2030", 1, 2030),
        ("0130", 1, 2030),
        ("130", 1, 2030),
        ("1230", 12, 2030),
        ("122030", 12, 2030),
        ("12-30", 12, 2030),
        ("12 30", 12, 2030),
        ("2030-12", 12, 2030),
        (" 12/30 ", 12, 2030),
    ],
)
def test_a_date_is_taken_however_it_is_written(text: str, month: int, year: int) -> None:
    found = check(sent(expiry=text), now=NOW, test_mode=False)
    assert isinstance(found, Card)
    assert (found.expiry_month, found.expiry_year) == (month, year)


@pytest.mark.parametrize("text", ["13/99999", "12", "12/3", "12/030", "ab/cd", "12/30/01", "9999999", "-1/30"])
def test_what_is_no_date_is_refused(text: str) -> None:
    assert faults(expiry=text, test_mode=True) == {Field.EXPIRY: Fault.WRONG}


@pytest.mark.parametrize("text", ["13/30", "00/30", "0/30", "13 / 2030", "1330", "2030-13"])
def test_a_month_that_there_is_not_is_named_as_what_is_wrong(text: str) -> None:
    assert faults(expiry=text, test_mode=True) == {Field.EXPIRY: Fault.MONTH}


@pytest.mark.parametrize(
    "now,expected",
    [
        (datetime(2026, 11, 30, 23, 59, tzinfo=UTC), {}),
        (datetime(2026, 12, 1, 11, 59, tzinfo=UTC), {}),
        (datetime(2026, 12, 1, 12, tzinfo=UTC), {Field.EXPIRY: Fault.PAST}),
    ],
)
def test_a_card_is_good_until_its_month_is_over_everywhere(now: datetime, expected: dict[Field, Fault]) -> None:
    assert faults(expiry="11/26", now=now) == expected


def test_dates_past_or_far_are_refused_in_live_mode_alone() -> None:
    assert faults(expiry="10/26") == {Field.EXPIRY: Fault.PAST}
    assert faults(expiry="07/77") == {Field.EXPIRY: Fault.FAR}
    assert faults(expiry="01/25", test_mode=True) == {}
    assert faults(expiry="07/77", test_mode=True) == {}


@pytest.mark.parametrize(
    "number,code,expected",
    [
        ("5123817234060000", "12", {Field.CODE: Fault.WRONG}),
        ("5123817234060000", "1234", {Field.CODE: Fault.WRONG}),
        ("5123817234060000", "12a", {Field.CODE: Fault.WRONG}),
        ("5123817234060000", "", {Field.CODE: Fault.MISSING}),
        ("371449635398431", "123", {Field.CODE: Fault.WRONG}),
        ("371449635398431", "1234", {}),
    ],
)
def test_a_code_has_as_many_digits_as_its_brand_says(number: str, code: str, expected: dict[Field, Fault]) -> None:
    assert faults(card_number=number, cvc=code) == expected


def test_every_fault_is_found_at_once() -> None:
    assert faults(card_number="1", expiry="", cvc="x") == {
        Field.NUMBER: Fault.WRONG,
        Field.EXPIRY: Fault.MISSING,
        Field.CODE: Fault.WRONG,
    }


@pytest.mark.parametrize("token,attempt", [("3", 3), ("", 0), ("-1", 0), ("1e3", 0), ("9" * 99, 0), ("\u0663", 0)])
def test_the_token_is_a_small_number_or_nothing(token: str, attempt: int) -> None:
    assert sent(number=token).attempt == attempt


@pytest.mark.parametrize(
    "body",
    [b"card_number=1&card_number=2", b"cvc=1&cvc=1", b"\xff", "ф=1".encode(), b"a=%ff", b"&".join([b"a=1"] * 30)],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read(body)


@given(st.dictionaries(st.sampled_from(list(GOOD)), st.text(max_size=40)))
def test_any_text_is_either_a_card_or_told_what_is_wrong(fields: dict[str, str]) -> None:
    found = check(read(urlencode({**GOOD, **fields}, errors="replace").encode()), now=NOW, test_mode=False)
    assert isinstance(found, Card) or found


def test_nothing_of_a_card_shows_when_the_entry_is_printed() -> None:
    entry = sent()
    shown = f"{entry!r} {entry!s} {check(entry, now=NOW, test_mode=False)!r}"
    assert not any(secret in shown for secret in ("5123", "0000", "123"))
