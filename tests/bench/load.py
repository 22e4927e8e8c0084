"""Clients that cost less than what they measure: plain HTTP/1.1 on kept connections, and how long each piece took."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, cast
from urllib.parse import urlsplit

_WARM_UP_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server answered."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: bytes) -> str:
        """Return a header's value; the name is in lower case and has to be there."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name:
                return value.strip().decode()
        raise AssertionError(f"no {name!r} in {self.head!r}")


class _Line(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._data = b""
        self._answer: asyncio.Future[Reply] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are transports without being asyncio's.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end or self._answer is None or self._answer.done():
            return
        reply = Reply(status=int(head[9:12]), head=head, body=body)
        if len(body) >= int(reply.header(b"content-length")):
            self._data = b""
            self._answer.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("hung up"))

    async def ask(self, request: bytes) -> Reply:
        assert self.transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await asyncio.wait_for(self._answer, _ANSWER_SECONDS)


class Caller:
    """One client: a kept connection to each server that it speaks to."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    async def ask(self, method: str, url: str, *, headers: str = "", body: bytes = b"") -> Reply:
        """Send a request and return the answer; ``headers`` are whole lines."""
        parts = urlsplit(url)
        line = self._lines.get(parts.netloc)
        if line is None or line.transport is None or line.transport.is_closing():
            loop = asyncio.get_running_loop()
            _, line = await loop.create_connection(_Line, parts.hostname or "", parts.port or 80)
            self._lines[parts.netloc] = line
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{headers}{length}\r\n"
        return await line.ask(head.encode() + body)

    def close(self) -> None:
        """Hang up."""
        for line in self._lines.values():
            if line.transport is not None:
                line.transport.close()


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How often a second something was done, and how many milliseconds half and 99 of 100 took at most.

    ``spent`` is what each took of the processors' time, in microseconds, by who spent it.
    """

    per_second: float
    p50: float
    p99: float
    spent: tuple[float, ...] = ()


Work: TypeAlias = Callable[[Caller], Awaitable[None]]
Spending: TypeAlias = Callable[[], tuple[float, ...]]
"""Tells what some have had of the processors until now, in seconds."""


def rate(durations: list[float], seconds: float, spent: tuple[float, ...] = ()) -> Rate:
    """Return the rate of what took so long each, in seconds."""
    ordered = sorted(durations) or [0.0]
    at = [1000 * ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.99)]
    return Rate(per_second=len(durations) / seconds, p50=at[0], p99=at[1], spent=spent)


async def measure(work: Work, *, clients: int, seconds: float, spending: Spending) -> Rate:
    """Let so many clients do something over and over, each one after the other.

    What warms up does not count, but for what is spent of the processors, which is spread over all that was done.
    """
    durations: list[float] = []
    before, all_done = spending(), 0
    begin = time.monotonic() + _WARM_UP_SECONDS
    end = begin + seconds

    async def client() -> None:
        nonlocal all_done
        caller = Caller()
        began = time.monotonic()
        while began < end:
            await work(caller)
            done = time.monotonic()
            all_done += 1
            if begin <= done < end:
                durations.append(done - began)
            began = done
        caller.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())
    spent = (1e6 * (after - earlier) / max(all_done, 1) for earlier, after in zip(before, spending(), strict=True))
    return rate(durations, seconds, tuple(spent))
