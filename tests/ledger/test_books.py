"""The books on a real database: booked once, numbered without a gap, and what cannot be is refused."""

import asyncio
from collections import Counter
from datetime import timedelta

import asyncpg
import pytest

from kassa.clock import Clock
from kassa.ledger import operations
from kassa.ledger.model import Entry, LedgerAccount, applied
from kassa.ledger.numbering import Numbering, Unnumbered
from kassa.ledger.verification import Report
from kassa.work.worker import Worker
from tests.support import working
from tests.support.ledger import START, account, balances, booked, number, paid, post, tamper, verified
from tests.support.postgres import Database
from tests.support.waiting import until

PARALLEL = 200
AFTER_200 = {
    (LedgerAccount.PROVIDER, "USD"): 200_000,
    (LedgerAccount.ACTIVE, "USD"): 175_000,
    (LedgerAccount.RESERVED, "USD"): 20_000,
    (LedgerAccount.FEES, "USD"): 5_000,
}


async def test_parallel_postings_of_one_account_make_one_whole_journal_under_two_workers(database: Database) -> None:
    account_id = await account(database)
    workers = [Worker(database.pool, Clock(), [Numbering(database.pool)]) for _ in range(2)]

    async def numbered() -> bool:
        return bool(await database.pool.fetchval("SELECT count(*) = $1 FROM ledger_journal", PARALLEL))

    async with working.started(*workers):
        await asyncio.gather(*(post(database.pool, account_id, paid(place)) for place in range(PARALLEL)))
        await until(numbered, what="the journal")
    report = await verified(database.pool, account_id)
    assert (report.lines, report.rows, report.problems) == (PARALLEL, 3 * PARALLEL, ())
    lines = await database.pool.fetch("SELECT number, entry_id FROM ledger_journal ORDER BY number")
    assert [line["number"] for line in lines] == list(range(1, PARALLEL + 1))
    assert Counter(line["entry_id"] for line in lines) == Counter(paid(place).entry_id for place in range(PARALLEL))
    assert await balances(database.pool, account_id) == AFTER_200
    rows = await database.pool.fetch("SELECT debit, credit, sum(amount) AS amount FROM ledger_transfers GROUP BY 1, 2")
    assert {(row["debit"], row["credit"]): row["amount"] for row in rows} == {
        ("provider", "active"): 200_000,
        ("active", "fees"): 5_000,
        ("active", "reserved"): 20_000,
    }


async def test_workers_that_number_the_same_account_at_once_never_number_an_entry_twice(database: Database) -> None:
    account_id = await account(database)
    for place in range(60):
        await post(database.pool, account_id, paid(place))
    numbered = await asyncio.gather(
        *(operations.number(database.pool, account_id=account_id, test_mode=True) for _ in range(8))
    )
    assert sum(numbered) == 60
    assert (await verified(database.pool, account_id)).problems == ()


async def test_balances_hold_what_has_no_number_yet(database: Database) -> None:
    account_id = await booked(database, 2)
    before = await balances(database.pool, account_id)
    new = [paid(2), paid(3, currency="JPY", paid=500, fee=0, reserve=0)]
    await post(database.pool, account_id, *new)
    expected = applied(before, [transfer for entry in new for transfer in entry.transfers])
    assert await balances(database.pool, account_id) == expected
    assert (await verified(database.pool, account_id)).problems == ()
    await number(database.pool, account_id)
    assert await balances(database.pool, account_id) == expected


async def test_the_journal_keeps_the_order_of_time_though_more_waits_than_a_batch_takes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "BATCH", 3)
    account_id = await account(database)
    for place in (4, 1, 0, 3, 2, 6, 5):
        await post(database.pool, account_id, paid(place), now=START - timedelta(seconds=place))
    await number(database.pool, account_id)
    rows = await database.pool.fetch("SELECT entry_id FROM ledger_journal ORDER BY number")
    assert [row["entry_id"] for row in rows] == [paid(place).entry_id for place in (6, 5, 4, 3, 2, 1, 0)]


