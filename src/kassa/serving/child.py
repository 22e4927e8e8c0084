"""One worker process: reads from standard input what to do, and does it until its supervisor stops it or is gone."""

import asyncio
import contextlib
import math
import os
import signal
import sys
from collections.abc import Mapping
from socket import socket
from typing import Final

import msgspec
import structlog
import uvloop

from kassa import app, observability
from kassa.backlog.measuring import measure_pools
from kassa.config import Settings
from kassa.db.pool import PoolSizes
from kassa.errors import KassaError
from kassa.observability import tracing
from kassa.platform import Platform
from kassa.serving import hardening, journal, lifetime, parts
from kassa.serving.lifetime import Stop
from kassa.serving.roles import Role

READY: Final = b"ready\n"
"""What a worker process writes to standard output when it answers."""
MEASURED_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is to do. It holds secrets, so it travels through a pipe."""

    number: int
    """From 1."""
    workers: int
    """How many there are."""
    settings: Settings
    """With the addresses resolved."""
    database_url: str
    sizes: PoolSizes
    roles: frozenset[Role]
    shop_url: str | None
    """Where the demo shop runs, in demo mode."""
    descriptors: dict[Role, int]
    """The listening sockets of the roles, by the number that they have in this process as well."""

    def __repr__(self) -> str:
        return f"Order({self.number}, …)"

    def shared_settings(self) -> Settings:
        """Return the settings with this process's share of what holds for all of them together."""
        share = math.ceil(self.settings.provider_questions_per_second / self.workers)
        return msgspec.structs.replace(self.settings, provider_questions_per_second=share)


def main() -> None:
    """Work until SIGTERM or SIGINT, or until standard input ends because the supervisor is gone."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    observability.configure(order.settings.log_level, worker=order.number)
    journal.keep(order.settings.home_path())
    tracing.configure()
    hardening.keep_memory_private()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            failed = runner.run(_run(order))
    except KassaError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    tracing.finish()
    if failed:
        sys.exit(1)


async def _run(order: Order) -> bool:
    stop, loop, lifeline = Stop(), asyncio.get_running_loop(), sys.stdin.fileno()

    def left_alone() -> None:
        loop.remove_reader(lifeline)
        _log.warning("the supervisor is gone")
        stop.ask(signal.SIGINT)

    async def start(stack: contextlib.AsyncExitStack, stop: Stop) -> list[asyncio.Task[None]]:
        return await _start(stack, stop, order)

    loop.add_reader(lifeline, left_alone)
    return await lifetime.run(start, stop)


async def _start(stack: contextlib.AsyncExitStack, stop: Stop, order: Order) -> list[asyncio.Task[None]]:
    settings = order.shared_settings()
    opened = app.open_platform(settings, order.database_url, sizes=order.sizes, prepares=False)
    platform = await stack.enter_async_context(opened)
    tasks = [await stack.enter_async_context(parts.following(platform))]
    measuring = asyncio.create_task(_measure(platform), name="measuring")
    stack.callback(measuring.cancel)
    sockets = _sockets(stack, order.descriptors)
    front = parts.front(stop, platform, sockets, order.roles, shop_url=order.shop_url)
    tasks += [measuring, *await stack.enter_async_context(front)]
    os.write(sys.stdout.fileno(), READY)
    return tasks


def _sockets(
    stack: contextlib.ExitStack | contextlib.AsyncExitStack, numbers: Mapping[Role, int]
) -> dict[Role, socket]:
    return {role: stack.enter_context(socket(fileno=number)) for role, number in numbers.items()}


async def _measure(platform: Platform) -> None:
    """Keep the gauges of this process up to date: the supervisor, who is asked for them, cannot see its pools."""
    while True:
        measure_pools(platform)
        await asyncio.sleep(MEASURED_SECONDS)


if __name__ == "__main__":
    main()
