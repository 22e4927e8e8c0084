import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from kassa.db import migrate
from kassa.errors import DatabaseUnavailable, MigrationFailed
from tests.support.postgres import Database, _say

ALL = sorted(path.stem for path in migrate.FOLDER.glob("*.sql"))


@pytest.fixture
async def empty_url(postgres_url: str) -> AsyncIterator[str]:
    """A database with nothing in it."""
    await _say(postgres_url, "CREATE DATABASE empty TEMPLATE template0")
    yield urlsplit(postgres_url)._replace(path="/empty").geturl()
    await _say(postgres_url, "DROP DATABASE empty WITH (FORCE)")


async def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    assert await migrate.pending(empty_url) == ALL
    applied = await asyncio.gather(*(migrate.migrate(empty_url) for _ in range(5)))
    assert sorted(applied) == [[], [], [], [], ALL]
    assert await migrate.pending(empty_url) == []


async def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)
    await connection.execute("CREATE TABLE account_events ()")
    with pytest.raises(MigrationFailed, match=r"0002_accounts: relation .account_events. already exists"):
        await migrate.migrate(empty_url)
    assert await connection.fetchval("SELECT to_regclass('accounts')") is None
    await connection.execute("DROP TABLE account_events")
    await connection.close()
    assert await migrate.migrate(empty_url) == ALL[1:]


async def test_a_database_that_is_away_is_told_as_such(postgres_url: str) -> None:
    away = urlsplit(postgres_url)._replace(path="/nowhere").geturl()
    with pytest.raises(DatabaseUnavailable):
        await migrate.migrate(away)


async def test_the_app_may_not_delete_or_change_tables(database: Database) -> None:
    for statement in ("DELETE FROM invoices", "DROP TABLE invoices", "CREATE TABLE more ()", "TRUNCATE callbacks"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.pool.execute(statement)


async def test_composed_statements_see_one_account_alone(database: Database) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        secured = await connection.fetch("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
        tables = {"account_services", "customers", "invoices", "payments", "callbacks"}
        assert {row["relname"] for row in secured} >= tables
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE kassa_view")
            assert await connection.fetch("SELECT account_id FROM customers") == []
    finally:
        await connection.close()
