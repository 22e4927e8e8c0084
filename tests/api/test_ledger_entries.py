"""The account's journal over the API: pages, filters, and no one else's entries."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support import ledger
from tests.support.api import Client
from tests.support.ledger import START, paid
from tests.support.office import Office
from tests.support.waiting import until

PATH = "/api/ledger-entries"
TEST = "filter[test_mode]=true"


@pytest.fixture(scope="module")
async def booked(office: Office) -> Client:
    """An account with ten entries of test mode, one a minute, the last in JPY, and one of live mode."""
    shop = await office.account()
    account_id = shop.keys.id
    for place in range(9):
        entry = paid(place, reserve=100 if place % 3 == 0 else 0)
        await ledger.post(office.pool, account_id, entry, now=START + timedelta(minutes=place))
        await numbered(office, account_id, place + 1)
    last = paid(9, currency="JPY", paid=500, fee=0, reserve=0)
    await ledger.post(office.pool, account_id, last, now=START + timedelta(minutes=9))
    await ledger.post(office.pool, account_id, paid(10), test_mode=False)
    await numbered(office, account_id, 11)
    return shop


async def numbered(office: Office, account_id: str, count: int) -> None:
    """Wait for the worker to number entries."""

    async def all_of_them() -> bool:
        rows = await office.fetch("SELECT number FROM ledger_journal WHERE account_id = $1", account_id)
        return len(rows) == count

    await until(all_of_them, what="the entries' numbers")


async def listed(shop: Client, query: str) -> Any:
    answer = await shop.call("GET", f"{PATH}?{query}")
    assert answer.status == 200, answer.text
    return answer.document


def numbers(document: Any) -> list[int]:
    return [row["attributes"]["number"] for row in document["data"]]


async def test_an_entry_says_what_moved_and_what_is_there_then(booked: Client) -> None:
    document = await listed(booked, f"{TEST}&page[after]=3&page[size]=1")
    assert document == {
        "meta": {"count": 1, "size": 1, "before": "4", "after": "4"},
        "links": {
            "prev": f"{PATH}?page[after]=4&page[size]=1&filter[test_mode]=true",
            "next": f"{PATH}?page[before]=4&page[size]=1&filter[test_mode]=true",
        },
        "data": [
            {
                "type": "ledger-entries",
                "id": "processed:pay_3",
                "attributes": {
                    "number": 4,
                    "recipe": "processed",
                    "test_mode": True,
                    "created": int((START + timedelta(minutes=3)).timestamp()),
                    "transfers": [
                        {"debit": "provider", "credit": "active", "amount": 10, "currency": "USD"},
                        {"debit": "active", "credit": "fees", "amount": Decimal("0.25"), "currency": "USD"},
                        {"debit": "active", "credit": "reserved", "amount": 1, "currency": "USD"},
                    ],
                    "balances": {
                        "provider": {"USD": 40},
                        "active": {"USD": 37},
                        "reserved": {"USD": 2},
                        "fees": {"USD": 1},
                    },
                },
                "relationships": {
                    "payment-invoice": {"data": {"type": "payment-invoices", "id": "cpi_0000000000000003"}}
                },
            }
        ],
    }


@pytest.mark.parametrize("size", [1, 3, 4, 10, 100])
async def test_pages_lead_down_and_up_again_without_a_gap(booked: Client, size: int) -> None:
    path, down, up = f"{PATH}?{TEST}&page[size]={size}", list[int](), list[int]()
    newer = ""
    while path:
        page = (await booked.call("GET", path)).document
        down += numbers(page)
        path, newer = page["links"]["next"], page["links"]["prev"]
    assert down == list(range(10, 0, -1))
    path = f"{PATH}?{TEST}&page[size]={size}&page[after]=1"
    while path:
        page = (await booked.call("GET", path)).document
        up = numbers(page) + up
        path = page["links"]["prev"]
    assert up == list(range(10, 1, -1))
    assert bool(newer) == (size < 10)


@pytest.mark.parametrize(
    "query, expected",
    [
        ("", [1]),
        ("filter[test_mode]=false", [1]),
        ("test_mode=false", [1]),
        (f"{TEST}&filter[ledger_account]=reserved", [7, 4, 1]),
        (f"{TEST}&filter[ledger_account]=pending", []),
        (f"{TEST}&filter[currency]=JPY", [10]),
        (f"{TEST}&filter[currency]=JPY&filter[ledger_account]=fees", []),
        (f"{TEST}&filter[currency]=", list(range(10, 0, -1))),
        (f"{TEST}&filter[created][from]={int(START.timestamp()) + 420}", [10, 9, 8]),
        (f"{TEST}&filter[created][to]=2026-03-01T12:01:00Z", [2, 1]),
        (f"{TEST}&filter[created][from]=2026-03-01T12:02:00Z&filter[created][to]=2026-03-01T12:03:00Z", [4, 3]),
        (f"{TEST}&filter[created][from]=2026-03-01T12:02:00Z&filter[created][to]=2026-03-01T12:02:59Z", [3]),
        (f"{TEST}&filter[created][from]=2027-01-01T00:00:00Z", []),
    ],
)
async def test_filters_choose(booked: Client, query: str, expected: list[int]) -> None:
    assert numbers(await listed(booked, query)) == expected


async def test_an_invoices_entries_are_found(office: Office) -> None:
    shop = await office.account()
    tag = shop.keys.id.removeprefix("coma_")[:4]
    invoice_id = f"cpi_{tag}000000000001"
    entries = [paid(1), replace(paid(2), invoice_id=invoice_id), replace(paid(3), invoice_id=invoice_id)]
    await ledger.post(office.pool, shop.keys.id, *entries)
    await numbered(office, shop.keys.id, 3)
    found = await listed(shop, f"{TEST}&filter[invoice]={invoice_id}")
    assert sorted(row["id"] for row in found["data"]) == ["processed:pay_2", "processed:pay_3"]
    other = f"cpi_{tag}000000000009"
    assert (await listed(shop, f"{TEST}&filter[invoice]={other}"))["data"] == []


async def test_nobody_sees_another_accounts_entries(booked: Client, fresh: Client) -> None:
    assert await listed(fresh, TEST) == {
        "meta": {"count": 0, "size": 20, "before": "", "after": ""},
        "links": {"prev": "", "next": ""},
        "data": [],
    }
    assert numbers((await booked.call("GET", f"/ledger-entries/?{TEST}")).document) == list(range(10, 0, -1))
    assert (await booked.call("GET", PATH, anonymous=True)).status == 401


@pytest.mark.parametrize(
    "query",
    [
        "filter[recipe]=processed",
        "filter[ledger_account]=cash",
        "filter[test_mode]=both",
        "test_mode=both",
        "test_mode=true&filter[test_mode]=true",
        "currency=USD",
        "filter[invoice]=cpi_0000000000000000",
        "filter[invoice]=x",
        "filter[currency]=%00",
        "filter[created][from]=yesterday",
        "page[before]=0",
        "page[before]=x",
        "page[after]=-1",
        "page[after]=1&page[before]=3",
        "page[size]=0",
        "page[size]=101",
        "page[number]=1",
        "filter[ledger_account]=fees&filter[ledger_account]=fees",
    ],
)
async def test_what_cannot_be_asked_is_refused(fresh: Client, query: str) -> None:
    assert (await fresh.call("GET", f"{PATH}?{query}")).status == 400
