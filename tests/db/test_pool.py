import asyncio
import errno

import asyncpg
import pytest

from kassa.db import pool
from kassa.db.pool import transaction
from kassa.errors import DatabaseUnavailable
from kassa.jsonapi.answers import refusal
from tests.support.postgres import Database


async def test_connections_act_as_the_role_with_limits_on_every_wait(database: Database) -> None:
    names = (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "TimeZone",
        "application_name",
    )
    row = await database.pool.fetchrow(
        f"SELECT current_user, {', '.join(f'current_setting({name!r})' for name in names)}"
    )
    assert row is not None
    assert tuple(row) == ("kassa_app", "5s", "2s", "10s", "UTC", "kassa")


async def test_a_transaction_keeps_everything_or_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with transaction(database.pool) as connection:
            await connection.execute("UPDATE test_clock SET test_offset = '1 hour'")
            raise ZeroDivisionError
    assert await database.pool.fetchval("SELECT test_offset = '0' FROM test_clock")


async def test_a_pool_with_no_free_connection_answers_in_time(database: Database) -> None:
    small = await pool.connect(database.url, role="kassa_app", size=1)
    async with transaction(small):
        with pytest.raises(DatabaseUnavailable):
            await small.fetchval("SELECT 1")
    assert await small.fetchval("SELECT 1") == 1
    await pool.close(small, seconds=1)


async def test_a_locked_row_is_not_waited_for_longer_than_a_request_may(database: Database) -> None:
    async with transaction(database.pool) as holder:
        await holder.execute("SELECT FROM test_clock FOR UPDATE")
        with pytest.raises(DatabaseUnavailable):
            await database.pool.execute("UPDATE test_clock SET test_offset = '1 hour'")


async def test_a_connection_that_is_cut_is_told_as_such_and_replaced(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with transaction(database.pool) as connection:
            cut = await connection.fetchval("SELECT pg_backend_pid()")
            owner = await asyncpg.connect(database.url)
            await owner.execute("SELECT pg_terminate_backend($1)", cut)
            await owner.close()
            await connection.execute("UPDATE test_clock SET test_offset = '1 hour'")
    assert await database.pool.fetchval("SELECT test_offset = '0' FROM test_clock")


async def test_mistakes_in_statements_are_not_taken_for_a_database_that_is_away(database: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await database.pool.fetch("SELECT FROM nowhere")
    with pytest.raises(asyncpg.DataError):
        await database.pool.fetch("SELECT $1::int", "no number")
    with pytest.raises(asyncpg.InterfaceError):
        await database.pool.fetch("SELECT 1", "one too many")


async def test_a_server_that_nobody_answers_for_is_told_as_such() -> None:
    with pytest.raises(DatabaseUnavailable):
        await pool.connect("postgresql://kassa_owner:x@127.0.0.1:1/kassa", role=None, size=1)


async def test_a_pool_closes_in_time_even_when_somebody_holds_a_connection(database: Database) -> None:
    held = await pool.connect(database.url, role="kassa_app", size=1)
    async with asyncio.timeout(60):
        with pytest.raises(DatabaseUnavailable):
            async with transaction(held) as connection:
                await pool.close(held, seconds=0.1)
                await connection.fetchval("SELECT 1")


def test_a_connection_that_heard_its_servers_last_words_is_told_as_such() -> None:
    last_words = asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress")
    assert pool.is_unavailable(last_words)
    assert not pool.is_unavailable(asyncpg.InternalClientError("got result for unknown protocol state 3"))
    assert not pool.is_unavailable(asyncpg.InterfaceError("cannot perform operation: another operation is in progress"))


def test_why_the_database_is_away_is_for_the_log_and_not_for_whoever_asked() -> None:
    with pytest.raises(DatabaseUnavailable) as raised, pool.answering():
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('192.0.2.7', 5432)")
    assert "Connect call failed ('192.0.2.7', 5432)" in str(raised.value)
    assert b"192.0.2.7" not in bytes(refusal(raised.value).body)
