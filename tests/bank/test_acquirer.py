import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, TypedDict

import pytest

from tests.support import bank as banks
from tests.support.bank import OTHER_ID, OTHER_SECRET, Bank, order_body

NOWHERE = "http://127.0.0.1:9/notices"


class Other(TypedDict):
    """Another merchant calls."""

    merchant_id: str
    secret: str


def without_names(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("transaction", "created_at", "updated_at")}


async def test_a_purchase_is_taken_and_shown(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE)
    assert without_names(placed) == {
        "order": "pay_1",
        "state": "APPROVED",
        "amount": 1000,
        "currency": "EUR",
        "check_only": False,
        "card": {"first6": "551928", "last4": "0000", "expiry": "12/30"},
        "wallet": None,
        "scenario": None,
        "response": {"code": "00", "text": "Approved"},
        "authentication": None,
        "confirmation": None,
        "rrn": "700000000001",
        "approval_code": placed["approval_code"],
        "booked_at": placed["updated_at"],
        "charge_backs": [],
    }
    assert len(placed["approval_code"]) == 6
    assert await bank.call("GET", "/purchases/pay_1") == (200, placed)
    assert await bank.call("GET", f"/purchases?transaction={placed['transaction']}") == (200, placed)


async def test_the_same_order_again_is_shown_and_not_taken_twice(bank: Bank) -> None:
    answers = await asyncio.gather(*(bank.place("pay_1", notify_url=NOWHERE) for _ in range(10)))
    assert all(answer == answers[0] for answer in answers)
    _, statement = await bank.call("GET", "/statement")
    assert [line["order"] for line in statement["lines"]] == ["pay_1"]


@pytest.mark.parametrize(
    "change", [{"amount": 1001}, {"currency": "USD"}, {"expiry": "11/30"}, {"number": "4302912837020000"}]
)
async def test_an_order_with_other_particulars_is_a_conflict(bank: Bank, change: dict[str, Any]) -> None:
    first = await bank.place("pay_1", notify_url=NOWHERE)
    status, _ = await bank.call("PUT", "/purchases/pay_1", order_body(NOWHERE, **change))
    assert status == 409
    assert await bank.call("GET", "/purchases/pay_1") == (200, first)


async def test_a_check_takes_nothing(bank: Bank) -> None:
    checked = await bank.place("pay_1", notify_url=NOWHERE, check_only=True)
    assert (checked["state"], checked["check_only"]) == ("APPROVED", True)
    assert await bank.call("GET", "/statement") == (200, {"lines": [], "next": None})
    _, refund = await bank.call("PUT", "/purchases/pay_1/refunds/ref_1", {"amount": 1, "currency": "EUR"})
    assert refund["state"] == "REFUSED"


