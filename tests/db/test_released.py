"""Migrations only go forward: what was released stays as it is, and a database of then becomes one of today."""

import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from kassa.db import migrate, pool
from kassa.invoices.rules.invoice import Status
from tests.support import ledger, released
from tests.support import world as worlds
from tests.support.postgres import Database, _say

KEPT = released.kept()
NAMES = sorted(path.stem for path in migrate.FOLDER.glob("*.sql"))


@pytest.fixture(params=KEPT)
def kept(request: pytest.FixtureRequest) -> str:
    """The last migration in each database that was kept."""
    name: str = request.param
    return name


@pytest.fixture
async def old(postgres_url: str, kept: str) -> AsyncIterator[str]:
    """A database as it was released, with rows in every table."""
    name = f"old_{secrets.token_hex(8)}"
    await _say(postgres_url, f"CREATE DATABASE {name} TEMPLATE template0")
    url = urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    await released.restore(url, KEPT[kept])
    yield url
    await _say(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def test_each_file_depends_on_the_one_before_it() -> None:
    texts = [(migrate.FOLDER / f"{name}.sql").read_text() for name in NAMES]
    assert [re.findall(r"^-- depends: ?(.*)$", text, re.MULTILINE) for text in texts] == [
        [before] for before in ("", *NAMES[:-1])
    ]
    assert [name[:4] for name in NAMES] == [f"{number:04}" for number in range(1, len(NAMES) + 1)]


def test_what_was_released_is_as_it_was() -> None:
    then, now = released.hashes(), released.hashed(migrate.FOLDER)
    assert {name: now.get(name) for name in then} == then
    assert sorted(then) == NAMES[: len(then)]
    assert set(KEPT) <= set(then)


async def test_every_table_has_a_row_in_what_is_kept(old: str) -> None:
    connection = await asyncpg.connect(old)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        empty = [t for (t,) in tables if not await connection.fetchval(f"SELECT EXISTS (SELECT FROM public.{t})")]
        assert tables
        assert empty == []
    finally:
        await connection.close()


async def test_a_database_of_then_gets_the_schema_of_today(old: str, kept: str, database: Database) -> None:
    later = [name for name in NAMES if name > kept]
    assert await migrate.pending(old) == later
    assert await migrate.migrate(old) == later
    assert released.schema(old) == released.schema(database.url)


async def test_a_payment_is_lived_on_a_database_of_then(old: str, folder: Path) -> None:
    await migrate.migrate(old)
    connections = await pool.connect(old, role="kassa_app", size=10)
    try:
        at = Database(url=old, pool=connections)
        async with worlds.opened(at, folder, secret_key=released.ROOT) as world:
            (row,) = await world.fetch("SELECT account_id FROM accounts")
            account = await world.platform.accounts.by_id(row["account_id"])
            before = await ledger.verified(world.pool, account.account_id)
            # What was left open then ends by itself, as does whatever is due.
            world.move_clock(days=1)
            assert await world.expire(account) == 2
            statuses = await world.fetch("SELECT reference_id, status FROM invoices")
            assert {row["reference_id"]: row["status"] for row in statuses} == {
                released.OPEN: Status.PROCESS_FAILED,
                released.PAID: Status.PARTIALLY_REFUNDED,
            }
            lived = await released.live(world, account)
            assert (await world.changes(lived)).status == Status.PARTIALLY_REFUNDED
            after = await ledger.verified(world.pool, account.account_id)
            assert before.lines < after.lines
            assert after.problems == ()
    finally:
        await pool.close(connections, seconds=5)
