"""Injecting faults, and answering with them.

    POST /days   {"day": "silent_after", "times": 2}: the fault of the next orders, refunds and
                                                 cancellations; ``times`` 0 ends it
    GET /days    the fault that is injected now, and how much of the last huge answer was read

An injected fault is kept in memory and is gone when the bank stops. Anyone who can reach the bank may inject one: the
money is not real.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from kassa.bank import faults, queries
from kassa.bank.books import Books
from kassa.bank.faults import Fault
from kassa.bank.model import Order
from kassa.errors import BadRequest

HUGE_BYTES: Final = 100 * 1024 * 1024
DRIP_SECONDS: Final = 1.0
TIMES_MAX: Final = 1000
_CHUNK: Final = b" " * (64 * 1024)
_PAGE: Final = "<!doctype html><title>It works!</title>"


class Injected(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that was injected, and how many more times it happens."""

    fault: Fault | None = msgspec.field(default=None, name="day")
    times: Annotated[int, msgspec.Meta(ge=0, le=TIMES_MAX)] = 1


NOTHING: Final = Injected(fault=None, times=0)


class FaultInjector:
    """The fault that is injected now, and the answers that faults lead to."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._huge_bytes_sent = 0
        self.injected = NOTHING

    def routes(self) -> list[BaseRoute]:
        """Return the routes to inject faults."""
        return [
            Route("/days", self.show, methods=["GET"]),
            Route("/days", self.inject, methods=["POST"]),
            Route("/desk/days", self.inject_at_desk, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Show the injected fault."""
        content = {**msgspec.to_builtins(self.injected), "huge_bytes_sent": self._huge_bytes_sent}
        return Response(msgspec.json.encode(content), media_type="application/json")

    async def inject(self, request: Request) -> Response:
        """Inject a fault in place of the one before."""
        try:
            self._inject(msgspec.json.decode(await request.body(), type=Injected))
        except msgspec.DecodeError as error:
            raise BadRequest(str(error)) from None
        return await self.show(request)

    async def inject_at_desk(self, request: Request) -> Response:
        """Inject a fault by a form (fields ``day`` and ``times``), and go back to the desk."""
        async with request.form() as form:
            fields = {"day": form.get("day") or None, "times": form.get("times")}
        try:
            self._inject(msgspec.convert(fields, Injected, strict=False))
        except msgspec.ValidationError as error:
            raise BadRequest(str(error)) from None
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)

    def with_fault(self, order: Order) -> Order:
        """Return an order with its fault: the injected one, or the one that the order triggers itself."""
        fault = self._next() or faults.triggered(order.instrument, order.amount)
        return msgspec.structs.replace(order, fault=fault)

    def for_answer(self) -> Fault | None:
        """Return the fault of a refund's or a cancellation's answer: the injected one, if it is about answers."""
        return self._next() if self.injected.fault in faults.ANSWERS else None

    async def answer(self, request: Request, fault: Fault | None, act: Callable[[], Response]) -> Response:
        """Call ``act``, unless the fault prevents it, and answer as the fault requires."""
        good = None if fault in faults.NOTHING_TAKEN else act()
        match fault:
            case Fault.SILENT_BEFORE | Fault.SILENT_AFTER:
                await _until_gone(request)
                return Response()
            case Fault.FAILS_BEFORE:
                return Response("Service Unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
            case Fault.FAILS_AFTER:
                return Response("Internal Server Error", HTTPStatus.INTERNAL_SERVER_ERROR)
            case Fault.GARBAGE:
                return Response(_PAGE, media_type="text/html")
            case Fault.DRIP:
                return StreamingResponse(_dripping(), media_type="application/json")
            case Fault.HUGE:
                return StreamingResponse(self._huge(), media_type="application/json")
            case Fault.NOTICE_EARLY:
                await self._until_notified()
        return good or Response()

    def _inject(self, injected: Injected) -> None:
        self.injected = injected if injected.fault and injected.times else NOTHING

    def _next(self) -> Fault | None:
        fault, times = self.injected.fault, self.injected.times
        self._inject(Injected(fault=fault, times=max(times - 1, 0)))
        return fault

    async def _until_notified(self) -> None:
        """Wait until every new notification has been tried once."""
        while queries.fresh_notifications(self._books.connection):
            await self._books.change.wait()

    async def _huge(self) -> AsyncIterator[bytes]:
        sent = self._huge_bytes_sent = 0
        try:
            while sent < HUGE_BYTES:
                yield _CHUNK
                sent += len(_CHUNK)
                await asyncio.sleep(0)  # where the end of the connection is noticed
        finally:
            self._huge_bytes_sent = sent


async def _dripping() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(DRIP_SECONDS)


async def _until_gone(request: Request) -> None:
    """Wait until the client gives up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
