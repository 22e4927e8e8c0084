"""How many payments a second of one account can be booked: ours against balances that are updated in place.

    python -m tests.bench.postings

Each payment is one transaction of three steps: a statement before, the booking, a statement after, as in settling. All
ways run one after the other on the same server with fsync on. "balance" changes a balance row with the transfers;
"chain" locks that row first, so that the next hash can be made from the last; "ours" has a worker numbering beside it,
in the same process, "alone" has it done afterwards.
"""

import asyncio
import contextlib
import hashlib
import itertools
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import typer

from kassa.db import pool as pools
from kassa.db.pool import Connection, Pool
from kassa.ledger import operations
from kassa.ledger.model import Entry
from tests.support import ledger, postgres
from tests.support.postgres import Database

SECONDS: Final = 4.0
CONNECTIONS: Final = (1, 4, 16)

Way: TypeAlias = Callable[[Connection, Entry, str], Awaitable[None]]

_TABLES: Final = (
    (
        "CREATE TABLE bench_balances"
        " (account_id text PRIMARY KEY, provider bigint, active bigint, fees bigint, hash bytea)"
    ),
    "CREATE TABLE bench_transfers (LIKE ledger_transfers INCLUDING ALL)",
    "CREATE TABLE bench_steps (entry_id text PRIMARY KEY, step int)",
    "GRANT SELECT, INSERT, UPDATE ON bench_balances, bench_transfers, bench_steps TO kassa_app",
)
_IN_PLACE: Final = """
WITH balance AS (
    UPDATE bench_balances SET provider = provider + $3, active = active + $3 - $4, fees = fees + $4,
        hash = $6
    WHERE account_id = $1 RETURNING account_id
)
INSERT INTO bench_transfers (account_id, entry_id, line, test_mode, recipe, debit, credit, amount, currency, created_at)
SELECT account_id, $2, line, true, 'processed', debit, credit, amount, 'USD', $5
FROM balance, (VALUES (1, 'provider', 'active', $3::bigint), (2, 'active', 'fees', $4)) m (line, debit, credit, amount)
"""


async def ours(connection: Connection, entry: Entry, account_id: str) -> None:
    """Book as Kassa does: rows are added, none is changed."""
    await operations.post(connection, entry, account_id=account_id, test_mode=True, now=ledger.START)


async def balance(connection: Connection, entry: Entry, account_id: str) -> None:
    """Book the same transfers and change the account's one balance row with them."""
    amounts = [transfer.amount for transfer in entry.transfers]
    await connection.execute(_IN_PLACE, account_id, entry.entry_id, *amounts, ledger.START, b"")


async def chain(connection: Connection, entry: Entry, account_id: str) -> None:
    """Book the same transfers, and keep the chain in the balance row as well."""
    text = "SELECT hash FROM bench_balances WHERE account_id = $1 FOR UPDATE"
    last: bytes = await connection.fetchval(text, account_id)
    linked = hashlib.sha256(last + msgspec.json.encode(entry)).digest()
    amounts = [transfer.amount for transfer in entry.transfers]
    await connection.execute(_IN_PLACE, account_id, entry.entry_id, *amounts, ledger.START, linked)


async def rate(database: Database, way: Way, account_id: str, connections: int, numbers: Iterator[int]) -> float:
    """Return how many payments a second are booked over so many connections."""
    pool = await pools.connect(database.url, role="kassa_app", size=connections)
    end, count = time.monotonic() + SECONDS, 0

    async def pay() -> None:
        nonlocal count
        while time.monotonic() < end:
            entry = ledger.paid(next(numbers), reserve=0)
            async with pools.transaction(pool) as connection:
                await connection.execute("INSERT INTO bench_steps VALUES ($1, 1)", entry.entry_id)
                await way(connection, entry, account_id)
                await connection.execute("UPDATE bench_steps SET step = 2 WHERE entry_id = $1", entry.entry_id)
            count += 1

    try:
        began = time.monotonic()
        await asyncio.gather(*(pay() for _ in range(connections)))
        return count / (time.monotonic() - began)
    finally:
        await pools.close(pool, seconds=5)


async def numbering(pool: Pool, account_id: str, stopped: asyncio.Event) -> None:
    """Number as the worker does, a few times a second."""
    while not stopped.is_set():
        await ledger.number(pool, account_id)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), 0.2)


async def measure() -> None:
    """Measure both ways and print the ratios."""
    with tempfile.TemporaryDirectory(prefix="kassa-bench-") as folder:
        os.chmod(folder, 0o711)  # noqa: PTH101, S103 - the server's own user has to come in, and nothing else runs yet
        async with postgres.server(Path(folder)) as url, postgres.database(url) as database:
            await ledger.tamper(database, *_TABLES)
            account_id = await ledger.account(database)
            await ledger.tamper(database, f"INSERT INTO bench_balances VALUES ('{account_id}', 0, 0, 0, '')")
            numbers = itertools.count()
            typer.echo("connections  balance/s  chain/s  ours/s  alone/s  ours : balance  ours : chain")
            for connections in CONNECTIONS:
                rates = [await rate(database, way, account_id, connections, numbers) for way in (balance, chain)]
                stopped = asyncio.Event()
                worker = asyncio.create_task(numbering(database.pool, account_id, stopped))
                rates.append(await rate(database, ours, account_id, connections, numbers))
                stopped.set()
                await worker
                rates.append(await rate(database, ours, account_id, connections, numbers))
                await ledger.number(database.pool, account_id)
                figures = "  ".join(f"{each:7.0f}" for each in rates)
                typer.echo(f"{connections:11}  {figures}  {rates[2] / rates[0]:14.2f}  {rates[2] / rates[1]:12.2f}")
            began = time.monotonic()
            report = await ledger.verified(database.pool, account_id)
            seconds = time.monotonic() - began
            typer.echo(f"{report.lines} entries proven in {seconds:.1f} s, {len(report.problems)} problems")


if __name__ == "__main__":
    asyncio.run(measure())
