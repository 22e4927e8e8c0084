"""The demo shop over real HTTP: what it answers to true and to forged callbacks, and what its pages show of them."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import aiohttp
import msgspec
import pytest
from starlette.applications import Starlette

from kassa.accounts.model import Keys, NewAccount
from kassa.callbacks import signing
from kassa.demo import orders, shop
from kassa.pages.headers import security
from kassa.platform import Platform
from tests.demo.conftest import GATE_URL
from tests.support import site
from tests.support.platform import new_account

GENUINE = "Signature verified"
FORGED = "Signature WRONG"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def made(platform: Platform) -> NewAccount:
    return await new_account(platform)


@pytest.fixture
async def browser(platform: Platform) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a running shop."""
    async with site.serving(Starlette(routes=shop.routes(platform))) as session:
        yield session


def body(tag: str, **changes: Any) -> bytes:
    attributes = {
        "status": "processed",
        "resolution": "ok",
        "amount": 123.45,
        "currency": "USD",
        "reference_id": "order-1",
        "test_mode": True,
        "updated": 1_795_000_000,
        "flow_data": {"action": "https://gate.example/hpp/cgi_1"},
        **changes,
    }
    invoice = {"type": "payment-invoices", "id": f"cpi_{tag}ABCDEFGHIJKL", "attributes": attributes}
    return msgspec.json.encode({"data": invoice, "included": []})


def signed(platform: Platform, key: str, content: bytes, *, age: timedelta = timedelta()) -> dict[str, str]:
    return signing.headers("msg_1", content, keys=[key], now=platform.clock.real() - age)


async def post(browser: aiohttp.ClientSession, content: bytes, headers: Mapping[str, str]) -> int:
    async with browser.post(shop.CALLBACKS_PATH, data=content, headers=headers) as response:
        return response.status


async def page(browser: aiohttp.ClientSession, path: str = shop.CALLBACKS_PATH) -> str:
    async with browser.get(path) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        return await response.text()


async def test_a_true_callback_is_taken_and_shown(
    platform: Platform, made: NewAccount, browser: aiohttp.ClientSession
) -> None:
    assert "None yet" in await page(browser)
    for test_mode, key in ((True, made.keys.private_key_test), (False, made.keys.private_key_live)):
        content = body(made.account.tag, test_mode=test_mode)
        assert await post(browser, content, signed(platform, key, content)) == 200
    shown = await page(browser)
    assert shown.count(f"<code>cpi_{made.account.tag}ABCDEFGHIJKL</code>") == 2
    assert shown.count("123.45 USD") == 2
    assert (shown.count(GENUINE), shown.count(FORGED)) == (2, 0)


