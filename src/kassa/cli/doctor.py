"""``kassa doctor``: looks at everything that Kassa needs on this machine, and says what is wrong."""

import asyncio
import os
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import typer

from kassa import __version__, config
from kassa.app import compare
from kassa.clock import Clock
from kassa.config import Settings
from kassa.db import contact, home, migrate, pool, queries
from kassa.db.pool import Pool, PoolSizes
from kassa.errors import KassaError, SettingsWrong
from kassa.serving import sizing
from kassa.tokens import TokenSigner

Check = tuple[str, Callable[[], Awaitable[str]]]


def doctor() -> None:
    """Check settings, home, keys and database; exit code 1 when something is wrong."""
    settings = config.load(os.environ)
    if not asyncio.run(_examine(settings)):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> bool:
    typer.echo(f"Kassa {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    for sentence in config.unknown(os.environ):
        typer.echo(f"warning settings: {sentence}")
    well = await _run([("home", lambda: _home(settings))])
    if well:
        well = await _run([("keys", lambda: _keys(settings))])
    elif settings.database_url is None:
        return False
    try:
        async with _database(settings) as url:
            with pool.answering():
                found = await contact.describe(url)
            typer.echo(f"ok      database: {'' if settings.database_url else 'embedded, '}{found}")
            return await _run(_database_checks(settings, url)) and well
    except KassaError as error:
        typer.echo(f"WRONG   database: {error}")
        return False


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[str]:
    """Give the database's address; an operator's can be looked at whether there is a home or not."""
    if settings.database_url is None:
        async with home.open_database(settings, migrated=False) as url:
            yield url
        return
    with contact.naming(settings):
        yield settings.database_url


def _database_checks(settings: Settings, url: str) -> Sequence[Check]:
    return [
        ("migrations", lambda: _migrations(url)),
        ("fsync", lambda: _on(url, "fsync")),
        ("synchronous_commit", lambda: _on(url, "synchronous_commit")),
        ("clock", lambda: _clock(url)),
        ("workers", lambda: _workers(settings, url)),
    ]


async def _run(checks: Sequence[Check]) -> bool:
    well = True
    for name, check in checks:
        try:
            typer.echo(f"ok      {name}: {await check()}")
        except KassaError as error:
            typer.echo(f"WRONG   {name}: {error}")
            well = False
    return well


async def _home(settings: Settings) -> str:
    home.check(settings)
    folder = settings.home_path()
    return str(folder) if folder.exists() else f"none in {folder}, and none is needed"


async def _keys(settings: Settings) -> str:
    TokenSigner(settings, home.load_root(settings))
    return "from KASSA_SECRET_KEY" if settings.secret_key else "from the home"


async def _migrations(url: str) -> str:
    waiting = await migrate.pending(url)
    if waiting:
        raise SettingsWrong(f"{len(waiting)} to apply: run kassa migrate.")
    return "all applied"


async def _on(url: str, name: str) -> str:
    connections = await _connect(url)
    try:
        value = await queries.setting(connections, name)
    finally:
        await pool.close(connections, seconds=1)
    if value == "off":
        raise SettingsWrong("off: a power cut could lose payments that were acknowledged.")
    return value


async def _clock(url: str) -> str:
    connections, clock = await _connect(url), Clock()
    try:
        await compare(clock, connections)
    finally:
        await pool.close(connections, seconds=1)
    apart = abs(clock.apart()).total_seconds()
    if not clock.agrees():
        raise SettingsWrong(f"{apart:.0f} s from the database's: set both by NTP.")
    return f"{apart * 1000:.0f} ms from the database's"


async def _workers(settings: Settings, url: str) -> str:
    wanted = sizing.wanted_workers(settings, sizing.SHARED)
    if settings.database_url is None:
        # The embedded server is started as large as it has to be.
        return str(sizing.Plan(workers=wanted, sizes=PoolSizes()))
    return str(await sizing.plan(settings, url, wanted))


async def _connect(url: str) -> Pool:
    return await pool.connect(url, role=None, size=1)
