"""Runs the bank of the test world alone, on a loopback port, with a clock that tests move."""

import asyncio
import base64
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import msgspec
import uvicorn

from kassa.bank import app
from kassa.clock import Clock
from kassa.config import Settings
from kassa.outbound import Outbound
from tests.support.waiting import until

MERCHANT_ID = "host2hostTest"
SECRET = "the-secret-of-the-tests"
OTHER_ID = "another"
OTHER_SECRET = "another-secret-of-the-tests"


class Bank:
    """A running bank, and what its merchants and payers do with it."""

    def __init__(self, home: Path, clock: Clock, outbound: Outbound, session: aiohttp.ClientSession, url: str) -> None:
        self.home = home
        self.clock = clock
        self.outbound = outbound
        self.session = session
        self.url = url

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        merchant_id: str = MERCHANT_ID,
        secret: str = SECRET,
    ) -> tuple[int, Any]:
        """Call the bank as a merchant; return the status and the document."""
        token = base64.b64encode(f"{merchant_id}:{secret}".encode()).decode()
        data = msgspec.json.encode(body) if body is not None else None
        headers = {"Authorization": f"Basic {token}"}
        async with self.session.request(method, self.url + path, data=data, headers=headers) as answer:
            return answer.status, msgspec.json.decode(await answer.read())

    async def place(
        self, order: str, *, notify_url: str, return_url: str = "http://shop.example/back", **changes: Any
    ) -> Any:
        """Place an order and return what the bank says."""
        status, document = await self.call("PUT", f"/purchases/{order}", order_body(notify_url, return_url, **changes))
        assert status == 200, document
        return document

    async def enter(self, action: str, method: str, params: Mapping[str, str]) -> str:
        """Go to a page as a payer's browser is sent there, and return its address."""
        url = self.url + action if action.startswith("/") else action
        if method == "GET":
            async with self.session.get(url, params=params) as answer:
                assert answer.status == 200, await answer.text()
                return str(answer.url)
        async with self.session.post(url, data=params) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.method == "GET"
            return str(answer.url)

    async def decide(self, path: str, decision: str) -> str:
        """Press a button on the payer's page and return where the browser is sent."""
        url = self.url + path if path.startswith("/") else path
        async with self.session.post(url, data={"decision": decision}, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
            return answer.headers["Location"]

    async def charge_back(self, order: str, amount: str = "", *, reason: str = "general") -> int:
        """Charge a purchase back at the desk, so many units of its currency or all of it; return the status."""
        url = f"{self.url}/desk/{MERCHANT_ID}/{order}/charge-back"
        async with self.session.post(url, data={"amount": amount, "reason": reason}, allow_redirects=False) as answer:
            return answer.status

    async def decide_charge_back(self, order: str, transaction: str, decision: str) -> int:
        """Decide a chargeback at the desk: ``won`` or ``lost``; return the status."""
        url = f"{self.url}/desk/{MERCHANT_ID}/{order}/charge-backs/{transaction}"
        async with self.session.post(url, data={"decision": decision}, allow_redirects=False) as answer:
            return answer.status

    async def return_refund(self, order: str, refund: str) -> int:
        """Let a refund come back undelivered, at the desk; return the status."""
        url = f"{self.url}/desk/{MERCHANT_ID}/{order}/refunds/{refund}/return"
        async with self.session.post(url, allow_redirects=False) as answer:
            return answer.status

    async def visit(self, path: str) -> tuple[int, Mapping[str, str], str]:
        """Open a page as a browser does; return its status, headers and text."""
        async with self.session.get(self.url + path) as answer:
            return answer.status, answer.headers, await answer.text()


def order_body(notify_url: str, return_url: str = "http://shop.example/back", **changes: Any) -> dict[str, Any]:
    """Return an order with a good card without 3-D Secure; ``number`` and ``expiry`` change its card.

    With a ``wallet`` or a ``scenario`` there is no card, unless one is given.
    """
    card = {
        "number": changes.pop("number", "5519283812030000"),
        "expiry": changes.pop("expiry", "12/30"),
        "cvv": "123",
        "holder": "A PAYER",
    }
    return {
        "amount": 1000,
        "currency": "EUR",
        **({} if {"wallet", "scenario"} & changes.keys() else {"card": card}),
        "return_url": return_url,
        "notify_url": notify_url,
        "valid_until": 2**33,
        "payer_ip": "192.0.2.1",
        **changes,
    }


def query_of(url: str) -> dict[str, str]:
    """Return an address's query parameters."""
    return dict(parse_qsl(urlsplit(url).query))


def buttons(page: str) -> list[tuple[str, str]]:
    """Return name and value of each button of a page."""
    return re.findall(r'<button[^>]* name="([^"]+)" value="([^"]+)"', page)


@asynccontextmanager
async def running(home: Path, *, clock: Clock | None = None) -> AsyncIterator[Bank]:
    """Run the bank for a while; its books stay in ``home``."""
    clock = clock or Clock()
    merchants = {MERCHANT_ID: SECRET, OTHER_ID: OTHER_SECRET}
    async with Outbound(Settings(demo=True)) as outbound, aiohttp.ClientSession() as session:
        application = app.create(home, clock, merchants, outbound)
        config = uvicorn.Config(application, lifespan="on", ws="none", log_level="warning")
        server = uvicorn.Server(config)
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            await until(lambda: server.started or serving.done(), what="the bank's start")
            yield Bank(home, clock, outbound, session, f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            server.should_exit = True
            await serving
            listening.close()
