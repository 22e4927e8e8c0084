"""Purchases without a card: a wallet's page, and scenarios that are decided at once."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kassa.clock import Clock
from kassa.errors import SettingsWrong
from tests.support import bank as banks
from tests.support.bank import MERCHANT_ID, Bank, buttons, order_body, query_of
from tests.support.merchant import Merchant

NOWHERE = "http://127.0.0.1:9/notices"


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    """A bank whose clock tests move, from a moment of their own."""
    async with banks.running(tmp_path, clock=Clock(timedelta(days=100))) as running:
        yield running


async def page_of(bank: Bank, placed: dict[str, Any]) -> str:
    where = placed["confirmation"]
    return await bank.enter(where["path"], where["method"], where["params"])


async def taken(bank: Bank) -> list[tuple[str, int]]:
    _, statement = await bank.call("GET", "/statement")
    return [(line["order"], line["amount"]) for line in statement["lines"]]


# The way to the page


async def test_a_wallet_waits_for_its_payer_and_has_taken_nothing(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, wallet="applepay")
    assert (placed["state"], placed["wallet"], placed["card"], placed["authentication"]) == (
        "CONFIRMING",
        "applepay",
        None,
        None,
    )
    assert await bank.call("GET", "/purchases/pay_1") == (200, placed)
    assert await taken(bank) == []


async def test_some_wallets_have_an_address_and_qiwi_a_form(bank: Bank) -> None:
    by_address = (await bank.place("pay_1", notify_url=NOWHERE, wallet="applepay"))["confirmation"]
    by_form = (await bank.place("pay_2", notify_url=NOWHERE, wallet="qiwi"))["confirmation"]
    assert (by_address["method"], by_address["params"]) == ("GET", {})
    assert by_address["path"].startswith("/wallets/")
    assert (by_form["method"], by_form["path"], sorted(by_form["params"])) == ("POST", "/wallets", ["bill", "shop"])


@pytest.mark.parametrize(
    "wallet, name",
    [("applepay", "Apple Pay"), ("paypal", "PayPal"), ("skrill", "Skrill"), ("perfect_money", "Perfect Money")],
)
async def test_the_page_asks_with_three_buttons_that_need_no_script(bank: Bank, wallet: str, name: str) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, wallet=wallet, description="Tea <b>", amount=12340)
    url = await page_of(bank, placed)
    async with bank.session.get(url) as answer:
        page = await answer.text()
        policy = answer.headers["Content-Security-Policy"]
    assert buttons(page) == [("decision", "approve"), ("decision", "decline"), ("decision", "abandon")]
    assert f"<h1>Pay with {name}</h1>" in page
    assert "€123.40" in page
    assert "Tea &lt;b&gt;" in page
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; form-action 'self' http://shop.example;"
        " base-uri 'none'; frame-ancestors 'none'"
    )


@pytest.mark.parametrize("bill", [{}, {"bill": "nothing"}, {"bill": "pay_1"}, {"bill": ""}])
async def test_a_form_that_names_no_bill_finds_no_page(bank: Bank, bill: dict[str, str]) -> None:
    await bank.place("pay_1", notify_url=NOWHERE, wallet="qiwi")
    await bank.place("pay_2", notify_url=NOWHERE)
    async with bank.session.post(f"{bank.url}/wallets", data={"shop": MERCHANT_ID, **bill}) as answer:
        assert answer.status == 404
        assert "No such page" in await answer.text()


async def test_entering_with_a_decision_in_the_form_decides_nothing(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, wallet="qiwi")
    params = placed["confirmation"]["params"]
    await bank.enter("/wallets", "POST", {**params, "decision": "approve"})
    assert await bank.call("GET", "/purchases/pay_1") == (200, placed)


# Deciding


@pytest.mark.parametrize("wallet", ["applepay", "qiwi"])
@pytest.mark.parametrize("decision, state, code", [("approve", "APPROVED", "00"), ("decline", "REFUSED", "T5")])
async def test_the_decision_is_in_the_books_before_the_browser_is_back_and_is_told(
    bank: Bank, merchant: Merchant, *, wallet: str, decision: str, state: str, code: str
) -> None:
    placed = await bank.place("pay_1", notify_url=merchant.url, wallet=wallet)
    back = await bank.decide(await page_of(bank, placed), decision)
    assert back == f"http://shop.example/back?transaction={placed['transaction']}"
    _, decided = await bank.call("GET", "/purchases/pay_1")
    assert (decided["state"], decided["response"]["code"], decided["confirmation"]) == (state, code, None)
    assert await taken(bank) == ([("pay_1", 1000)] if state == "APPROVED" else [])
    (notice,) = await merchant.wait_for_count(1)
    assert notice.document == {"event": f"purchase.{state.lower()}", "purchase": decided}


async def test_abandoning_decides_nothing_and_the_payer_may_come_again(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, wallet="qiwi")
    back = await bank.decide(await page_of(bank, placed), "abandon")
    assert query_of(back) == {"transaction": placed["transaction"]}
    assert await bank.call("GET", "/purchases/pay_1") == (200, placed)
    await bank.decide(await page_of(bank, placed), "approve")
    assert await taken(bank) == [("pay_1", 1000)]


@pytest.mark.parametrize("first, second", [("approve", "decline"), ("decline", "approve")])
async def test_a_second_decision_changes_nothing(bank: Bank, first: str, second: str) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, wallet="applepay")
    url = await page_of(bank, placed)
    back = await bank.decide(url, first)
    decided = await bank.call("GET", "/purchases/pay_1")
    assert await bank.decide(url, second) == back
    assert await bank.call("GET", "/purchases/pay_1") == decided
    async with bank.session.get(url) as answer:
        page = await answer.text()
    assert buttons(page) == []
    assert f'href="{back}"' in page


async def test_ten_approvals_at_once_take_the_money_once(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, wallet="applepay")
    url = await page_of(bank, placed)
    await asyncio.gather(*(bank.decide(url, "approve") for _ in range(10)))
    assert await taken(bank) == [("pay_1", 1000)]


@pytest.mark.parametrize("lifetime", [timedelta(minutes=14), timedelta(days=2)])
async def test_the_page_is_open_until_the_order_ends(bank: Bank, lifetime: timedelta) -> None:
    end = (bank.clock.now(test_mode=True) + lifetime).replace(microsecond=0)
    placed = await bank.place("pay_1", notify_url=NOWHERE, wallet="applepay", valid_until=int(end.timestamp()))
    assert datetime.fromtimestamp(placed["confirmation"]["until"], UTC) == end
    bank.clock.test_offset += lifetime - timedelta(minutes=1)
    assert (await bank.call("GET", "/purchases/pay_1"))[1]["state"] == "CONFIRMING"
    bank.clock.test_offset += timedelta(minutes=2)
    await bank.decide(placed["confirmation"]["path"], "approve")
    _, late = await bank.call("GET", "/purchases/pay_1")
    assert (late["state"], late["response"]["code"]) == ("REFUSED", "T8")
    assert await taken(bank) == []


async def test_more_than_a_wallet_holds_is_refused_at_once(bank: Bank) -> None:
    most = await bank.place("pay_1", notify_url=NOWHERE, wallet="applepay", amount=50_000_000)
    more = await bank.place("pay_2", notify_url=NOWHERE, wallet="applepay", amount=50_000_001)
    assert most["state"] == "CONFIRMING"
    assert (more["state"], more["response"]["code"], more["confirmation"]) == ("REFUSED", "61", None)


async def test_what_a_wallet_paid_goes_back_as_a_cards_money_does(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, wallet="applepay")
    path = "/purchases/pay_1/refunds"
    early = await bank.call("PUT", f"{path}/ref_1", {"amount": 1, "currency": "EUR"})
    await bank.decide(await page_of(bank, placed), "approve")
    part = await bank.call("PUT", f"{path}/ref_2", {"amount": 600, "currency": "EUR"})
    beyond = await bank.call("PUT", f"{path}/ref_3", {"amount": 401, "currency": "EUR"})
    assert [answer["state"] for _, answer in (early, part, beyond)] == ["REFUSED", "APPROVED", "REFUSED"]
    assert await taken(bank) == [("pay_1", 1000), ("pay_1", 600)]


# The order


@pytest.mark.parametrize(
    "other",
    [{"wallet": "qiwi"}, {"scenario": "success"}, {"number": "5519283812030000"}, {"wallet": "applepay", "amount": 7}],
)
async def test_an_order_with_other_particulars_is_a_conflict(bank: Bank, other: dict[str, Any]) -> None:
    first = await bank.place("pay_1", notify_url=NOWHERE, wallet="applepay")
    assert (await bank.call("PUT", "/purchases/pay_1", order_body(NOWHERE, **other)))[0] == 409
    assert await bank.call("GET", "/purchases/pay_1") == (200, first)


async def test_the_same_order_again_is_shown(bank: Bank) -> None:
    answers = await asyncio.gather(*(bank.place("pay_1", notify_url=NOWHERE, wallet="qiwi") for _ in range(10)))
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    "change",
    [
        {"wallet": "Qiwi"},
        {"wallet": ""},
        {"wallet": "qiwi\n"},
        {"wallet": "../qiwi"},
        {"wallet": "q" * 101},
        {"wallet": "qiwi", "scenario": "success"},
        {"wallet": "qiwi", "check_only": True},
        {"wallet": "qiwi", "card": {"number": "5519283812030000", "expiry": "12/30", "cvv": "123"}},
        {"scenario": "maybe"},
        {"scenario": ""},
        {"scenario": None},
    ],
)
async def test_an_order_without_one_instrument_of_ours_is_refused_whole(
    shared_bank: Bank, change: dict[str, Any]
) -> None:
    status, document = await shared_bank.call("PUT", "/purchases/pay_1", order_body(NOWHERE, **change))
    assert status == 400
    assert "5519283812030000" not in str(document)
    assert (await shared_bank.call("GET", "/purchases/pay_1"))[0] == 404


# Scenarios


@pytest.mark.parametrize(
    "scenario, state, code", [("success", "APPROVED", "00"), ("fail", "REFUSED", "05"), ("pending", "PROCESSING", None)]
)
async def test_a_scenario_goes_as_it_is_called(bank: Bank, scenario: str, state: str, code: str | None) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, scenario=scenario)
    assert (placed["state"], placed["scenario"]) == (state, scenario)
    assert (placed["response"] or {"code": None})["code"] == code
    assert (placed["authentication"], placed["confirmation"]) == (None, None)
    assert await taken(bank) == ([("pay_1", 1000)] if state == "APPROVED" else [])


async def test_a_decided_scenario_is_told(bank: Bank, merchant: Merchant) -> None:
    placed = await bank.place("pay_1", notify_url=merchant.url, scenario="success")
    (notice,) = await merchant.wait_for_count(1)
    assert notice.document == {"event": "purchase.approved", "purchase": placed}


@pytest.mark.parametrize("decision, state", [("approve", "APPROVED"), ("decline", "REFUSED")])
async def test_a_pending_scenario_is_settled_at_the_desk_and_told(
    bank: Bank, merchant: Merchant, decision: str, state: str
) -> None:
    await bank.place("pay_1", notify_url=merchant.url, scenario="pending")
    _, _, desk = await bank.visit("/")
    assert "Scenario: pending" in desk
    async with bank.session.post(
        f"{bank.url}/desk/{MERCHANT_ID}/pay_1", data={"decision": decision}, allow_redirects=False
    ) as answer:
        assert answer.status == 303
    (notice,) = await merchant.wait_for_count(1)
    assert notice.document["purchase"]["state"] == state


async def test_the_desk_shows_wallets_and_leaves_the_decision_to_their_payers(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE, wallet="qiwi")
    _, _, desk = await bank.visit("/")
    assert "<td>QIWI Wallet</td>" in desk
    assert buttons(desk) == []
    async with bank.session.post(f"{bank.url}/desk/{MERCHANT_ID}/pay_1", data={"decision": "approve"}) as answer:
        assert answer.status == 409
    assert await taken(bank) == []


# The books


async def test_books_of_another_version_are_not_written_into(tmp_path: Path) -> None:
    async with banks.running(tmp_path) as bank:
        await bank.place("pay_1", notify_url=NOWHERE, wallet="qiwi")
    with contextlib.closing(sqlite3.connect(tmp_path / "bank" / "books.sqlite3")) as books:
        books.execute("PRAGMA user_version = 1")
    with pytest.raises(SettingsWrong, match="another version"):
        async with banks.running(tmp_path):
            pass
