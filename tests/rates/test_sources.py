"""What banks publish is read to the digit; what is not that is refused whole."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from kassa.errors import RatesUnreadable
from kassa.rates.model import Quote, Source
from kassa.rates.sources import cbr, ecb, nbu
from tests.support import rates

DAY = datetime(2026, 11, 24, tzinfo=UTC)


def plain(quotes: list[Quote]) -> dict[tuple[str, str], str]:
    assert {each.valid_from for each in quotes} == {DAY}
    assert {each.valid_until for each in quotes} == {None}
    return {(each.base, each.quote): str(each.rate) for each in quotes}


def test_the_ecbs_rates_are_what_a_euro_is() -> None:
    found = ecb.read(rates.ecb({"USD": "1.0821", "JPY": "163.55", "XQQ": "7"}))
    assert {each.source for each in found} == {Source.ECB}
    assert plain(found) == {("EUR", "USD"): "1.0821", ("EUR", "JPY"): "163.55"}


def test_the_nbus_rates_are_hryvnias_and_exact() -> None:
    found = nbu.read(rates.nbu({"USD": "41.2537", "EUR": "43.0", "XAU": "109001.123456", "ZZZ": "1"}))
    assert {each.source for each in found} == {Source.NBU}
    assert plain(found) == {("USD", "UAH"): "41.2537", ("EUR", "UAH"): "43.0", ("XAU", "UAH"): "109001.123456"}


def test_the_cbrs_rates_are_of_so_many_units_and_have_a_comma() -> None:
    found = cbr.read(
        rates.cbr({"USD": (1, "100,0348"), "JPY": (100, "65,1234"), "UZS": (10000, "78,25"), "ZZZ": (1, "1")})
    )
    assert {each.source for each in found} == {Source.CBR}
    assert plain(found) == {("USD", "RUB"): "100.0348", ("JPY", "RUB"): "0.651234", ("UZS", "RUB"): "0.007825"}


def test_what_comes_along_is_the_ecbs_and_of_one_day() -> None:
    found = {each.quote: each for each in ecb.bundled()}
    assert len(found) >= 25
    assert {each.source for each in found.values()} == {Source.ECB}
    assert {each.base for each in found.values()} == {"EUR"}
    assert len({each.valid_from for each in found.values()}) == 1
    assert found["USD"].valid_from >= datetime(2026, 10, 1, tzinfo=UTC)
    assert Decimal("0.5") < found["USD"].rate < 2


BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<ValCurs Date="24.11.2026"><Valute><CharCode>USD</CharCode><Nominal>1</Nominal><Value>&a;</Value></Valute></ValCurs>"""
NAMED = b"""<?xml version="1.0"?><!DOCTYPE ValCurs SYSTEM "http://127.0.0.1:9/x.dtd">
<ValCurs Date="24.11.2026"><Valute><CharCode>USD</CharCode><Nominal>1</Nominal><Value>1</Value></Valute></ValCurs>"""


@pytest.mark.parametrize(
    "body", [BOMB, OUTSIDE, NAMED, b"", b"<", b"\xff\xfe", b"<x/>", b"{}", b"<html>blocked</html>"]
)
def test_hostile_and_broken_xml_is_refused(body: bytes) -> None:
    for read in (ecb.read, cbr.read):
        with pytest.raises(RatesUnreadable):
            read(body)


@pytest.mark.parametrize("value", ["", "0", "0,00", "-1,5", "NaN", "1e5", "1 234,5", "1,2,3", "&#1635;", "x", "9" * 30])
def test_a_rate_that_is_none_is_refused_with_all_its_company(value: str) -> None:
    with pytest.raises(RatesUnreadable):
        cbr.read(rates.cbr({"USD": (1, "100,5"), "EUR": (1, value)}))
    with pytest.raises(RatesUnreadable):
        ecb.read(rates.ecb({"USD": "1.5", "GBP": value}))


@pytest.mark.parametrize("value", ["0", "-1", "null", '"x"', "true", "[]", "1e400", "1e999999999"])
def test_a_rate_of_the_nbus_that_is_none_is_refused_with_all_its_company(value: str) -> None:
    with pytest.raises(RatesUnreadable):
        nbu.read(rates.nbu({"USD": "41.5", "EUR": value}))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[1]", b"\xff", b'[{"cc": "USD", "rate": 41.5}]'])
def test_what_is_not_the_nbus_list_is_refused(body: bytes) -> None:
    with pytest.raises(RatesUnreadable):
        nbu.read(body)


def test_rates_of_two_days_are_refused() -> None:
    both = rates.nbu({"USD": "41.5"})[:-1] + b"," + rates.nbu({"EUR": "43"}, date(2026, 11, 23))[1:]
    with pytest.raises(RatesUnreadable):
        nbu.read(both)


@pytest.mark.parametrize("day", [b"", b"31.02.2026", b"2026-11-24T", b"x"])
def test_a_day_that_is_none_is_refused(day: bytes) -> None:
    with pytest.raises(RatesUnreadable):
        cbr.read(rates.cbr({"USD": (1, "100")}).replace(b"24.11.2026", day))
    with pytest.raises(RatesUnreadable):
        ecb.read(rates.ecb({"USD": "1.1"}).replace(b"2026-11-24", day))


def test_a_nominal_of_nothing_is_refused() -> None:
    with pytest.raises(RatesUnreadable):
        cbr.read(rates.cbr({"USD": (0, "100")}))


def test_a_list_without_a_currency_that_is_known_is_refused() -> None:
    with pytest.raises(RatesUnreadable, match="EUR"):
        ecb.read(rates.ecb({"XQQ": "1", "EUR": "1"}))
