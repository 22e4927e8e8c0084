"""The books on a real database: booked once, numbered without a gap, and any tampering named."""

import asyncio

import asyncpg
import pytest

from kassa.db.pool import transaction
from kassa.ledger import operations, recipes
from kassa.ledger.model import Entry, Purse
from kassa.ledger.verification import Report, verify
from tests.support import platform as platforms
from tests.support.postgres import Database

SLIPPED_IN = """
INSERT INTO ledger_transfers
    (account_id, entry_id, line, test_mode, recipe, debit, credit, amount, currency, created_at)
SELECT account_id, 'processed:pay_x', 1, true, 'processed', 'provider', 'active', 1, 'USD', now() FROM accounts
"""


def paid(number: int) -> Entry:
    return recipes.processed(
        payment_id=f"pay_{number}", invoice_id=f"cpi_{number}", currency="USD", paid=1000, fee=25, reserve=100
    )


async def booked(database: Database, count: int, *, workers: int = 2) -> str:
    """Add an account, book payments beside each other while workers number them, and return the account's id."""
    async with platforms.opened(database) as platform:
        account_id = (await platforms.new_account(platform)).account.account_id
        now = platform.clock.now(test_mode=True)

        async def post(number: int) -> None:
            async with transaction(database.pool) as connection:
                await operations.post(connection, paid(number), account_id=account_id, test_mode=True, now=now)

        async def number() -> int:
            return await operations.number(database.pool, account_id=account_id, test_mode=True)

        await asyncio.gather(*(post(place) for place in range(count)), *(number() for _ in range(workers)))
        while await number():
            pass
    return account_id


async def verified(database: Database, account_id: str) -> Report:
    return await verify(database.pool, account_id=account_id, test_mode=True)


async def tamper(database: Database, statement: str) -> None:
    owner = await asyncpg.connect(database.url)
    try:
        await owner.execute(statement)
    finally:
        await owner.close()


async def test_payments_booked_beside_each_other_make_one_whole_journal(database: Database) -> None:
    account_id = await booked(database, 50)
    assert await verified(database, account_id) == Report(lines=50, rows=150, problems=())
    balances = await operations.balances(database.pool, account_id=account_id, test_mode=True)
    assert balances == {
        (Purse.PROVIDER, "USD"): 50_000,
        (Purse.ACTIVE, "USD"): 43_750,
        (Purse.RESERVED, "USD"): 5_000,
        (Purse.FEES, "USD"): 1_250,
    }


async def test_a_fact_is_booked_once_and_its_transaction_fails_with_it(database: Database) -> None:
    account_id = await booked(database, 1)
    async with platforms.opened(database) as platform:
        now = platform.clock.now(test_mode=True)
    with pytest.raises(asyncpg.UniqueViolationError):
        async with transaction(database.pool) as connection:
            await operations.post(connection, paid(1), account_id=account_id, test_mode=True, now=now)
            await operations.post(connection, paid(0), account_id=account_id, test_mode=True, now=now)
    assert (await verified(database, account_id)).lines == 1
    balances = await operations.balances(database.pool, account_id=account_id, test_mode=True)
    assert balances[Purse.PROVIDER, "USD"] == 1000


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_transfers SET amount = 1",
        "DELETE FROM ledger_transfers",
        "UPDATE ledger_journal SET balances = '{}'",
        "DELETE FROM ledger_journal",
    ],
)
async def test_the_application_cannot_change_what_is_written(database: Database, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database.pool.execute(statement)


@pytest.mark.parametrize(
    "statement, problem",
    [
        (
            "UPDATE ledger_transfers SET amount = 999 WHERE entry_id = 'processed:pay_1' AND line = 1",
            "entry processed:pay_1 (journal line 2) was changed",
        ),
        (
            "DELETE FROM ledger_transfers WHERE entry_id = 'processed:pay_1'",
            "entry processed:pay_1 (journal line 2) is missing",
        ),
        ("DELETE FROM ledger_journal WHERE number = 2", "journal lines 2 to 2 are missing"),
        (SLIPPED_IN, "entry processed:pay_x was slipped in"),
    ],
)
async def test_tampering_is_named(database: Database, statement: str, problem: str) -> None:
    account_id = await booked(database, 3, workers=0)
    await tamper(database, statement)
    assert problem in (await verified(database, account_id)).problems
