"""One embedded PostgreSQL for all tests, and in it a fresh, migrated database for each that asks."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from kassa.db import binaries, cluster, pool
from kassa.db.embedded import Server
from kassa.db.pool import Pool
from tests.support import seeds
from tests.support.waiting import until

_POOL_SIZE: Final = 10
_CLOSE_SECONDS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database of a test's own: the owner's way in, and a pool that acts as ``kassa_app``."""

    url: str
    pool: Pool


@asynccontextmanager
async def server(home: Path) -> AsyncIterator[str]:
    """Run a server whose database ``kassa`` is migrated and kept as the template; give its owner's URL."""
    embedded = Server(home / "postgres", port=0)
    await seeds.copy(embedded.folder)
    cluster._alone(
        binaries.find(embedded.folder),
        embedded.data,
        f"ALTER ROLE {cluster.OWNER} CREATEDB",
        # Who looks for a deadlock first is the one who gives way: tests choose.
        f"GRANT SET ON PARAMETER deadlock_timeout TO {cluster.OWNER}",
    )
    await embedded.start()
    try:
        yield embedded.url
    finally:
        await embedded.stop()


@asynccontextmanager
async def database(template_url: str) -> AsyncIterator[Database]:
    """Give a copy of the template, and drop it at the end, whoever is still connected."""
    name = f"test_{secrets.token_hex(8)}"
    await _say(template_url, f"CREATE DATABASE {name} TEMPLATE {cluster.DATABASE}")
    url = urlsplit(template_url)._replace(path=f"/{name}").geturl()
    try:
        connections = await pool.connect(url, role="kassa_app", size=_POOL_SIZE)
        try:
            yield Database(url=url, pool=connections)
        finally:
            await pool.close(connections, seconds=_CLOSE_SECONDS)
    finally:
        await until(partial(_dropped, template_url, name), what=f"{name} to be free")


async def _dropped(template_url: str, name: str) -> bool:
    """Drop a database, unless the server is just tidying it up: that process is not ours to end."""
    try:
        await _say(template_url, f"DROP DATABASE {name} WITH (FORCE)")
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True


async def _say(template_url: str, statement: str) -> None:
    # A template must have no other connections: the statement comes from the always present maintenance database.
    connection = await asyncpg.connect(urlsplit(template_url)._replace(path="/postgres").geturl())
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
