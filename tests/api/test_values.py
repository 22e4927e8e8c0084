"""Amounts and times in every spelling that a client may send (contract#formats)."""

import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest

from kassa.clock import Clock
from tests.support.api import INVOICES, Answer, Client, private_body
from tests.support.office import Office

MINUTE = 60
DAY = 24 * 60 * MINUTE


def with_amount(text: str, **changes: object) -> bytes:
    return json.dumps(private_body(amount="THE AMOUNT", **changes)).replace('"THE AMOUNT"', text).encode()


def written(answer: Answer, member: str) -> str:
    match = re.search(rf'"{member}":([^,}}]+)', answer.text)
    assert match is not None
    return match[1]


@pytest.mark.parametrize(
    "text,shown",
    [
        ("100", "100"),
        ("100.0", "100"),
        ("100.000", "100"),
        ("1e2", "100"),
        ("1E+2", "100"),
        ("10000e-2", "100"),
        ('"100"', "100"),
        ('"10.00"', "10"),
        ('"100.000"', "100"),
        ("0.01", "0.01"),
        ("123.45", "123.45"),
        ("123.4500000000000000000000000000000000", "123.45"),
        ('"0123.40"', "123.4"),
        ("0.29", "0.29"),
        ("4.35", "4.35"),
        ("999999.99", "999999.99"),
        ("1000000", "1000000"),
    ],
)
async def test_an_amount_is_taken_by_its_value_and_written_in_its_shortest_form(
    shop: Client, text: str, shown: str
) -> None:
    answer = await shop.call("POST", INVOICES, body=with_amount(text))
    assert answer.status == 201, answer.text
    for member in ("amount", "payment_amount", "deposit", "service_amount"):
        assert written(answer, member) == shown
    public = await shop.read_publicly(answer.data["id"])
    assert written(public, "amount") == shown


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        '"NaN"',
        '"sNaN"',
        "Infinity",
        "-Infinity",
        '"Infinity"',
        '"-inf"',
        "1e400",
        "1e300",
        "1e401",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        '"1e400"',
        '"1e999999"',
        "-1",
        "-0.01",
        "0",
        "0.00",
        "-0.0",
        "1e-400",
        "0.001",
        "123.456",
        "1.00000000000000000000000000000000000001",
        '"0.005"',
        "true",
        "false",
        "null",
        "[]",
        "[100]",
        "{}",
        '""',
        '" "',
        '" 100"',
        '"100 "',
        '"1,000"',
        '"1 000"',
        '"1_000"',
        '"0x64"',
        '"+100"',
        '"１００"',
        '"abc"',
        '"100\\n"',
        "1000000.01",
        "1e15",
        "99999999999999999999999999",
    ],
)
async def test_what_is_no_amount_is_refused_by_name(office: Office, shop: Client, text: str) -> None:
    before = await office.rows(shop.keys.id)
    answer = await shop.call("POST", INVOICES, body=with_amount(text))
    assert list(answer.errors) == ["amount"], text
    body = json.dumps(shop.public_body(amount="THE AMOUNT")).replace('"THE AMOUNT"', text).encode()
    answer = await shop.call("POST", "/public-api/payment-invoices", body=body, anonymous=True)
    assert list(answer.errors) == ["amount"], text
    assert await office.rows(shop.keys.id) == before


@pytest.fixture(scope="module")
async def abroad(office: Office) -> Client:
    """An account with services of currencies without decimals and with three."""
    for code, currency in (("payment_card_jpy_hpp", "JPY"), ("payment_card_kwd_hpp", "KWD")):
        await office.owner.execute(
            "INSERT INTO services (service, method, flow, currency, amount_min, amount_max)"
            " VALUES ($1, 'payment_card', 'hpp', $2, 1, 100000000) ON CONFLICT DO NOTHING",
            code,
            currency,
        )
    return await office.account(services=("payment_card_jpy_hpp", "payment_card_kwd_hpp"))


@pytest.mark.parametrize(
    "currency,text,shown",
    [
        ("JPY", "100", "100"),
        ("JPY", '"100.00"', "100"),
        ("JPY", "1", "1"),
        ("JPY", "0.5", None),
        ("JPY", "100.5", None),
        ("KWD", "1.234", "1.234"),
        ("KWD", "1.2", "1.2"),
        ("KWD", '"1.2340"', "1.234"),
        ("KWD", "0.001", "0.001"),
        ("KWD", "1.2345", None),
    ],
)
async def test_an_amount_has_as_many_decimals_as_its_currency(
    abroad: Client, currency: str, text: str, shown: str | None
) -> None:
    service = f"payment_card_{currency.lower()}_hpp"
    answer = await abroad.call("POST", INVOICES, body=with_amount(text, currency=currency, service=service))
    if shown is None:
        assert list(answer.errors) == ["amount"]
    else:
        assert answer.status == 201, answer.text
        assert written(answer, "amount") == shown


async def expiry(office: Office, answer: Answer) -> int:
    rows: list[dict[str, Any]] = await office.fetch(
        "SELECT expires_at FROM invoices WHERE invoice_id = $1", answer.data["id"]
    )
    return int(rows[0]["expires_at"].timestamp())


async def test_an_invoice_lives_for_as_long_as_the_account_says(office: Office, shop: Client) -> None:
    made = await shop.create()
    assert await expiry(office, made) == made.attributes["created"] + 30 * MINUTE
    hour = await office.account(lifetime_minutes="60")
    made = await hour.create()
    assert await expiry(office, made) == made.attributes["created"] + 60 * MINUTE


async def test_the_expiry_may_be_asked_for_in_unix_seconds_and_in_iso_8601(office: Office, shop: Client) -> None:
    moment = (Clock.real() + timedelta(hours=3)).replace(microsecond=0)
    seconds = int(moment.timestamp())
    for spelling in (
        seconds,
        str(seconds),
        moment.isoformat(),
        f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        f"{moment:%Y-%m-%d %H:%M:%S}",
        (moment + timedelta(hours=2)).replace(tzinfo=None).isoformat() + "+02:00",
    ):
        for made in (await shop.create(expires=spelling), await shop.create_publicly(expires=spelling)):
            assert await expiry(office, made) == seconds, spelling


async def test_an_invoice_lives_from_14_minutes_to_2_days(shop: Client) -> None:
    now = int(Clock.real().timestamp())
    for seconds in (14 * MINUTE + 2, 2 * DAY - 2):
        assert (await shop.create(expires=now + seconds)).status == 201
        assert (await shop.create(reference_id=str(uuid.uuid4()), expires=now + seconds)).status == 201
    for seconds in (-DAY, 0, 13 * MINUTE, 2 * DAY + MINUTE, 400 * DAY):
        assert list((await shop.create(expires=now + seconds)).errors) == ["expires"], seconds


@pytest.mark.parametrize(
    "moment",
    [
        "tomorrow",
        "",
        "2026-13-45T00:00:00Z",
        "2020-12-13T15:52:00+00:00",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
        -1,
        0,
        10**18,
        10**30,
        str(10**30),
        1.5,
        True,
        [],
        {},
        "٣",
        "1e10",
    ],
)
async def test_a_moment_that_is_none_is_refused_by_name(shop: Client, moment: object) -> None:
    assert list((await shop.create(expires=moment)).errors) == ["expires"]
    assert list((await shop.create_publicly(expires=moment)).errors) == ["expires"]
