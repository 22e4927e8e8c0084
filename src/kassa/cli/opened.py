"""What a command works with: the database of this home, the keys and the clock, for as long as the command runs."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from kassa import app, config
from kassa.accounts import demo
from kassa.catalogue.directory import Catalogue
from kassa.clock import Clock
from kassa.config import Settings
from kassa.db import pool as database
from kassa.db.home import announced, load_root, open_database
from kassa.outbound import Outbound
from kassa.platform import Platform
from kassa.sealing import Root
from kassa.serving.roles import addressed

_CONNECTIONS = 2
_CLOSE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """The parts of Kassa that a command needs."""

    pool: database.Pool
    root: Root
    clock: Clock


def guard() -> Outbound:
    """Return what says whether callbacks are sent to an address, as far as this home's settings say.

    A home with a demo account is one of demo mode, though this command does not know it.
    """
    settings = config.load(os.environ)
    return Outbound(replace(settings, demo=settings.demo or demo.kept(settings.home_path()) is not None))


@asynccontextmanager
async def opened_platform() -> AsyncIterator[Platform]:
    """Open the whole platform, for a command that does what the API does; run it with the settings of ``kassa serve``.

    Documents hold the addresses of the Kassa that runs on this home, unless the settings name others.
    Raises ``SettingsWrong``, ``HomeBusy``, ``DatabaseUnavailable``.
    """
    settings = where_it_runs(config.load(os.environ))
    async with open_database(settings) as url, app.open_platform(settings, url) as platform:
        yield platform


def where_it_runs(settings: Settings) -> Settings:
    """Return the settings with the addresses of the Kassa that runs on this home, where they name no others."""
    running = announced(settings.home_path())
    if running is None:
        return addressed(settings)
    found = {"base_url": running.base_url, "gate_url": running.gate_url, "bank_url": running.bank_url}
    here = {name: url for name, url in found.items() if url and not getattr(settings, name)}
    # Where there is a fake bank its addresses are loopback ones, which only demo mode may reach.
    return addressed(replace(settings, **here, demo=settings.demo or running.bank_url is not None))


@asynccontextmanager
async def opened(*, creates: bool = False) -> AsyncIterator[Opened]:
    """Find the database, running or not, and connect to it as the application does.

    Where there is no Kassa yet, only a command that ``creates`` makes one.
    Raises ``SettingsWrong``, ``HomeBusy``, ``DatabaseUnavailable``.
    """
    settings = config.load(os.environ)
    async with open_database(settings, creates=creates) as url:
        pool = await database.connect(url, role="kassa_app", size=_CONNECTIONS)
        try:
            await Catalogue(pool).learn_currencies()
            yield Opened(pool=pool, root=load_root(settings), clock=Clock())
        finally:
            await database.close(pool, seconds=_CLOSE_SECONDS)
