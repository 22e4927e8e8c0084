"""The bank's books: one SQLite file, written before the bank answers."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from kassa.errors import SettingsWrong

SCHEMA_VERSION = 8
"""The ``user_version`` in ``schema.sql``; books of another version are not opened."""


class Books:
    """An open set of books. A call takes microseconds, so it runs on the event loop."""

    def __init__(self, folder: Path) -> None:
        """Open the books in a folder, making both where they do not exist yet."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._connection = sqlite3.connect(folder / "books.sqlite3", isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        # With a write-ahead log, NORMAL survives the death of any process; only a power cut may take the last commits,
        # and this money is not real.
        self._connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
        )
        self._check_version()
        self._connection.executescript(resources.files(__package__).joinpath("schema.sql").read_text())
        self.change = asyncio.Event()
        """Set by the next commit, which puts a new one in its place: wait on it to see changes to the books."""

    def _check_version(self) -> None:
        known: int = self._connection.execute("PRAGMA user_version").fetchone()[0]
        begun: int = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if begun and known != SCHEMA_VERSION:
            raise SettingsWrong("The test bank's books are another version's: remove the home's folder `bank`.")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for one change, which is written as a whole or not at all."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        self.change.set()
        self.change = asyncio.Event()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for reading."""
        return self._connection

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
