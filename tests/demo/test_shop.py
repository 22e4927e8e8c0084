"""The demo shop over real HTTP: what it answers to true and to forged callbacks, and its page."""

import asyncio
import base64
import hashlib
import re
import socket
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import aiohttp
import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette

from kassa.accounts.model import NewAccount
from kassa.callbacks import signing
from kassa.demo import shop
from kassa.platform import Platform
from tests.support import platform as platforms
from tests.support.platform import new_account
from tests.support.postgres import Database
from tests.support.waiting import until


@pytest.fixture
async def platform(database: Database) -> AsyncIterator[Platform]:
    async with platforms.opened(database) as opened:
        yield opened


@pytest.fixture
async def made(platform: Platform) -> NewAccount:
    return await new_account(platform)


@pytest.fixture
async def browser(platform: Platform) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a running shop."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(Starlette(routes=shop.routes(platform)), log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve([listening]))
        await until(lambda: server.started)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{listening.getsockname()[1]}") as session:
            yield session
        server.should_exit = True
        await running


def body(made: NewAccount, *, reference_id: str = "order-1", test_mode: bool = True) -> bytes:
    attributes = {
        "serial_number": "x",
        "status": "processed",
        "resolution": "ok",
        "amount": 123.45,
        "currency": "USD",
        "reference_id": reference_id,
        "test_mode": test_mode,
    }
    invoice = {"type": "payment-invoices", "id": f"cpi_{made.account.tag}ABCDEFGHIJKL", "attributes": attributes}
    return msgspec.json.encode({"data": invoice, "included": []})


def signed(platform: Platform, key: str, content: bytes, *, age: timedelta = timedelta()) -> dict[str, str]:
    return signing.headers("msg_1", content, keys=[key], now=platform.clock.real() - age)


async def post(browser: aiohttp.ClientSession, content: bytes, headers: Mapping[str, str]) -> int:
    async with browser.post(shop.CALLBACKS_PATH, data=content, headers=headers) as response:
        return response.status


async def page(browser: aiohttp.ClientSession) -> str:
    async with browser.get("/demo/shop") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        return await response.text()


async def test_a_true_callback_is_taken_and_shown(
    platform: Platform, made: NewAccount, browser: aiohttp.ClientSession
) -> None:
    assert "None yet" in await page(browser)
    for test_mode, key in ((True, made.keys.private_key_test), (False, made.keys.private_key_live)):
        content = body(made, test_mode=test_mode)
        assert await post(browser, content, signed(platform, key, content)) == 200
    shown = await page(browser)
    assert shown.count(f"cpi_{made.account.tag}ABCDEFGHIJKL") == 2
    assert shown.count("123.45 USD") == 2
    assert shown.count("<td>ok</td>") == 2


@pytest.mark.parametrize("missing", ["X-Signature", "webhook-id", "webhook-timestamp", "webhook-signature"])
async def test_a_callback_that_lacks_a_header_is_refused_and_shown_as_wrong(
    platform: Platform, made: NewAccount, browser: aiohttp.ClientSession, missing: str
) -> None:
    headers = signed(platform, made.keys.private_key_test, body(made))
    del headers[missing]
    assert await post(browser, body(made), headers) == 401
    assert "<td>WRONG</td>" in await page(browser)


async def test_a_forged_changed_or_late_callback_is_refused(
    platform: Platform, made: NewAccount, browser: aiohttp.ClientSession
) -> None:
    key, content = made.keys.private_key_test, body(made)
    stranger = await new_account(platform)
    assert await post(browser, content, signed(platform, stranger.keys.private_key_test, content)) == 401
    assert await post(browser, content, signed(platform, made.keys.private_key_live, content)) == 401
    assert await post(browser, content.replace(b"123.45", b"1"), signed(platform, key, content)) == 401
    assert await post(browser, content, signed(platform, key, content, age=timedelta(seconds=301))) == 401
    assert await post(browser, content, signed(platform, key, content, age=timedelta(seconds=-301))) == 401
    for name, value in (("X-Signature", "é"), ("webhook-timestamp", "9" * 20), ("webhook-signature", "v1,")):
        assert await post(browser, content, signed(platform, key, content) | {name: value}) == 401
    assert await post(browser, content, signed(platform, key, content)) == 200


async def test_what_is_no_callback_is_refused(browser: aiohttp.ClientSession) -> None:
    for content in (b"", b"{}", b"[1]", b'{"data": {"id": "x"}}', b"\xff"):
        assert await post(browser, content, {}) == 400
    assert await post(browser, b" " * (shop.BODY_BYTES_MAX + 1), {}) == 413
    assert "None yet" in await page(browser)


async def test_the_page_keeps_the_last_hundred_and_shows_text_as_text(
    platform: Platform, made: NewAccount, browser: aiohttp.ClientSession
) -> None:
    for number in range(shop.KEPT + 1):
        content = body(made, reference_id=f"<script>{number}</script>")
        assert await post(browser, content, signed(platform, made.keys.private_key_test, content)) == 200
    shown = await page(browser)
    numbers = re.findall(r"&lt;script&gt;(\d+)&lt;/script&gt;", shown)
    assert numbers == [str(number) for number in range(shop.KEPT, 0, -1)]
    assert "<script" not in shown


async def test_the_page_allows_its_own_style_and_nothing_else(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/demo/shop") as response:
        policy = response.headers["Content-Security-Policy"]
        style = re.search(r"<style>(.*?)</style>", await response.text(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-{digest}'"
    )
