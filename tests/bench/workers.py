"""How creations grow with worker processes: one and two behind the same port, in turn, on this machine.

    python -m tests.bench.workers

Each time a whole Kassa is started and clients on kept connections create invoices for some seconds. Clients, Kassa and
PostgreSQL share the cores, so the ratio says how far this machine's cores let creations grow.
"""

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Annotated, Final

import aiohttp
import typer

from tests.support import serving
from tests.support.api import Client

_CLIENTS: Final = 16
_WARM_UP_SECONDS: Final = 2.0


async def created(workers: int, seconds: float) -> float:
    """Return how many invoices a second are created with so many worker processes."""
    with tempfile.TemporaryDirectory(prefix="kassa-bench-") as name:
        Path(name).chmod(0o711)  # noqa: ASYNC240  # nothing else runs yet
        async with (
            serving.running(Path(name), "--workers", str(workers)) as kassa,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            client, done = Client(session, kassa.served.base_url, kassa.served.account), 0

            async def create() -> None:
                nonlocal done
                while True:
                    assert (await client.create()).status == 201
                    done += 1

            clients = [asyncio.create_task(create()) for _ in range(_CLIENTS)]
            await asyncio.wait(clients, timeout=_WARM_UP_SECONDS, return_when=asyncio.FIRST_EXCEPTION)
            before = done
            await asyncio.wait(clients, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
            rate = (done - before) / seconds
            for each in clients:
                each.cancel()
            for end in await asyncio.gather(*clients, return_exceptions=True):
                if not isinstance(end, asyncio.CancelledError):
                    raise end or AssertionError("a client ended")
            return rate


def main(
    seconds: Annotated[float, typer.Option(help="How long each is measured.")] = 10.0,
    rounds: Annotated[int, typer.Option(help="How often; one and two take turns, the best of each counts.")] = 3,
) -> None:
    """Print creations a second with one worker process and with two, and their ratio."""
    best = {1: 0.0, 2: 0.0}
    for _ in range(rounds):
        for workers, so_far in list(best.items()):
            best[workers] = max(so_far, asyncio.run(created(workers, seconds)))
    typer.echo(f"{os.cpu_count()} cores, {_CLIENTS} clients on the same machine")
    for workers, rate in best.items():
        typer.echo(f"  workers: {workers}   {rate:7.1f} creations/s")
    typer.echo(f"  ratio        {best[2] / best[1]:7.2f}")


if __name__ == "__main__":
    typer.run(main)
