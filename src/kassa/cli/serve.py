"""``kassa serve``: the gateway, all of it in one process or some parts of it, until it is told to stop."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import structlog
import typer
import uvloop

from kassa import app, config, observability
from kassa.cli import greeting, hardening, journal, ready
from kassa.cli.connections import Crowd
from kassa.cli.listening import Listener
from kassa.cli.roles import Role, Sockets, address, check_addresses, chosen, resolved, take
from kassa.config import Settings
from kassa.db import contact, embedded, home
from kassa.errors import DatabaseUnavailable, HomeBusy
from kassa.observability import tracing
from kassa.platform import Platform
from kassa.worker import Worker

LOCK_WAIT_SECONDS = 30.0
"""How long a command that holds the home may still take, or whoever starts its database."""
LEAVE_SECONDS = 10
"""How long requests may take in all once we are told to stop: while we still listen, and after that."""
BANK_FINISH_SECONDS = 1
HEALTH_FINISH_SECONDS = 1
FOLLOWING_END_SECONDS = 0.5
READY_SECONDS = 5.0

_READY_PAUSE_SECONDS = 0.1

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Stop:
    """That we are told to stop, and whether at once: then nobody is given the time to send requests elsewhere."""

    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.at_once = asyncio.Event()

    def tell(self, number: signal.Signals) -> None:
        """Take a signal: Ctrl-C means at once, and so does the second of any."""
        if number == signal.SIGINT or self.told.is_set():
            self.at_once.set()
        self.told.set()


def serve(
    *,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="With a demo account, a demo shop and a fake bank.", show_default="KASSA_DEMO, else off"
        ),
    ] = False,
    only: Annotated[
        list[Role] | None,
        typer.Option(help="Run this part alone; may be given several times.", show_default="all"),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Where to listen.", show_default="KASSA_HOST, else 127.0.0.1"),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option(
            metavar="PORT",
            help="The API's port; the card gate and the bank take the next two; 0: free ones.",
            show_default="KASSA_PORT, else 8000",
        ),
    ] = None,
    home_folder: Annotated[
        Path | None,
        typer.Option(
            "--home",
            metavar="DIR",
            help="Where the data is.",
            show_default="KASSA_HOME, else ~/.local/share/kassa, or /var/lib/kassa for root",
        ),
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Written, as JSON, when everything answers.")
    ] = None,
) -> None:
    """Serve the API, the checkout and the card gate, and do the work that is due, until SIGTERM or Ctrl-C.

    With --only, several processes share the parts: on one PostgreSQL, as many of each as wanted, but one fake bank.
    All other settings come from the environment: docs/settings.md lists them.
    """
    given = str(home_folder) if home_folder else None
    settings = config.load(os.environ, demo=demo or None, host=host, port=port, home=given)
    observability.configure(settings.log_level)
    journal.keep(settings.home_path())
    tracing.configure()
    for sentence in config.unknown(os.environ):
        _log.warning(sentence)
    hardening.keep_memory_private()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        failed = runner.run(_run(settings, only or [], ready_file))
    tracing.finish()
    if failed:
        sys.exit(1)


async def _run(settings: Settings, only: Sequence[Role], ready_file: Path | None) -> bool:
    """Serve until a signal; return whether something broke instead."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.tell, number)
    async with contextlib.AsyncExitStack() as stack:
        with contact.naming(settings):
            started = await _unless(stop.told, _start(stack, stop, settings, only, ready_file))
        if started is None:
            return False
        hardening.collect_seldom()
        waiting = asyncio.create_task(stop.told.wait())
        ended, _ = await asyncio.wait({waiting, *started}, return_when=asyncio.FIRST_COMPLETED)
        if waiting not in ended:
            waiting.cancel()
            stop.at_once.set()
            _log.critical("a part of Kassa ended by itself", exc_info=next(iter(ended)).exception())
            return True
        _log.info("stopping")
    _log.info("stopped")
    return False


async def _start(
    stack: contextlib.AsyncExitStack, stop: Stop, settings: Settings, only: Sequence[Role], ready_file: Path | None
) -> list[asyncio.Task[None]]:
    """Start everything, each part after what it needs, and return the tasks that must not end.

    What is started last is stopped first: requests and work, then what tells how we do, the bank, the connections, the
    database, the lock. All of it together takes less than 20 seconds.
    """
    folder, roles = settings.home_path(), chosen(only, demo=settings.demo)
    check_addresses(settings, roles)
    home.prepare(folder)
    given = await _hold(stack, settings, shared=bool(only))
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)  # noqa: ASYNC240  # nothing else runs yet
    sockets = stack.enter_context(take(settings, roles))
    settings = resolved(settings, sockets)
    own = embedded.running(folder, port=settings.database_port)
    url = given if given is not None else await stack.enter_async_context(own)
    platform = await stack.enter_async_context(app.open_platform(settings, url))
    if given is None:
        where = {"bank_url": settings.bank_url, "base_url": settings.base_url, "gate_url": settings.gate_url}
        home.announce(folder, url, **where)
        stack.callback(home.withdraw, folder)
    keys = await app.demo_keys(platform) if settings.demo and Role.API in roles else None
    readiness = app.Readiness(platform, url)
    tasks = [await stack.enter_async_context(_following(platform))]
    tasks += await _beside(stack, platform, readiness, sockets)
    tasks += await stack.enter_async_context(_front(stop, platform, readiness, sockets, roles))
    await _until_ready(readiness)
    health_url = address(settings.health_host, sockets.health)
    if ready_file is not None:
        stack.callback(ready_file.unlink, missing_ok=True)
        ready.write(ready_file, settings, health_url, url, keys)
    greeting.greet(settings, roles, health_url, keys, await greeting.missing(platform) if Role.API in roles else [])
    return tasks


