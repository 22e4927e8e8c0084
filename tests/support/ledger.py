"""Books for tests: an account, payments booked on it, and an owner of the database who tampers with them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from kassa.db.pool import Pool, transaction
from kassa.db.view import one_moment
from kassa.ledger import operations, recipes
from kassa.ledger.model import Balances, Entry
from kassa.ledger.verification import Report, verify
from tests.support import platform as platforms
from tests.support.postgres import Database

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def paid(number: int, *, currency: str = "USD", paid: int = 1000, fee: int = 25, reserve: int = 100) -> Entry:
    """Return the entry of a payment; its invoice is named so that it is the account's whose tag is four zeros."""
    return recipes.processed(
        payment_id=f"pay_{number}",
        invoice_id=f"cpi_0000{number:012}",
        currency=currency,
        paid=paid,
        fee=fee,
        reserve=reserve,
    )


async def account(database: Database) -> str:
    """Add an account and return its id."""
    async with platforms.opened(database) as platform:
        return (await platforms.new_account(platform)).account.account_id


async def post(pool: Pool, account_id: str, *entries: Entry, test_mode: bool = True, now: datetime = START) -> None:
    """Book facts in one transaction."""
    async with transaction(pool) as connection:
        for entry in entries:
            await operations.post(connection, entry, account_id=account_id, test_mode=test_mode, now=now)


async def number(pool: Pool, account_id: str, *, test_mode: bool = True) -> None:
    """Give all that is booked its number."""
    while await operations.number(pool, account_id=account_id, test_mode=test_mode):
        pass


async def booked(database: Database, count: int) -> str:
    """Add an account with payments, one a minute, all numbered, and return its id."""
    account_id = await account(database)
    for place in range(count):
        await post(database.pool, account_id, paid(place), now=START + timedelta(minutes=place))
    await number(database.pool, account_id)
    return account_id


async def balances(pool: Pool, account_id: str, *, test_mode: bool = True) -> Balances:
    """Return an account's balances at this moment."""
    async with one_moment(pool) as connection:
        return await operations.balances(connection, account_id=account_id, test_mode=test_mode)


async def verified(pool: Pool, account_id: str, *, test_mode: bool = True) -> Report:
    """Return what proving the books says."""
    async with one_moment(pool) as connection:
        return await verify(connection, account_id=account_id, test_mode=test_mode)


async def tamper(database: Database, *statements: str) -> None:
    """Do as the database's owner what nobody may."""
    owner = await asyncpg.connect(database.url)
    try:
        for statement in statements:
            await owner.execute(statement)
    finally:
        await owner.close()


@asynccontextmanager
async def full(database: Database, table: str) -> AsyncIterator[None]:
    """Let a table take no row for a while: what is done breaks off at that step."""
    await tamper(database, f"ALTER TABLE {table} ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
    try:
        yield
    finally:
        await tamper(database, f"ALTER TABLE {table} DROP CONSTRAINT full_disk")
