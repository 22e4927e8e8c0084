"""What a command works with: the database of this home, the keys and the clock, for as long as the command runs."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from kassa import config
from kassa.catalogue.directory import Catalogue
from kassa.clock import Clock
from kassa.db import pool as database
from kassa.db.home import load_root, open_database
from kassa.sealing import Root

_CONNECTIONS = 2
_CLOSE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """The parts of Kassa that a command needs."""

    pool: database.Pool
    root: Root
    clock: Clock


@asynccontextmanager
async def opened() -> AsyncIterator[Opened]:
    """Find the database, running or not, and connect to it as the application does.

    Raises ``SettingsWrong``, ``HomeBusy``, ``DatabaseUnavailable``.
    """
    settings = config.load(os.environ)
    async with open_database(settings) as url:
        pool = await database.connect(url, role="kassa_app", size=_CONNECTIONS)
        try:
            await Catalogue(pool).learn_currencies()
            yield Opened(pool=pool, root=load_root(settings), clock=Clock())
        finally:
            await database.close(pool, seconds=_CLOSE_SECONDS)