async def test_a_backlog_of_thousands_is_numbered_in_one_go(database: Database) -> None:
    account_id = await account(database)
    await post(database.pool, account_id, *(paid(place, fee=0, reserve=0) for place in range(3000)))
    before = await balances(database.pool, account_id)
    await Numbering(database.pool).run(Unnumbered(account_id=account_id, test_mode=True))
    report = await verified(database.pool, account_id)
    assert (report.lines, report.rows, report.problems) == (3000, 3000, ())
    assert await balances(database.pool, account_id) == before


async def test_modes_and_accounts_have_books_of_their_own(database: Database) -> None:
    one = await booked(database, 2)
    other = await booked(database, 3)
    await post(database.pool, one, paid(9, paid=70, fee=0, reserve=0), test_mode=False)
    await number(database.pool, one, test_mode=False)
    assert (await verified(database.pool, one)).lines == 2
    assert (await verified(database.pool, other)).lines == 3
    assert (await verified(database.pool, one, test_mode=False)).lines == 1
    assert await balances(database.pool, one, test_mode=False) == {
        (LedgerAccount.PROVIDER, "USD"): 70,
        (LedgerAccount.ACTIVE, "USD"): 70,
    }


async def test_a_fact_is_booked_once_and_its_transaction_fails_with_it(database: Database) -> None:
    account_id = await booked(database, 1)
    with pytest.raises(asyncpg.UniqueViolationError):
        await post(database.pool, account_id, paid(1), paid(0))
    await number(database.pool, account_id)
    assert (await verified(database.pool, account_id)).lines == 1
    assert (await balances(database.pool, account_id))[LedgerAccount.PROVIDER, "USD"] == 1000


async def test_a_fact_that_moves_nothing_leaves_no_row(database: Database) -> None:
    account_id = await account(database)
    await post(database.pool, account_id, Entry(entry_id="nothing", recipe="none", invoice_id=None, transfers=()))
    await number(database.pool, account_id)
    assert await verified(database.pool, account_id) == Report(lines=0, rows=0)


async def test_numbering_that_breaks_off_leaves_everything_waiting(database: Database) -> None:
    account_id = await account(database)
    await post(database.pool, account_id, paid(0))
    # The last step of the transaction fails, after all the others.
    await tamper(database, "ALTER TABLE ledger_journal ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
    with pytest.raises(asyncpg.CheckViolationError):
        await operations.number(database.pool, account_id=account_id, test_mode=True)
    await tamper(database, "ALTER TABLE ledger_journal DROP CONSTRAINT full_disk")
    assert await verified(database.pool, account_id) == Report(lines=0, rows=3)
    await number(database.pool, account_id)
    report = await verified(database.pool, account_id)
    assert (report.lines, report.problems) == (1, ())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_transfers SET amount = 1",
        "DELETE FROM ledger_transfers",
        "TRUNCATE ledger_transfers",
        "UPDATE ledger_journal SET balances = '{}'",
        "DELETE FROM ledger_journal",
        "TRUNCATE ledger_journal",
        "UPDATE ledger_unnumbered SET entry_id = 'other'",
        "ALTER TABLE ledger_transfers DISABLE ROW LEVEL SECURITY",
    ],
)
async def test_the_application_cannot_change_what_is_written(database: Database, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await database.pool.execute(statement)


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "0"},
        {"amount": "-1"},
        {"credit": "'provider'"},
        {"debit": "'cash'"},
        {"credit": "'cash'"},
        {"line": "0"},
    ],
)
async def test_a_transfer_that_cannot_be_is_refused_by_the_database(
    database: Database, changes: dict[str, str]
) -> None:
    account_id = await account(database)
    values = {
        "account_id": f"'{account_id}'",
        "entry_id": "'made:up'",
        "line": "1",
        "test_mode": "true",
        "recipe": "'made up'",
        "debit": "'provider'",
        "credit": "'active'",
        "amount": "1",
        "currency": "'USD'",
        "created_at": "'2026-03-01'",
    }
    insert = "INSERT INTO ledger_transfers ({}) VALUES ({})"
    changed = values | changes
    with pytest.raises(asyncpg.CheckViolationError):
        await database.pool.execute(insert.format(", ".join(changed), ", ".join(changed.values())))
    await database.pool.execute(insert.format(", ".join(values), ", ".join(values.values())))
