"""Bad days at work: which one it is, and how the bank answers on it.

    POST /days   {"day": "silent_after", "times": 2}: so go the next orders, refunds and
                                                 cancellations; ``times`` 0 ends it
    GET /days    what is still to come of that, and how much of the last huge answer was read

What was called for is in memory, and gone with the bank. Whoever reaches the bank may call for it: the money is not
real.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from kassa.bank import days, queries
from kassa.bank.books import Books
from kassa.bank.days import Day
from kassa.bank.model import Order
from kassa.errors import BadRequest

HUGE_BYTES: Final = 100 * 1024 * 1024
DRIP_SECONDS: Final = 1.0
TIMES_MAX: Final = 1000
_CHUNK: Final = b" " * (64 * 1024)
_PAGE: Final = "<!doctype html><title>It works!</title>"


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """A day that was called for, and how many times it is still to come."""

    day: Day | None = None
    times: Annotated[int, msgspec.Meta(ge=0, le=TIMES_MAX)] = 1


NOTHING: Final = Called(day=None, times=0)


class BadDays:
    """The bank's calendar."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._huge_bytes_sent = 0
        self.called = NOTHING

    def routes(self) -> list[BaseRoute]:
        """Return where bad days are called for."""
        return [
            Route("/days", self.show, methods=["GET"]),
            Route("/days", self.call, methods=["POST"]),
            Route("/desk/days", self.call_at_desk, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Tell what is still to come."""
        content = {**msgspec.structs.asdict(self.called), "huge_bytes_sent": self._huge_bytes_sent}
        return Response(msgspec.json.encode(content), media_type="application/json")

    async def call(self, request: Request) -> Response:
        """Call for a day, in place of the one that was called for before."""
        try:
            self._call(msgspec.json.decode(await request.body(), type=Called))
        except msgspec.DecodeError as error:
            raise BadRequest(str(error)) from None
        return await self.show(request)

    async def call_at_desk(self, request: Request) -> Response:
        """The same by a form (fields ``day`` and ``times``), and go back to the desk."""
        async with request.form() as form:
            fields = {"day": form.get("day") or None, "times": form.get("times")}
        try:
            self._call(msgspec.convert(fields, Called, strict=False))
        except msgspec.ValidationError as error:
            raise BadRequest(str(error)) from None
        return RedirectResponse("/", HTTPStatus.SEE_OTHER)

    def dated(self, order: Order) -> Order:
        """Return an order with its day: the one that was called for, or the one that it chooses itself."""
        day = self._next() or days.chosen(order.instrument, order.amount)
        return msgspec.structs.replace(order, day=day)

    def of_answer(self) -> Day | None:
        """Return the day of a refund or a cancellation: one that was called for, where it can spoil it."""
        return self._next() if self.called.day in days.ANSWERS else None

    async def answer(self, request: Request, day: Day | None, act: Callable[[], Response]) -> Response:
        """Do what was asked for, unless the day forbids it, and answer as the day has it."""
        good = None if day in days.NOTHING_TAKEN else act()
        match day:
            case Day.SILENT_BEFORE | Day.SILENT_AFTER:
                await _until_gone(request)
                return Response()
            case Day.FAILS_BEFORE:
                return Response("Service Unavailable", HTTPStatus.SERVICE_UNAVAILABLE)
            case Day.FAILS_AFTER:
                return Response("Internal Server Error", HTTPStatus.INTERNAL_SERVER_ERROR)
            case Day.GARBAGE:
                return Response(_PAGE, media_type="text/html")
            case Day.DRIP:
                return StreamingResponse(_dripping(), media_type="application/json")
            case Day.HUGE:
                return StreamingResponse(self._huge(), media_type="application/json")
            case Day.NOTICE_EARLY:
                await self._until_notified()
        return good or Response()

    def _call(self, called: Called) -> None:
        self.called = called if called.day and called.times else NOTHING

    def _next(self) -> Day | None:
        day, times = self.called.day, self.called.times
        self._call(Called(day=day, times=max(times - 1, 0)))
        return day

    async def _until_notified(self) -> None:
        """Wait until every new message has been tried once."""
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
