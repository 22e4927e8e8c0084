from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from kassa.bank.texts import LANGUAGES
from kassa.clock import Clock
from tests.support import bank as banks
from tests.support.bank import MERCHANT_ID, OTHER_ID, OTHER_SECRET, SECRET, Bank, buttons, query_of

NOWHERE = "http://127.0.0.1:9/notices"
SECURE = "5123817234060000"
SECURE_FAILING = "4412397212080000"


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    """A bank whose clock tests move, from a moment of their own."""
    async with banks.running(tmp_path, clock=Clock(timedelta(days=100))) as running:
        yield running


async def test_the_page_asks_with_three_buttons_that_need_no_script(bank: Bank) -> None:
    placed = await bank.place(
        "pay_1", notify_url=NOWHERE, number=SECURE, description="Tea <b>& sugar</b>", amount=12340
    )
    assert placed["state"] == "AUTHENTICATING"
    status, headers, page = await bank.visit(placed["authentication"]["path"])
    assert status == 200
    assert buttons(page) == [("decision", "approve"), ("decision", "decline"), ("decision", "abandon")]
    assert "€123.40" in page
    assert "Tea &lt;b&gt;&amp; sugar&lt;/b&gt;" in page
    assert SECURE not in page
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; form-action 'self' http://shop.example;"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["Cache-Control"] == "no-store"
    assert [(await bank.visit(path))[0] for path in ("/bank.css", "/bank.js")] == [200, 200]


@pytest.mark.parametrize(
    "locale, accepted, language, heading",
    [
        ("uk", "ru", "uk", "Підтвердьте платіж"),
        ("ru-RU", "uk", "ru", "Подтвердите платёж"),
        (None, "de, uk;q=0.8", "uk", "Підтвердьте платіж"),
        ("de", "fr", "en", "Confirm your payment"),
        (None, "", "en", "Confirm your payment"),
    ],
)
async def test_the_page_speaks_the_payers_language_and_names_the_shop(
    bank: Bank, locale: str | None, accepted: str, language: str, heading: str
) -> None:
    named = {"shop": "Northwind <Books>", "reference": "order-7", "invoice": "cpi_1"}
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=SECURE, payer_locale=locale, **named)
    url = bank.url + placed["authentication"]["path"]
    async with bank.session.get(url, headers={"Accept-Language": accepted}) as answer:
        page = await answer.text()
        assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in page
    assert f"<h1>{heading}</h1>" in page
    assert all(text in page for text in ("Northwind &lt;Books&gt;", "order-7", LANGUAGES[language].no_money, " UTC"))
    assert MERCHANT_ID not in page


async def test_what_is_only_shown_may_change_when_an_order_is_repeated(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=SECURE, payer_locale="uk", shop="Northwind")
    assert await bank.place("pay_1", notify_url=NOWHERE, number=SECURE, payer_locale="ru") == placed


@pytest.mark.parametrize(
    "number,decision,state,code",
    [
        (SECURE, "approve", "APPROVED", "00"),
        (SECURE, "decline", "REFUSED", "T5"),
        (SECURE_FAILING, "approve", "REFUSED", "51"),
        (SECURE_FAILING, "decline", "REFUSED", "T5"),
    ],
)
async def test_the_decision_is_in_the_books_before_the_browser_is_back(
    bank: Bank, number: str, decision: str, state: str, code: str
) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=number, expiry="05/29")
    back = await bank.decide(placed["authentication"]["path"], decision)
    assert back == f"http://shop.example/back?transaction={placed['transaction']}"
    _, decided = await bank.call("GET", "/purchases/pay_1")
    assert (decided["state"], decided["response"]["code"], decided["authentication"]) == (state, code, None)


async def test_abandoning_decides_nothing_and_the_payer_may_come_again(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=SECURE)
    path = placed["authentication"]["path"]
    assert query_of(await bank.decide(path, "abandon")) == {"transaction": placed["transaction"]}
    assert await bank.call("GET", "/purchases/pay_1") == (200, placed)
    await bank.decide(path, "approve")
    assert (await bank.call("GET", "/purchases/pay_1"))[1]["state"] == "APPROVED"


@pytest.mark.parametrize("first,second,state", [("approve", "decline", "APPROVED"), ("decline", "approve", "REFUSED")])
async def test_a_second_decision_changes_nothing(bank: Bank, first: str, second: str, state: str) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=SECURE)
    path = placed["authentication"]["path"]
    back = await bank.decide(path, first)
    _, decided = await bank.call("GET", "/purchases/pay_1")
    assert await bank.decide(path, second) == back
    assert await bank.call("GET", "/purchases/pay_1") == (200, decided)
    assert decided["state"] == state
    status, _, page = await bank.visit(path)
    assert (status, buttons(page)) == (200, [])
    assert f'href="{back}"' in page
    assert len((await bank.call("GET", "/statement"))[1]["lines"]) == (state == "APPROVED")