@pytest.mark.parametrize("missing", ["X-Signature", "webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_callback_that_lacks_a_header_is_refused_and_shown_as_wrong(
    platform: Platform, made: NewAccount, browser: aiohttp.ClientSession, missing: str
) -> None:
    content = body(made.account.tag)
    headers = signed(platform, made.keys.private_key_test, content)
    del headers[missing]
    assert await post(browser, content, headers) == 401
    shown = await page(browser)
    assert (shown.count(GENUINE), shown.count(FORGED)) == (0, 1)


async def test_a_forged_changed_or_late_callback_is_refused(
    platform: Platform, made: NewAccount, browser: aiohttp.ClientSession
) -> None:
    key, content = made.keys.private_key_test, body(made.account.tag)
    other = await new_account(platform)
    assert await post(browser, content, signed(platform, other.keys.private_key_test, content)) == 401
    assert await post(browser, content, signed(platform, made.keys.private_key_live, content)) == 401
    assert await post(browser, content.replace(b"123.45", b"1"), signed(platform, key, content)) == 401
    assert await post(browser, content, signed(platform, key, content, age=timedelta(seconds=301))) == 401
    assert await post(browser, content, signed(platform, key, content, age=timedelta(seconds=-301))) == 401
    for name, value in (("X-Signature", "é"), ("webhook-timestamp", "9" * 20), ("webhook-signature", "v1,")):
        assert await post(browser, content, signed(platform, key, content) | {name: value}) == 401
    assert await post(browser, content, signed(platform, key, content)) == 200


async def test_a_callback_about_an_account_that_does_not_exist_is_refused(
    platform: Platform, made: NewAccount, browser: aiohttp.ClientSession
) -> None:
    content = body("zzzz")
    assert await post(browser, content, signed(platform, made.keys.private_key_test, content)) == 401


async def test_what_is_no_callback_is_refused(browser: aiohttp.ClientSession) -> None:
    nothing = b'{"data": {"id": "x"}}'
    half = body("abcd").replace(b'"order-1"', b'"\\ud800"')
    number = body("abcd").replace(b'"processed"', b"1")
    deep = b"[" * 100_000
    for content in (b"", b"{}", b"[1]", nothing, b"\xff", half, number, deep):
        assert await post(browser, content, {}) == 400
    assert await post(browser, b" " * (shop.BODY_BYTES_MAX + 1), {}) == 413
    assert "None yet" in await page(browser)


async def test_the_page_keeps_the_last_ones_and_shows_text_as_text(
    platform: Platform, made: NewAccount, browser: aiohttp.ClientSession
) -> None:
    for number in range(orders.CALLBACKS_MAX + 1):
        content = body(made.account.tag, reference_id=f"<script>{number}</script>")
        assert await post(browser, content, signed(platform, made.keys.private_key_test, content)) == 200
    shown = await page(browser)
    numbers = re.findall(r"<bdi>&lt;script&gt;(\d+)&lt;/script&gt;</bdi>", shown)
    assert numbers == [str(number) for number in range(orders.CALLBACKS_MAX, 0, -1)]
    assert "<script>" not in shown


async def test_the_state_that_a_script_polls_moves_with_each_callback(
    platform: Platform, made: NewAccount, browser: aiohttp.ClientSession
) -> None:
    states = set()
    content = body(made.account.tag)
    for _ in range(3):
        async with browser.head(shop.CALLBACKS_PATH) as answer:
            states.add(answer.headers["kassa-state"])
        assert await post(browser, content, signed(platform, made.keys.private_key_test, content)) == 200
    assert len(states) == 3


@pytest.mark.parametrize("path", ["/demo/shop", "/demo/shop/", shop.CALLBACKS_PATH])
async def test_a_page_may_send_its_forms_to_the_card_page_and_nowhere_else(
    browser: aiohttp.ClientSession, path: str
) -> None:
    async with browser.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert " style=" not in await response.text()
    assert policy == security(https=False, form_targets=[GATE_URL])["content-security-policy"]


@pytest.mark.parametrize("locale,heading", [("en", "House espresso"), ("ru", "Эспрессо"), ("uk", "Еспресо")])
async def test_the_shop_speaks_the_payers_language(browser: aiohttp.ClientSession, locale: str, heading: str) -> None:
    assert heading in await page(browser, f"/demo/shop?locale={locale}")


async def test_an_order_that_the_shop_does_not_know_is_not_found(browser: aiohttp.ClientSession) -> None:
    for path in ("/demo/shop/orders/order-1", "/demo/shop/orders/order-1/unpaid"):
        async with browser.get(path) as response:
            assert response.status == 404
            assert "Page not found" in await response.text()


async def test_without_a_demo_account_nothing_can_be_bought(browser: aiohttp.ClientSession) -> None:
    async with browser.post("/demo/shop/buy", data={"order": "order-000000000000"}) as response:
        assert response.status == 404


async def test_a_shop_that_does_not_reach_the_api_says_so_and_offers_to_try_again(
    keys: Keys, browser: aiohttp.ClientSession
) -> None:
    async with browser.post("/demo/shop/buy", data={"order": "order-000000000000"}) as response:
        shown = await response.text()
    assert response.status == 502
    assert "The shop cannot take orders" in shown
    assert re.search(r'name="order" value="order-[0-9a-f]{12}"', shown)
    assert keys.api_key not in shown


async def test_a_form_that_is_none_is_refused(keys: Keys, browser: aiohttp.ClientSession) -> None:
    async with browser.post("/demo/shop/buy", data=b"{}", headers={"Content-Type": "application/json"}) as response:
        assert response.status == 415
    async with browser.post("/demo/shop/buy", data=b"x" * 2000, headers=FORM) as response:
        assert response.status == 413
