"""The line between Kassa and the bank: carries requests there and answers back, or fails as lines do."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import aiohttp
from aiohttp import web

_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"})


class Fault(Enum):
    """What can go wrong with a purchase on its way."""

    HOLD = auto()
    """It waits on the line, and nothing has reached the bank."""
    HOLD_ANSWER = auto()
    """The bank has it, and the answer waits on the line."""
    LOSE = auto()
    """It never reaches the bank, and the connection breaks."""
    LOSE_ANSWER = auto()
    """The bank has it, and the connection breaks."""
    GARBLE = auto()
    """The bank has it, and what comes back makes no sense."""
    HALVE = auto()
    """The bank understands half the amount."""
    DOWN = auto()
    """It never reaches the bank: something before it answers 503."""


@dataclass(kw_only=True)
class Wire:
    """The line: what passed along it, and what is wrong with it."""

    bank_url: str
    session: aiohttp.ClientSession
    url: str = ""
    fault: Fault | None = None
    """What happens to purchases that are placed from now on; what is not named here or below passes."""
    refund_fault: Fault | None = None
    """What happens to refunds that are asked for from now on."""
    cancel_fault: Fault | None = None
    """What happens to cancellations that are asked for from now on."""
    down: bool = False
    """Nothing reaches the bank, whatever it is: something before it answers 503."""
    placed: list[str] = field(default_factory=list)
    """The orders that were to be placed, one a request."""
    refunds: list[str] = field(default_factory=list)
    """The refunds that were asked for, one a request."""
    calls: list[str] = field(default_factory=list)
    """Every request, as ``METHOD /path``."""
    held: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a request waits on the line."""
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry(self, request: web.Request) -> web.StreamResponse:
        """Carry one request."""
        self.calls.append(f"{request.method} {request.path}")
        await request.read()  # whole, before anything can go wrong with the line
        fault = None
        if request.method == "PUT":
            refunding = "/refunds/" in request.path
            fault = self.refund_fault if refunding else self.fault
            (self.refunds if refunding else self.placed).append(request.path.rpartition("/")[2])
        if request.path.endswith("/cancel"):
            fault = self.cancel_fault
        if fault is Fault.HOLD:
            await self._wait()
        if fault is Fault.LOSE:
            return _broken(request)
        if self.down or fault is Fault.DOWN:
            return web.Response(status=503, text="Service Unavailable")
        answer = await self._forward(request, _halved if fault is Fault.HALVE else bytes)
        if fault is Fault.HOLD_ANSWER:
            await self._wait()
        if fault is Fault.LOSE_ANSWER:
            return _broken(request)
        if fault is Fault.GARBLE:
            return web.Response(status=200, text="<html>It works!</html>", content_type="text/html")
        return answer

    async def _wait(self) -> None:
        self.held.set()
        await self.let_go.wait()

    async def _forward(self, request: web.Request, heard: Callable[[bytes], bytes]) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        async with self.session.request(
            request.method,
            self.bank_url + request.path_qs,
            headers=headers,
            data=heard(await request.read()) or None,
            allow_redirects=False,
        ) as answer:
            back = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
            return web.Response(status=answer.status, headers=back, body=await answer.read())


def _halved(body: bytes) -> bytes:
    asked = json.loads(body)
    return json.dumps({**asked, "amount": max(asked["amount"] // 2, 1)}).encode()


def _broken(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=500)


@asynccontextmanager
async def laid(bank_url: str) -> AsyncIterator[Wire]:
    """Lay a line to a bank."""
    async with aiohttp.ClientSession() as session:
        wire = Wire(bank_url=bank_url, session=session)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", wire.carry)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            wire.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield wire
        finally:
            wire.let_go.set()
            await runner.cleanup()
