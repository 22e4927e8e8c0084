"""``kassa serve``: the whole gateway in one process, until it is told to stop."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import structlog
import typer
import uvloop

from kassa import app, config, observability
from kassa.accounts.model import Keys
from kassa.cli import greeting, hardening
from kassa.cli.connections import Crowd
from kassa.cli.listening import Listener, Sockets, resolved, take
from kassa.config import Settings
from kassa.db import embedded, home
from kassa.db.files import write_private
from kassa.errors import DatabaseUnavailable
from kassa.platform import Platform
from kassa.worker import Worker

LOCK_WAIT_SECONDS = 10.0
"""How long a command that holds the home may still take."""
FINISH_SECONDS = 8
"""How long requests in flight may take once we are told to stop."""
BANK_FINISH_SECONDS = 1
READY_SECONDS = 5.0

_READY_PAUSE_SECONDS = 0.1

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class ReadyFile(msgspec.Struct, frozen=True, kw_only=True):
    """What whoever started us needs to know, once everything answers."""

    base_url: str
    gate_url: str
    bank_url: str | None
    database_url: str
    account: Keys | None

    def __repr__(self) -> str:
        return f"ReadyFile({self.base_url}, …)"


def serve(
    *,
    demo: Annotated[bool, typer.Option("--demo", help="With a demo account, a demo shop and a fake bank.")] = False,
    host: Annotated[str | None, typer.Option(help="Where to listen.  [default: 127.0.0.1]", show_default=False)] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="The API's port; the card gate and the bank take the next two; 0: free ones.  [default: 8000]"
        ),
    ] = None,
    home_folder: Annotated[
        Path | None, typer.Option("--home", metavar="DIR", help="Where the data is.", show_default=False)
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Written, as JSON, when everything answers.")
    ] = None,
) -> None:
    """Serve the API, the checkout and the card gate, and do the work that is due, until SIGTERM or Ctrl-C."""
    given = str(home_folder) if home_folder else None
    settings = config.load(os.environ, demo=demo or None, host=host, port=port, home=given)
    observability.configure(settings.log_level)
    hardening.keep_memory_private()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        failed = runner.run(_run(settings, ready_file))
    if failed:
        sys.exit(1)


async def _run(settings: Settings, ready_file: Path | None) -> bool:
    """Serve until a signal; return whether something broke instead."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        started = await _unless(stop, _start(stack, settings, ready_file))
        if started is None:
            return False
        waiting = asyncio.create_task(stop.wait())
        ended, _ = await asyncio.wait({waiting, *started}, return_when=asyncio.FIRST_COMPLETED)
        if waiting not in ended:
            waiting.cancel()
            _log.critical("a part of Kassa ended by itself", exc_info=next(iter(ended)).exception())
            return True
        _log.info("stopping")
    _log.info("stopped")
    return False


async def _start(
    stack: contextlib.AsyncExitStack, settings: Settings, ready_file: Path | None
) -> list[asyncio.Task[None]]:
    """Start everything, each part after what it needs, and return the tasks that must not end.

    What is started last is stopped first: requests, then work, then the bank, the connections, the database, the lock.
    """
    folder = settings.home_path()
    home.prepare(folder)
    await stack.enter_async_context(home.hold(folder, wait_seconds=LOCK_WAIT_SECONDS))
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)  # noqa: ASYNC240  # nothing else runs yet
    sockets = stack.enter_context(take(settings))
    settings = resolved(settings, sockets)
    url = await _database(stack, settings)
    platform = await stack.enter_async_context(app.open_platform(settings, url))
    if settings.database_url is None:
        home.announce(folder, url)
        stack.callback(home.withdraw, folder)
    keys = await app.demo_keys(platform) if settings.demo else None
    tasks = [await stack.enter_async_context(_following(platform))]
    if sockets.bank is not None:
        bank = Listener(app.bank_app(platform), sockets.bank, finish_seconds=BANK_FINISH_SECONDS, lifespan=True)
        stack.push_async_callback(bank.stop)
        tasks.append(await bank.start())
    readiness = app.Readiness(platform, url)
    tasks += await stack.enter_async_context(_front(platform, readiness, sockets))
    await _until_ready(readiness)
    if ready_file is not None:
        stack.callback(ready_file.unlink, missing_ok=True)
        _tell_ready(ready_file, settings, url, keys)
    greeting.tell(settings, keys)
    return tasks


@contextlib.asynccontextmanager
async def _front(
    platform: Platform, readiness: app.Readiness, sockets: Sockets
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run what takes work in: the two servers and the worker. They stop side by side, for they share the 20 seconds."""
    proxies = platform.settings.trusted_proxies
    crowd = _crowd(platform.settings)
    listeners = [
        Listener(made, taken, finish_seconds=FINISH_SECONDS, trusted_proxies=proxies, crowd=crowd)
        for made, taken in (
            (app.base_app(platform, readiness), sockets.base),
            (app.gate_app(platform, readiness), sockets.gate),
        )
    ]
    worker = Worker(platform)
    working = asyncio.create_task(worker.run(), name="worker")
    try:
        yield [working, *[await listener.start() for listener in listeners]]
    finally:
        await asyncio.gather(worker.stop(), *(listener.stop() for listener in listeners))
        await asyncio.gather(working, return_exceptions=True)


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
        await asyncio.gather(task, return_exceptions=True)


async def _database(stack: contextlib.AsyncExitStack, settings: Settings) -> str:
    if settings.database_url:
        return settings.database_url
    return await stack.enter_async_context(embedded.running(settings.home_path(), port=settings.database_port))


async def _until_ready(readiness: app.Readiness) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while wrong := [f"{name}: {text}" for name, text in (await readiness.checks()).items() if text]:
        if time.monotonic() >= deadline:
            raise DatabaseUnavailable(f"Kassa does not get ready: {'; '.join(wrong)}")
        await asyncio.sleep(_READY_PAUSE_SECONDS)


def _tell_ready(path: Path, settings: Settings, database_url: str, keys: Keys | None) -> None:
    ready = ReadyFile(
        base_url=settings.base_url or "",
        gate_url=settings.gate_url or "",
        bank_url=settings.bank_url,
        database_url=database_url,
        account=keys,
    )
    write_private(path.absolute(), msgspec.json.encode(ready))


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
