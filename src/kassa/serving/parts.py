"""The parts of one process and how each ends: the servers and the due work, the fake bank, who follows the operator."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from socket import socket

from kassa import app
from kassa.config import Settings
from kassa.db import home
from kassa.platform import Platform
from kassa.serving import hardening
from kassa.serving.lifetime import Stop, until_set_or
from kassa.serving.limits import ConnectionLimits
from kassa.serving.listening import Listener, bind
from kassa.serving.readiness import Readiness, health_app
from kassa.serving.roles import Role, address

LEAVE_SECONDS = 10
"""How long requests may take in all once we are asked to stop: while we still listen, and after that."""
BANK_FINISH_SECONDS = 1
SHOP_FINISH_SECONDS = 1
HEALTH_FINISH_SECONDS = 1
FOLLOWING_END_SECONDS = 0.5


@contextlib.asynccontextmanager
async def front(
    stop: Stop,
    platform: Platform,
    sockets: Mapping[Role, socket],
    roles: frozenset[Role],
    *,
    shop_url: str | None = None,
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run what takes work in: the two servers and the worker. They stop side by side, for they share the 20 seconds."""
    finish, proxies = LEAVE_SECONDS - platform.settings.drain_seconds, platform.settings.trusted_proxies
    limits = _limits(platform.settings)
    made = ((Role.API, partial(app.base_app, shop_url=shop_url)), (Role.GATE, app.gate_app))
    listeners = [
        Listener(make(platform), sockets[role], finish_seconds=finish, trusted_proxies=proxies, limits=limits)
        for role, make in made
        if role in roles
    ]
    workers = [app.worker(platform)] if Role.WORKER in roles else []
    working = [asyncio.create_task(worker.run(), name="worker") for worker in workers]
    try:
        yield [*working, *[await listener.start() for listener in listeners]]
    finally:
        leaving = _leave(listeners, stop, platform.settings.drain_seconds)
        await asyncio.gather(leaving, *(worker.stop() for worker in workers))
        for task in working:
            # What a database without an answer still holds up ends with the connections.
            task.cancel()


@contextlib.asynccontextmanager
async def bank(platform: Platform, taken: socket) -> AsyncIterator[asyncio.Task[None]]:
    """Run the fake bank, of which there is one on a home. Raises ``HomeBusy``."""
    async with home.hold_bank(platform.settings.home_path()):
        listener = Listener(app.bank_app(platform), taken, finish_seconds=BANK_FINISH_SECONDS, lifespan=True)
        try:
            yield await listener.start()
        finally:
            await listener.stop()


@contextlib.asynccontextmanager
async def shop(platform: Platform) -> AsyncIterator[str]:
    """Run the demo shop for the worker processes; gives its address, which this machine alone reaches."""
    with bind("127.0.0.1", 0, "the demo shop") as taken:
        listener = Listener(app.shop_app(platform), taken, finish_seconds=SHOP_FINISH_SECONDS)
        await listener.start()
        try:
            yield address("127.0.0.1", taken)
        finally:
            await listener.stop()


@contextlib.asynccontextmanager
async def health(readiness: Readiness, taken: socket) -> AsyncIterator[asyncio.Task[None]]:
    """Answer those who watch this process, to its end."""
    listener = Listener(health_app(readiness), taken, finish_seconds=HEALTH_FINISH_SECONDS)
    try:
        yield await listener.start()
    finally:
        await listener.stop()


@contextlib.asynccontextmanager
async def following(platform: Platform) -> AsyncIterator[asyncio.Task[None]]:
    """Keep up with what the operator changes."""
    task = asyncio.create_task(app.follow_operator(platform), name="following the operator")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=FOLLOWING_END_SECONDS)


async def _leave(listeners: Sequence[Listener], stop: Stop, seconds: float) -> None:
    """Listen on for so long, so that what shares out requests learns to send them elsewhere, and then no more."""
    if not listeners:
        return
    for listener in listeners:
        listener.drain()
    await until_set_or(stop.at_once, seconds)
    await asyncio.gather(*(listener.stop() for listener in listeners))


def _limits(settings: Settings) -> ConnectionLimits:
    # The other half is for the database, for providers and callbacks, and for what a refusal takes.
    total_max = min(settings.connections or hardening.FILES_MAX, hardening.open_files() // 2)
    by_address_max = settings.limit("connections_by_address")
    return ConnectionLimits(total_max=total_max, by_address_max=by_address_max, proxies=settings.trusted_proxies)
