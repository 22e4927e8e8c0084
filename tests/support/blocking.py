"""Holds up or refuses one account's statements inside the database: how tests meet Kassa in the middle of a request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from tests.support.office import Office
from tests.support.waiting import until

Speaker: TypeAlias = asyncpg.Connection | asyncpg.Pool | PoolConnectionProxy

_LOCK: Final = 0x4B61737362
"""The advisory lock's number, on which held statements wait."""


@asynccontextmanager
async def creation_held(office: Office, standing_id: str, reference_id: str) -> AsyncIterator[None]:
    """Hold up the creation of an invoice of this name, by one that is written and withdrawn instead of committed."""
    async with office.owner.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(
            "INSERT INTO invoices SELECT (jsonb_populate_record(i, jsonb_build_object("
            " 'invoice_id', overlay(invoice_id placing '~' from 20), 'reference_id', $2::text, 'session_id', null))).*"
            " FROM invoices i WHERE invoice_id = $1",
            standing_id,
            reference_id,
        )
        try:
            yield
        finally:
            await transaction.rollback()


async def until_waiting(office: Office, words: str) -> None:
    """Wait until a statement of Kassa's that holds these words waits for a lock."""

    async def waits() -> bool:
        rows = await office.fetch(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'kassa'"
            " AND wait_event_type = 'Lock' AND query LIKE '%' || $1 || '%'",
            words,
        )
        return bool(rows)

    await until(waits, what=f"a waiting statement with {words}")


async def end_waiting(office: Office) -> None:
    """End the database's side of each connection of Kassa's that waits for a lock, and what it was about to do."""
    await office.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'kassa' AND wait_event_type = 'Lock'"
    )


@asynccontextmanager
async def refused(office: Office, event: str, table: str, account_id: str, code: str) -> AsyncIterator[None]:
    """Let every such statement over an account's rows of a table fail with one of PostgreSQL's errors."""
    async with office.owner.acquire() as connection:
        await _trigger(connection, event, table, account_id, f"RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'")
        yield
        await let_pass(connection, event, table)


async def hold(connection: Speaker, event: str, table: str, account_id: str) -> None:
    """Hold up every such statement over an account's rows of a table, for as long as this connection lives."""
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    await _trigger(connection, event, table, account_id, f"PERFORM pg_advisory_xact_lock({_LOCK})")


async def let_pass(connection: Speaker, event: str, table: str) -> None:
    """Let these statements pass again."""
    await connection.execute(f"DROP FUNCTION {_name(event, table)} CASCADE")


async def _trigger(connection: Speaker, event: str, table: str, account_id: str, statement: str) -> None:
    name = _name(event, table)
    await connection.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NEW; END $$;"
        f" CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW"
        f" WHEN (NEW.account_id = '{account_id}') EXECUTE FUNCTION {name}()"
    )


def _name(event: str, table: str) -> str:
    return f"stop_{event.lower()}_{table}"
