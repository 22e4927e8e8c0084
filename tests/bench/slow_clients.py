"""What 500 slow clients cost an honest one, and how long each of them is borne (G10).

    python -m tests.bench.slow_clients

A whole Kassa is started. An honest merchant creates invoices one after the other: first alone, then beside clients that
drip heads, drip bodies, or send empty lines between requests. A process of their own keeps that many of them connected:
whoever is cut comes back at once. The honest p95 should at most double, and nobody should be borne longer than 15 s.
"""

import asyncio
import contextlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import typer

from tests.support import office, serving
from tests.support.api import Client
from tests.support.serving import Served

SLOW: Final = 500
CREATIONS: Final = 500
BORNE_SECONDS_MAX: Final = 15

_DRIP_SECONDS: Final = 1.0
_GIVEN_UP_SECONDS: Final = 60
_HEAD: Final = b"POST /api/payment-invoices HTTP/1.1\r\nHost: x\r\n"
_SCRIPTS: Final = (
    ("head", _HEAD, b"X-A: 1\r\n"),
    ("body", _HEAD + b"Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{", b" "),
    ("idle", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"),
)


async def drip(port: int, start: bytes, drop: bytes) -> float:
    """Be one slow client; return for how many seconds he was borne."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        writer.write(start)
        gone = asyncio.create_task(_end(reader))
        while not gone.done() and time.monotonic() - began < _GIVEN_UP_SECONDS:
            writer.write(drop)
            await asyncio.wait({gone}, timeout=_DRIP_SECONDS)
        gone.cancel()
    writer.close()
    return time.monotonic() - began


async def _end(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(4096):
            pass


async def crowd(port: int, told: Connection) -> None:
    """Be all of them until told to stop, then tell how long the longest of each kind was borne."""
    longest = dict.fromkeys((name for name, _, _ in _SCRIPTS), 0.0)

    async def one(number: int) -> None:
        name, start, drop = _SCRIPTS[number % len(_SCRIPTS)]
        while True:
            longest[name] = max(longest[name], await drip(port, start, drop))

    clients = [asyncio.create_task(one(number)) for number in range(SLOW)]
    await asyncio.wait(clients, timeout=2 * BORNE_SECONDS_MAX)
    told.send("all have been cut once")
    await asyncio.to_thread(told.recv)
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    told.send(longest)


def _crowd(port: int, told: Connection) -> None:
    asyncio.run(crowd(port, told))


@contextlib.contextmanager
def crowded(port: int, longest: dict[str, float]) -> Iterator[None]:
    """Let the slow clients be there for a while."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_crowd, args=(port, theirs), daemon=True)
    process.start()
    ours.recv()
    try:
        yield
    finally:
        ours.send("enough")
        longest.update(ours.recv())
        process.join()


async def p95(shop: Client) -> float:
    """Create invoices one after the other; return the least of three 95th percentiles, in milliseconds."""
    return min([await _p95(shop) for _ in range(3)])


async def _p95(shop: Client) -> float:
    took = []
    for _ in range(CREATIONS):
        began = time.monotonic()
        assert (await shop.create()).status == 201
        took.append(time.monotonic() - began)
    return sorted(took)[int(CREATIONS * 0.95)] * 1000


async def measure(running: serving.Serving) -> None:
    """Measure and print."""
    served: Served = running.served
    port = urlsplit(served.base_url).port or 0
    longest: dict[str, float] = {}
    async with office.opened(running) as there:
        shop = await there.account()
        await _p95(shop)
        alone = await p95(shop)
        with crowded(port, longest):
            beside = await p95(shop)
    typer.echo(
        f"honest p95 alone {alone:.1f} ms, beside {SLOW} slow clients {beside:.1f} ms: {beside / alone:.2f} times"
    )
    borne = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in longest.items())
    typer.echo(f"longest borne, by what is slow: {borne}; to be at most {BORNE_SECONDS_MAX} s")


async def main() -> None:
    """Start a Kassa and measure it."""
    with tempfile.TemporaryDirectory(prefix="kassa-bench-") as folder:
        os.chmod(folder, 0o711)  # noqa: PTH101, S103 - the server's own user has to come in, and nothing else runs yet
        async with serving.running(Path(folder), environment={"KASSA_LOG_LEVEL": "warning"}) as running:
            await measure(running)


if __name__ == "__main__":
    asyncio.run(main())