async def test_refunds_go_as_far_as_the_purchase(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    asked = [("ref_1", 600), ("ref_2", 500), ("ref_3", 400), ("ref_4", 1)]
    given = [
        (await bank.call("PUT", f"/purchases/pay_1/refunds/{name}", {"amount": amount, "currency": "EUR"}))[1]
        for name, amount in asked
    ]
    assert [(each["state"], each["response"]["code"]) for each in given] == [
        ("APPROVED", "00"),
        ("REFUSED", "13"),
        ("APPROVED", "00"),
        ("REFUSED", "13"),
    ]
    _, statement = await bank.call("GET", "/statement")
    assert [(line["kind"], line["refund"], line["amount"]) for line in statement["lines"]] == [
        ("PURCHASE", None, 1000),
        ("REFUND", "ref_1", 600),
        ("REFUND", "ref_3", 400),
    ]


async def test_a_refund_is_given_once_under_each_name(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    body = {"amount": 300, "currency": "EUR"}
    answers = await asyncio.gather(*(bank.call("PUT", "/purchases/pay_1/refunds/ref_1", body) for _ in range(5)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][1]["state"] == "APPROVED"
    status, _ = await bank.call("PUT", "/purchases/pay_1/refunds/ref_1", {"amount": 301, "currency": "EUR"})
    assert status == 409
    _, statement = await bank.call("GET", "/statement")
    assert [line["kind"] for line in statement["lines"]] == ["PURCHASE", "REFUND"]


async def test_a_refund_is_shown_under_its_order_alone(bank: Bank) -> None:
    for order in ("pay_1", "pay_2"):
        await bank.place(order, notify_url=NOWHERE)
    given = await bank.call("PUT", "/purchases/pay_1/refunds/ref_1", {"amount": 1, "currency": "EUR"})
    assert await bank.call("GET", "/purchases/pay_1/refunds/ref_1") == given
    for path in ("/purchases/pay_2/refunds/ref_1", "/purchases/pay_1/refunds/ref_2", "/purchases/no/refunds/ref_1"):
        assert (await bank.call("GET", path))[0] == 404
    other = Other(merchant_id=OTHER_ID, secret=OTHER_SECRET)
    assert (await bank.call("GET", "/purchases/pay_1/refunds/ref_1", **other))[0] == 404


async def test_a_refund_in_another_currency_or_of_a_refused_purchase_is_refused(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    await bank.place("pay_2", notify_url=NOWHERE, number="4302912837020000")
    for path, currency in (("/purchases/pay_1/refunds/ref_1", "USD"), ("/purchases/pay_2/refunds/ref_2", "EUR")):
        status, given = await bank.call("PUT", path, {"amount": 1, "currency": currency})
        assert (status, given["state"], given["response"]["code"]) == (200, "REFUSED", "12")


async def test_the_statement_comes_page_by_page(bank: Bank) -> None:
    for number in range(151):
        await bank.place(f"pay_{number}", notify_url=NOWHERE)
    _, first = await bank.call("GET", "/statement")
    _, second = await bank.call("GET", f"/statement?after={first['next']}")
    orders = [line["order"] for line in first["lines"] + second["lines"]]
    assert (len(first["lines"]), second["next"]) == (150, None)
    assert orders == [f"pay_{number}" for number in range(151)]


async def test_the_statement_of_a_time_begins_with_its_first_second_and_ends_before_its_last(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE)
    await bank.call("PUT", "/purchases/pay_1/refunds/ref_1", {"amount": 1, "currency": "EUR"})
    taken = placed["updated_at"]
    for since, until, shown in (
        (taken, taken + 5, ["PURCHASE", "REFUND"]),
        (taken - 5, taken, []),
        (taken + 5, taken + 10, []),
    ):
        status, statement = await bank.call("GET", f"/statement?since={since}&until={until}")
        assert (status, [line["kind"] for line in statement["lines"]]) == (200, shown)


async def test_a_purchase_stays_in_its_time_when_it_is_charged_back_later(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE)
    bank.clock.test_offset += timedelta(days=9)
    for amount in ("2.50", "1"):
        assert await bank.charge_back("pay_1", amount) == 303
    bank.clock.test_offset = timedelta()
    later = placed["updated_at"] + 86_400
    _, before = await bank.call("GET", f"/statement?until={later}")
    _, after = await bank.call("GET", f"/statement?since={later}")
    assert [line["kind"] for line in before["lines"]] == ["PURCHASE"]
    assert [(line["kind"], line["amount"], line["charged_back"]) for line in after["lines"]] == [
        ("CHARGE_BACK", 250, 250),
        ("CHARGE_BACK", 100, 350),
    ]


@pytest.mark.parametrize("period", ["since=x", "until=-1", "since=1.5", "until=", "since=999999999999"])
async def test_a_time_that_is_none_is_refused(bank: Bank, period: str) -> None:
    assert (await bank.call("GET", f"/statement?{period}"))[0] == 400


async def test_a_merchant_sees_only_its_own(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE)
    other = Other(merchant_id=OTHER_ID, secret=OTHER_SECRET)
    assert (await bank.call("GET", "/purchases/pay_1", **other))[0] == 404
    assert (await bank.call("GET", f"/purchases?transaction={placed['transaction']}", **other))[0] == 404
    status, _ = await bank.call("PUT", "/purchases/pay_1/refunds/ref_1", {"amount": 1, "currency": "EUR"}, **other)
    assert status == 404
    assert await bank.call("GET", "/statement", **other) == (200, {"lines": [], "next": None})


@pytest.mark.parametrize(
    "merchant_id, secret", [("host2hostTest", "wrong"), ("unknown", "unknown"), ("", ""), ("host2hostTest", "")]
)
async def test_strangers_are_turned_away(shared_bank: Bank, merchant_id: str, secret: str) -> None:
    for method, path in (
        ("PUT", "/purchases/pay_1"),
        ("GET", "/purchases/pay_1"),
        ("GET", "/purchases?transaction=1"),
        ("PUT", "/purchases/pay_1/refunds/ref_1"),
        ("GET", "/statement"),
    ):
        status, document = await shared_bank.call(
            method, path, order_body(NOWHERE), merchant_id=merchant_id, secret=secret
        )
        assert (status, document["error"]["status"]) == (401, 401)


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Bearer aG9zdDJob3N0VGVzdDp4", "Basic //79"])
async def test_an_authorization_that_cannot_be_read_is_turned_away(shared_bank: Bank, header: str) -> None:
    async with shared_bank.session.get(f"{shared_bank.url}/statement", headers={"Authorization": header}) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"amount": -5},
        {"amount": 10.5},
        {"amount": "10"},
        {"amount": 10**15},
        {"currency": "eur"},
        {"currency": "ZZZ"},
        {"currency": "EUR\n"},
        {"number": "551928381203000x"},
        {"number": "5519283812030000\n"},
        {"expiry": "13/30"},
        {"expiry": "1/30"},
        {"return_url": "javascript:alert(1)"},
        {"return_url": "http://shop.example/\r\nSet-Cookie: a=b"},
        {"return_url": "http://user@shop.example/"},
        {"notify_url": "ftp://shop.example/"},
        {"colour": "red"},
    ],
)
async def test_an_order_that_cannot_be_read_is_refused_whole(shared_bank: Bank, change: dict[str, Any]) -> None:
    body = {**order_body(NOWHERE, **{name: value for name, value in change.items() if name in ("number", "expiry")})}
    body |= {name: value for name, value in change.items() if name not in ("number", "expiry")}
    status, document = await shared_bank.call("PUT", "/purchases/pay_1", body)
    assert status == 400
    assert "5519283812030000" not in str(document)
    assert (await shared_bank.call("GET", "/purchases/pay_1"))[0] == 404


@pytest.mark.parametrize("body, status", [(b"", 400), (b"{", 400), (b"[]", 400), (b" " * 70_000, 413)])
async def test_garbage_is_refused(shared_bank: Bank, body: bytes, status: int) -> None:
    async with shared_bank.session.put(
        f"{shared_bank.url}/purchases/pay_1",
        data=body,
        headers={"Authorization": "Basic aG9zdDJob3N0VGVzdDp0aGUtc2VjcmV0LW9mLXRoZS10ZXN0cw=="},
    ) as answer:
        assert answer.status == status


async def test_the_books_outlive_the_bank_and_hold_no_card(tmp_path: Path) -> None:
    async with banks.running(tmp_path) as bank:
        await bank.place("pay_1", notify_url=NOWHERE, number="5123817234060000")
        placed = await bank.place("pay_2", notify_url=NOWHERE)
        await bank.call("PUT", "/purchases/pay_1", order_body(NOWHERE, amount=7, number="5123817234060000"))
        written = b"".join(path.read_bytes() for path in (tmp_path / "bank").iterdir())
        assert b"pay_2" in written
        for secret in (b"5519283812030000", b"5123817234060000", b"283812030", b"817234060", b"A PAYER"):
            assert secret not in written
        assert (tmp_path / "bank").stat().st_mode & 0o777 == 0o700
    async with banks.running(tmp_path) as bank:
        assert await bank.call("GET", "/purchases/pay_2") == (200, placed)
        again = await bank.place("pay_3", notify_url=NOWHERE)
        assert int(again["rrn"]) == int(placed["rrn"]) + 1
