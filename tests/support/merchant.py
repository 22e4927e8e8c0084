"""A merchant's own server: a real one on loopback that records its callbacks, and answers them as a test wants."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from tests.support.waiting import PATIENCE_SECONDS


@dataclass(frozen=True, kw_only=True)
class Received:
    """One callback as it came in; header names are looked up in any case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body, read as JSON."""
        return msgspec.json.decode(self.body)


@dataclass(kw_only=True)
class Merchant:
    """What was received so far, and what to answer next. Any path is a callback address."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)
    """Statuses to answer with, one a callback; then ``status``."""
    status: int = 200
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """While cleared, requests are recorded and left without an answer."""
    under_way: int = 0
    """How many callbacks wait for an answer at this moment."""
    under_way_most: int = 0
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def wait_for(self, wanted: Callable[[Received], bool], *, seconds: float = PATIENCE_SECONDS) -> Received:
        """Return the first callback that is wanted, among those received before too. Raises ``AssertionError``."""

        def found() -> Received | None:
            return next(filter(wanted, self.received), None)

        try:
            async with asyncio.timeout(seconds), self._came:
                callback = await self._came.wait_for(found)
        except TimeoutError:
            raise AssertionError(f"no such callback among the {len(self.received)} received in {seconds} s") from None
        assert callback is not None
        return callback

    async def wait_for_count(self, count: int, *, seconds: float = PATIENCE_SECONDS) -> list[Received]:
        """Return all callbacks once there are at least ``count``."""
        await self.wait_for(lambda _: len(self.received) >= count, seconds=seconds)
        return list(self.received)

    async def told(self, count: int) -> list[dict[str, Any]]:
        """Return the invoice as it was told ``count`` times, by ``updated``: callbacks may overtake each other."""
        callbacks = await self.wait_for_count(count)
        attributes: list[dict[str, Any]] = [callback.document["data"]["attributes"] for callback in callbacks]
        return sorted(attributes, key=lambda each: int(each["updated"]))

    async def handle(self, request: web.Request) -> web.Response:
        """Record a callback and answer it."""
        callback = Received(
            method=request.method, path=request.path_qs, headers=request.headers, body=await request.read()
        )
        async with self._came:
            self.received.append(callback)
            self._came.notify_all()
        status = self.answers.popleft() if self.answers else self.status
        self.under_way += 1
        self.under_way_most = max(self.under_way_most, self.under_way)
        try:
            await self.open.wait()
        finally:
            self.under_way -= 1
        return web.Response(status=status)


@asynccontextmanager
async def listening() -> AsyncIterator[Merchant]:
    """Run a merchant's server on a free loopback port."""
    merchant = Merchant()
    merchant.open.set()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", merchant.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        merchant.url = f"http://127.0.0.1:{runner.addresses[0][1]}/callbacks"
        yield merchant
    finally:
        merchant.open.set()
        await runner.cleanup()
