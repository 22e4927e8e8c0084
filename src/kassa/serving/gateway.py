"""The gateway, all of it in one process or some parts of it: what is started after what, and stopped before what."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from kassa import app
from kassa.config import Settings
from kassa.db import contact, embedded, home
from kassa.errors import DatabaseUnavailable, HomeBusy
from kassa.platform import Platform
from kassa.serving import greeting, lifetime, parts, ready, sizing
from kassa.serving.child import Order
from kassa.serving.lifetime import Stop
from kassa.serving.readiness import Readiness
from kassa.serving.roles import Role, Sockets, address, check_addresses, chosen, resolved, take
from kassa.serving.sizing import Plan, connections_needed, wanted_workers
from kassa.serving.supervisor import Supervisor
from kassa.serving.totals import Totals

LOCK_WAIT_SECONDS = 30.0
"""How long a command that holds the home may still take, or a command that starts its database."""
READY_SECONDS = 5.0

_READY_PAUSE_SECONDS = 0.1


async def run(settings: Settings, only: Sequence[Role], ready_file: Path | None) -> bool:
    """Serve until a signal; return whether something broke instead. Raises the ``KassaError`` that prevents it."""

    async def start(stack: contextlib.AsyncExitStack, stop: Stop) -> list[asyncio.Task[None]]:
        with contact.naming(settings):
            return await _start(stack, stop, settings, only, ready_file)

    return await lifetime.run(start)


async def _start(
    stack: contextlib.AsyncExitStack, stop: Stop, settings: Settings, only: Sequence[Role], ready_file: Path | None
) -> list[asyncio.Task[None]]:
    """Start everything, each part after what it needs, and return the tasks that must not end.

    What is started last is stopped first, and all of it in less than 20 seconds.
    """
    folder, roles = settings.home_path(), chosen(only, demo=settings.demo)
    check_addresses(settings, roles)
    home.prepare(folder)
    given = await _hold(stack, settings, shared=bool(only))
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)  # noqa: ASYNC240  # nothing else runs yet
    sockets = stack.enter_context(take(settings, roles))
    settings = resolved(settings, sockets)
    wanted = wanted_workers(settings, roles)
    own = embedded.running(folder, port=settings.database_port, connections=connections_needed(wanted))
    url = given if given is not None else await stack.enter_async_context(own)
    plan = await sizing.plan(settings, url, wanted)
    opened = app.open_platform(settings, url, sizes=plan.sizes if plan.workers == 1 else sizing.SUPERVISOR)
    platform = await stack.enter_async_context(opened)
    if given is None:
        _announce(stack, settings, url)
    keys = await app.demo_keys(platform) if settings.demo and Role.API in roles else None
    if plan.workers == 1:
        readiness = Readiness(platform, url)
        front = parts.front(stop, platform, sockets.roles, roles)
    else:
        supervisor, readiness = await _supervised(
            stack, platform, url, sockets=sockets, roles=roles & sizing.SHARED, plan=plan
        )
        front = supervisor.running(stop)
    tasks = [*await _beside(stack, platform, readiness, sockets), *await stack.enter_async_context(front)]
    stack.callback(readiness.stop)
    await _until_ready(readiness)
    health_url = address(settings.health_host, sockets.health)
    if ready_file is not None:
        _note_ready(stack, ready_file, partial(ready.write, ready_file, settings, health_url, url, keys))
    greeting.greet(settings, roles, health_url, keys, await greeting.missing(platform) if Role.API in roles else [])
    return tasks


def _note_ready(stack: contextlib.AsyncExitStack, ready_file: Path, write: Callable[[], None]) -> None:
    """Write the ready file, for as long as we serve."""
    stack.callback(ready_file.unlink, missing_ok=True)
    write()


async def _supervised(
    stack: contextlib.AsyncExitStack,
    platform: Platform,
    url: str,
    *,
    sockets: Sockets,
    roles: frozenset[Role],
    plan: Plan,
) -> tuple[Supervisor, Readiness]:
    """Return who runs worker processes, as planned, and what reports how they do."""
    shared = {role: taken for role, taken in sockets.roles.items() if role in roles}
    sells = platform.settings.demo and Role.API in roles
    shop_url = await stack.enter_async_context(parts.shop(platform)) if sells else None
    orders = [
        Order(
            number=number,
            workers=plan.workers,
            settings=platform.settings,
            database_url=url,
            sizes=plan.sizes,
            roles=roles,
            shop_url=shop_url,
            descriptors={role: taken.fileno() for role, taken in shared.items()},
        )
        for number in range(1, plan.workers + 1)
    ]
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kassa-metrics-")))
    supervisor = Supervisor(orders, list(shared.values()), folder)
    totals = Totals(folder, supervisor.pids)
    beside = {"workers": supervisor.check}
    return supervisor, Readiness(platform, url, beside=beside, rendered=totals.rendered)


async def _hold(stack: contextlib.AsyncExitStack, settings: Settings, *, shared: bool) -> str | None:
    """Return the database's address, if another process runs it; else hold the home, to run it ourselves.

    Raises ``HomeBusy``.
    """
    if settings.database_url:
        return settings.database_url
    folder = settings.home_path()
    try:
        await stack.enter_async_context(home.hold(folder, wait_seconds=LOCK_WAIT_SECONDS))
    except HomeBusy:
        running = home.announced(folder)
        if not shared or running is None:
            raise
        return running.database_url
    return None


def _announce(stack: contextlib.AsyncExitStack, settings: Settings, url: str) -> None:
    """Show commands the way to the database that we run, for as long as we run it."""
    folder = settings.home_path()
    where = {"bank_url": settings.bank_url, "base_url": settings.base_url, "gate_url": settings.gate_url}
    home.announce(folder, url, **where)
    stack.callback(home.withdraw, folder)


async def _beside(
    stack: contextlib.AsyncExitStack, platform: Platform, readiness: Readiness, sockets: Sockets
) -> list[asyncio.Task[None]]:
    """Run what answers to the end: the fake bank, those who are asked how we do, and who follows the operator."""
    tasks = [await stack.enter_async_context(parts.following(platform))]
    if bank_socket := sockets.roles.get(Role.BANK):
        tasks.append(await stack.enter_async_context(parts.bank(platform, bank_socket)))
    return [*tasks, await stack.enter_async_context(parts.health(readiness, sockets.health))]


async def _until_ready(readiness: Readiness) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while wrong := [f"{name}: {text}" for name, text in (await readiness.checks()).items() if text]:
        if time.monotonic() >= deadline:
            raise DatabaseUnavailable(f"Kassa does not get ready: {'; '.join(wrong)}")
        await asyncio.sleep(_READY_PAUSE_SECONDS)
