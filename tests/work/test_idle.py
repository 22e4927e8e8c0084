"""A process that has nothing to do costs its database next to nothing."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support.postgres import Database
from tests.support.waiting import until

PER_SECOND = 5
WINDOW = 20
"""So many statements are counted at a time: on a busy machine they take longer, never shorter."""


@asynccontextmanager
async def serving(database: Database, folder: Path, *options: str) -> AsyncIterator[None]:
    """Run ``kassa serve`` on a database while the block lasts, from when it is ready."""
    ready = folder / "ready.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kassa", "serve", "--port", "0", "--ready-file", str(ready), *options),
        env={
            **os.environ,
            "KASSA_DRAIN_SECONDS": "0",
            "KASSA_DATABASE_URL": database.url,
            "KASSA_HOME": str(folder / "home"),
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(lambda: ready.exists() or process.returncode is not None, seconds=60, what="the start")
        assert process.returncode is None
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        assert await asyncio.wait_for(process.wait(), 30) == 0


class Statements:
    """Counts what is said in a database, from outside of it: there, each statement is a transaction of its own."""

    def __init__(self, elsewhere: asyncpg.Connection, database: str) -> None:
        self.elsewhere = elsewhere
        self.database = database

    async def count(self) -> int:
        """Return how many there were so far."""
        found = await self.elsewhere.fetchval(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1", self.database
        )
        return int(found)

    async def seconds(self, number: int) -> float:
        """Return how long so many took."""
        before, begun = await self.count(), time.monotonic()

        async def said() -> bool:
            return await self.count() >= before + number

        await until(said, seconds=60, what=f"{number} statements")
        return time.monotonic() - begun


@pytest.mark.parametrize(
    "options",
    [("--demo",), ("--workers", "1"), ("--only", "api", "--only", "gate", "--workers", "1")],
    ids=["demo", "production", "without a worker"],
)
async def test_an_idle_process_says_at_most_five_statements_a_second(
    database: Database, folder: Path, options: tuple[str, ...]
) -> None:
    at = urlsplit(database.url)
    elsewhere = await asyncpg.connect(at._replace(path="/postgres").geturl())
    async with serving(database, folder, *options):
        statements = Statements(elsewhere, at.path[1:])

        async def idle() -> bool:
            # Counts arrive from each connection about once a second: a window begins at an arrival.
            await statements.seconds(1)
            return await statements.seconds(WINDOW) >= WINDOW / PER_SECOND

        await until(idle, seconds=60, what="the quiet after the start")
    await elsewhere.close()
