"""A PostgreSQL as Kassa's own, which can be told to log every statement as it arrives."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGHUP
from typing import Final

import asyncpg

from kassa.db.embedded import Server, folder_mode
from tests.bench import statements
from tests.bench.processors import spent
from tests.bench.statements import Statement
from tests.support.waiting import until

# Command lines win over files, so what is switched while it runs has to be in a file.
_SWITCH: Final = "postgresql.auto.conf"


class _Prefixed(Server):
    def _settings(self) -> tuple[str, ...]:
        return (*super()._settings(), f"log_line_prefix={statements.PREFIX}")


class Database:
    """The running server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.url

    def spent(self) -> float:
        """Return what all of its processes have had of the processors, in seconds."""
        assert self._server.pid is not None
        return spent(self._server.pid)

    async def log_statements(self, *, on: bool) -> None:
        """Log every statement from now on, or none."""
        wanted = "all" if on else "none"
        (self._server.data / _SWITCH).write_text(f"log_statement = {wanted}\n")
        assert self._server.pid is not None
        os.kill(self._server.pid, SIGHUP)
        connection = await asyncpg.connect(self.url)

        async def switched() -> bool:
            return bool(await connection.fetchval("SHOW log_statement") == wanted)

        await until(switched, what="the server's new setting")
        await connection.close()

    def mark(self) -> int:
        """Return the log's present end."""
        return self._log.stat().st_size

    def said(self, first: int, last: int) -> list[Statement]:
        """Return what was said to the server between two marks, in the order of its arrival."""
        with self._log.open("rb") as log:
            log.seek(first)
            return statements.read(log.read(last - first).decode())

    @property
    def _log(self) -> Path:
        return self._server.folder / "log"


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Database]:
    """Run a server with its files in a folder, which is made."""
    os.mkdir(folder)  # noqa: PTH102 - nothing else runs yet
    os.chmod(folder, folder_mode())  # noqa: PTH101 - likewise
    server = _Prefixed(folder / "postgres", port=0)
    try:
        await server.start()
        yield Database(server)
    finally:
        await server.stop()
