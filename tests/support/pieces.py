"""A job for tests of the worker: its due work is the rows of a table of its own, in a test's own database."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import asyncpg
import msgspec

from kassa.db.pool import Row
from kassa.work.queue import Queue
from tests.support.postgres import Database

QUEUE: Final = Queue(
    name="pieces", table="pieces", key=("number",), counter="asks", lease=timedelta(seconds=60), per_account=4
)
UNLEASED: Final = Queue(name="pieces", table="pieces", per_account=1)

_TABLE: Final = """
CREATE TABLE {table} (
    account_id text NOT NULL,
    number integer NOT NULL,
    test_mode boolean NOT NULL,
    due_at timestamptz NOT NULL,
    asks integer NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, number)
);
CREATE INDEX ON {table} (test_mode, account_id, due_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO kassa_app
"""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work."""

    account_id: str
    number: int


@dataclass(kw_only=True)
class Pieces:
    """The job; ``doing`` is what a piece does. A piece that was done is gone."""

    database: Database
    queue: Queue = QUEUE
    doing: Callable[[Piece], object] = lambda _: None
    idle: bool = False
    """Whether a run says that it did nothing."""
    done: list[Piece] = field(default_factory=list)
    running: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    started: Counter[str] = field(default_factory=Counter)

    def read(self, row: Row) -> Piece:
        """Return a piece, or an account of the queue without leases."""
        number = row["number"] if self.queue.lease else 0
        return Piece(account_id=row["account_id"], number=number)

    async def run(self, claim: Piece) -> bool:
        """Do a piece."""
        self.started[claim.account_id] += 1
        self.running[claim.account_id] += 1
        self.most[claim.account_id] = max(self.most[claim.account_id], self.running[claim.account_id])
        try:
            waiting = self.doing(claim)
            if asyncio.iscoroutine(waiting):
                await waiting
        finally:
            self.running[claim.account_id] -= 1
        if not self.idle:
            await self.database.pool.execute(
                f"DELETE FROM {self.queue.table} WHERE account_id = $1 AND number = $2",
                claim.account_id,
                claim.number,
            )
            self.done.append(claim)
        return not self.idle

    async def add(self, *account_ids: str, count: int, test_mode: bool = False, late: timedelta = timedelta()) -> None:
        """Let so many pieces be due in each of these accounts, now or a while ago."""
        await self.database.pool.execute(
            f"INSERT INTO {self.queue.table} (account_id, number, test_mode, due_at)"
            " SELECT account_id, number, $3, clock_timestamp() - $4::interval"
            " FROM unnest($1::text[]) AS account_id, generate_series(0, $2 - 1) AS number",
            list(account_ids),
            count,
            test_mode,
            late,
        )

    async def left(self) -> list[tuple[int, int]]:
        """Return number and claims of the pieces that are due."""
        rows = await self.database.pool.fetch(
            f"SELECT number, asks FROM {self.queue.table} WHERE due_at <= clock_timestamp() ORDER BY account_id, number"
        )
        return [(row["number"], row["asks"]) for row in rows]


async def made(database: Database, **changes: object) -> Pieces:
    """Make the table of a job and return the job."""
    job = Pieces(database=database, **changes)  # type: ignore[arg-type]  # each test gives what it names
    await tamper(database, _TABLE.format(table=job.queue.table))
    return job


async def tamper(database: Database, statement: str) -> None:
    """Change something as the owner of the database."""
    owner = await asyncpg.connect(database.url)
    try:
        await owner.execute(statement)
    finally:
        await owner.close()