async def _hold(stack: contextlib.AsyncExitStack, settings: Settings, *, shared: bool) -> str | None:
    """Return the database's address, if somebody else runs it; else hold the home, to run it ourselves.

    Raises ``HomeBusy``.
    """
    if settings.database_url:
        return settings.database_url
    folder = settings.home_path()
    try:
        await stack.enter_async_context(home.hold(folder, wait_seconds=LOCK_WAIT_SECONDS))
    except HomeBusy:
        told = home.announced(folder)
        if not shared or told is None:
            raise
        return told.database_url
    return None


async def _beside(
    stack: contextlib.AsyncExitStack, platform: Platform, readiness: app.Readiness, sockets: Sockets
) -> list[asyncio.Task[None]]:
    """Run what answers to the end: the fake bank, and those who are asked how we do."""
    tasks = []
    if bank_socket := sockets.roles.get(Role.BANK):
        await stack.enter_async_context(home.hold_bank(platform.settings.home_path()))
        bank = Listener(app.bank_app(platform), bank_socket, finish_seconds=BANK_FINISH_SECONDS, lifespan=True)
        stack.push_async_callback(bank.stop)
        tasks.append(await bank.start())
    health = Listener(app.health_app(readiness), sockets.health, finish_seconds=HEALTH_FINISH_SECONDS)
    stack.push_async_callback(health.stop)
    return [*tasks, await health.start()]


@contextlib.asynccontextmanager
async def _front(
    stop: Stop, platform: Platform, readiness: app.Readiness, sockets: Sockets, roles: frozenset[Role]
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run what takes work in: the two servers and the worker. They stop side by side, for they share the 20 seconds."""
    finish, proxies = LEAVE_SECONDS - platform.settings.drain_seconds, platform.settings.trusted_proxies
    crowd = _crowd(platform.settings)
    listeners = [
        Listener(make(platform), sockets.roles[role], finish_seconds=finish, trusted_proxies=proxies, crowd=crowd)
        for role, make in ((Role.API, app.base_app), (Role.GATE, app.gate_app))
        if role in roles
    ]
    workers = [Worker(platform)] if Role.WORKER in roles else []
    working = [asyncio.create_task(worker.run(), name="worker") for worker in workers]
    try:
        yield [*working, *[await listener.start() for listener in listeners]]
    finally:
        readiness.stopping = True
        leaving = _leave(listeners, stop, platform.settings.drain_seconds)
        await asyncio.gather(leaving, *(worker.stop() for worker in workers))
        for task in working:
            # What a database without an answer still holds up ends with the connections.
            task.cancel()


async def _leave(listeners: Sequence[Listener], stop: Stop, seconds: float) -> None:
    """Listen on for so long, so that whoever shares out requests learns to send them elsewhere, and then no more."""
    if not listeners:
        return
    for listener in listeners:
        listener.drain()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.at_once.wait(), seconds)
    await asyncio.gather(*(listener.stop() for listener in listeners))


def _crowd(settings: Settings) -> Crowd:
    # The other half is for the database, for providers and callbacks, and for what a refusal takes.
    most = min(settings.connections or hardening.FILES_MAX, hardening.open_files() // 2)
    return Crowd(most=most, most_of_one=settings.limit("connections_by_address"), proxies=settings.trusted_proxies)


@contextlib.asynccontextmanager
async def _following(platform: Platform) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(app.follow_operator(platform), name="following the operator")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=FOLLOWING_END_SECONDS)


async def _until_ready(readiness: app.Readiness) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while wrong := [f"{name}: {text}" for name, text in (await readiness.checks()).items() if text]:
        if time.monotonic() >= deadline:
            raise DatabaseUnavailable(f"Kassa does not get ready: {'; '.join(wrong)}")
        await asyncio.sleep(_READY_PAUSE_SECONDS)


async def _unless(stop: asyncio.Event, starting: Coroutine[Any, Any, T]) -> T | None:
    """Return what a coroutine returns, or None, with the coroutine cancelled, when we are told to stop before that."""
    task = asyncio.create_task(starting)
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return None
    return await task