@pytest.mark.parametrize("lifetime,minutes", [(timedelta(hours=3), 30), (timedelta(minutes=5), 5)])
async def test_the_payer_has_thirty_minutes_or_until_the_order_ends(
    bank: Bank, lifetime: timedelta, minutes: int
) -> None:
    now = bank.clock.now(test_mode=True)
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=SECURE, valid_until=int((now + lifetime).timestamp()))
    path = placed["authentication"]["path"]
    until = datetime.fromtimestamp(placed["authentication"]["until"], UTC)
    assert abs(until - now - timedelta(minutes=minutes)) <= timedelta(minutes=1)
    bank.clock.test_offset += timedelta(minutes=minutes - 1)
    assert (await bank.call("GET", "/purchases/pay_1"))[1]["state"] == "AUTHENTICATING"
    bank.clock.test_offset += timedelta(minutes=2)
    await bank.decide(path, "approve")
    _, late = await bank.call("GET", "/purchases/pay_1")
    assert (late["state"], late["response"]["code"]) == ("REFUSED", "T8")


async def test_a_good_card_with_07_77_is_undecided_after_the_page_too(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=SECURE, expiry="07/77")
    assert placed["state"] == "AUTHENTICATING"
    await bank.decide(placed["authentication"]["path"], "approve")
    assert (await bank.call("GET", "/purchases/pay_1"))[1]["state"] == "PROCESSING"


@pytest.mark.parametrize(
    "return_url,expected",
    [
        ("http://shop.example/back?a=b", "http://shop.example/back?a=b&transaction="),
        ("http://shop.example/back#top", "http://shop.example/back?transaction="),
        ("http://127.0.0.1:8001/hpp/cgi_x/return", "http://127.0.0.1:8001/hpp/cgi_x/return?transaction="),
    ],
)
async def test_the_way_back_keeps_the_merchants_address(bank: Bank, return_url: str, expected: str) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=SECURE, return_url=return_url)
    back = await bank.decide(placed["authentication"]["path"], "approve")
    assert back.startswith(expected + placed["transaction"])


async def test_a_decision_that_is_none_is_asked_for_again(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=SECURE)
    for data in ({"decision": "yes"}, {}):
        async with bank.session.post(bank.url + placed["authentication"]["path"], data=data) as answer:
            assert answer.status == 422
            assert len(buttons(await answer.text())) == 3
    assert await bank.call("GET", "/purchases/pay_1") == (200, placed)


async def test_a_page_that_there_never_was_is_not_found(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    for path in ("/acs/nothing", "/acs/None", "/acs/pay_1"):
        assert (await bank.visit(path))[0] == 404
        async with bank.session.post(bank.url + path, data={"decision": "approve"}) as answer:
            assert answer.status == 404


async def test_a_cancelled_order_is_closed_for_its_payer_who_is_shown_why(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=SECURE)
    path = placed["authentication"]["path"]
    status, closed = await bank.call("POST", "/purchases/pay_1/cancel")
    assert (status, closed["state"], closed["response"]["code"]) == (200, "REFUSED", "17")
    assert await bank.call("POST", "/purchases/pay_1/cancel") == (200, closed)
    _, _, page = await bank.visit(path)
    assert "was cancelled in the shop" in page
    assert buttons(page) == []
    assert query_of(await bank.decide(path, "approve")) == {"transaction": placed["transaction"]}
    assert await bank.call("GET", "/purchases/pay_1") == (200, closed)
    assert (await bank.call("GET", "/statement"))[1]["lines"] == []


async def test_a_cancellation_changes_nothing_that_was_decided(bank: Bank) -> None:
    for order, expiry in (("pay_1", "12/30"), ("pay_2", "07/77")):
        placed = await bank.place(order, notify_url=NOWHERE, number=SECURE, expiry=expiry)
        await bank.decide(placed["authentication"]["path"], "approve")
        decided = await bank.call("GET", f"/purchases/{order}")
        assert await bank.call("POST", f"/purchases/{order}/cancel") == decided
        _, _, page = await bank.visit(placed["authentication"]["path"])
        assert "was cancelled" not in page
    assert len((await bank.call("GET", "/statement"))[1]["lines"]) == 1


async def test_only_its_own_merchant_cancels_an_order(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, number=SECURE)
    for merchant_id, secret, order, expected in (
        (OTHER_ID, OTHER_SECRET, "pay_1", 404),
        (MERCHANT_ID, "wrong", "pay_1", 401),
        (MERCHANT_ID, SECRET, "pay_2", 404),
        (MERCHANT_ID, SECRET, "pay%201", 400),
    ):
        path = f"/purchases/{order}/cancel"
        assert (await bank.call("POST", path, merchant_id=merchant_id, secret=secret))[0] == expected
    assert await bank.call("GET", "/purchases/pay_1") == (200, placed)


@pytest.mark.parametrize("fault, state", [("fails_before", "AUTHENTICATING"), ("fails_after", "REFUSED")])
async def test_the_answer_to_a_cancellation_can_be_spoilt_too(bank: Bank, fault: str, state: str) -> None:
    await bank.place("pay_1", notify_url=NOWHERE, number=SECURE)
    async with bank.session.post(f"{bank.url}/days", json={"day": fault}) as answer:
        assert answer.status == 200
    token = aiohttp.encode_basic_auth(MERCHANT_ID, SECRET)
    async with bank.session.post(f"{bank.url}/purchases/pay_1/cancel", headers={"Authorization": token}) as answer:
        assert answer.status >= 500
    assert (await bank.call("GET", "/purchases/pay_1"))[1]["state"] == state
