"""The worker's questions stay cheap: whose work is due reads a row an account, a claim no more than it takes."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

import asyncpg
import pytest
from asyncpg.connection import LoggedQuery

from kassa.db.pool import Connection, Executor
from kassa.idempotency import queries as idempotency
from kassa.work import jobs
from kassa.work.claims import Claims, poll
from kassa.work.queue import LOOK_MAX, Queue
from tests.support.postgres import Database

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BUSY = "coma_B000000000000000"
"""Has 20,000 pieces of due work; each of 20 others has three, and half of them none that is due yet."""
EVERYONE = [BUSY, *(f"coma_Q{number:03}000000000000" for number in range(1, 21))]
DUE = [BUSY, *EVERYONE[2::2]]
LIMIT = 5

_ROWS = """
CREATE TEMP TABLE rows AS
SELECT 'coma_' || tag || repeat('0', 12) AS account_id, tag, tag || '_' || n AS id,
    $1::timestamptz + late * interval '1 hour' + n * interval '1 ms' AS due_at
FROM (SELECT 'B000' AS tag, 20000 AS pieces, 0 AS late
      UNION ALL SELECT 'Q' || lpad(a::text, 3, '0'), 3, a % 2 FROM generate_series(1, 20) AS a) AS accounts,
     generate_series(1, pieces) AS n
"""
_FILL = """
INSERT INTO accounts (account_id, tag, name, currency, external_mid, created_at)
SELECT DISTINCT account_id, tag, 'Shop', 'EUR', 'org_' || tag, '2029-01-01'::timestamptz FROM rows;
INSERT INTO invoices (account_id, invoice_id, test_mode, reference_id, source, status, resolution, service,
    service_method, service_flow, service_currency, payment_flow, currency, amount, payment_amount, fee, deposit,
    metadata, attempts_max, created_at, updated_at, expires_at, due_at, version)
SELECT account_id, 'cpi_' || id, true, id, 'merchant_api', 'process_pending', 'ok', 'payment_card_usd_hpp',
    'payment_card', 'hpp', 'USD', 'charge', 'USD', 1000, 1000, 0, 1000, '{}', 5, '2029-01-01', '2029-01-01',
    '2030-01-01', due_at, 1
FROM rows;
INSERT INTO payments (account_id, payment_id, invoice_id, attempt_number, test_mode, status, resolution, provider,
    provider_account_id, merchant_id, amount, currency, client_ip, created_at, updated_at, due_at)
SELECT account_id, 'pay_' || id, 'cpi_' || id, 1, true, 'process_pending', 'ok', 'test', 'ma_0', 'merchant', 1000,
    'USD', '', '2029-01-01', '2029-01-01', due_at
FROM rows;
INSERT INTO refunds (account_id, refund_id, invoice_id, payment_id, test_mode, reference_id, reason, amount, currency,
    provider_amount, provider_currency, fee, status, resolution, created_at, updated_at, due_at)
SELECT account_id, 'ref_' || id, 'cpi_' || id, 'pay_' || id, true, id, 'requested', 1000, 'USD', 1000, 'USD', 0,
    'refund_pending', 'ok', '2029-01-01', '2029-01-01', due_at
FROM rows;
INSERT INTO callbacks (account_id, callback_id, invoice_id, test_mode, invoice_status, final, logged_at, url, body,
    status, created_at, due_at)
SELECT account_id, 'msg_' || id, 'cpi_' || id, true, 'processed', true, 1, 'https://shop.example', ''::bytea,
    'pending', '2029-01-01', due_at
FROM rows;
INSERT INTO idempotency_keys (account_id, key, fingerprint, serial, status, body, leased_until, due_at)
SELECT account_id, id, sha256(''::bytea), id, 201, ''::bytea, due_at, due_at FROM rows;
INSERT INTO provider_accounts (account_id, provider_account_id, provider, test_mode, merchant_id, sealed, created_at,
    reconcile_at)
SELECT account_id, 'ma_' || id, 'test', true, id, ''::bytea, '2029-01-01', due_at FROM rows;
INSERT INTO ledger_unnumbered (account_id, test_mode, created_at, entry_id)
SELECT account_id, mode, '2029-01-01', id FROM rows, (VALUES (true), (false)) AS modes (mode)
WHERE mode OR tag = 'B000';
ANALYZE;
"""


@pytest.fixture(scope="module")
async def backlog(module_database: Database) -> Database:
    owner = await asyncpg.connect(module_database.url)
    try:
        await owner.execute("SET synchronous_commit = off")
        await owner.execute(_ROWS, NOW - timedelta(minutes=1))
        await owner.execute(_FILL)
    finally:
        await owner.close()
    return module_database


@asynccontextmanager
async def undone(database: Database) -> AsyncIterator[Connection]:
    """Give a connection in a transaction that never was."""
    async with database.pool.acquire() as connection:
        change = connection.transaction()
        await change.start()
        try:
            yield cast("Connection", connection)
        finally:
            await change.rollback()


async def plan(connection: Connection, ask: Callable[[Connection], Awaitable[Any]]) -> Any:
    """Return how the statement that ``ask`` says is executed; what it changes is undone."""
    said: list[LoggedQuery] = []
    savepoint = connection.transaction()
    await savepoint.start()
    with connection.query_logger(said.append):
        await ask(connection)
    await savepoint.rollback()
    (logged,) = said
    explained = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {logged.query}", *logged.args)
    return json.loads(explained)[0]["Plan"]


def nodes(node: Any) -> Iterator[Any]:
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


def scans(found: Any, table: str) -> list[Any]:
    """Return the parts of a plan that read a table."""
    return [node for node in nodes(found) if node.get("Relation Name") == table and node["Node Type"] != "ModifyTable"]


def rows_read(found: Any, table: str) -> int:
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in scans(found, table)
    )


QUEUES: dict[str, Queue] = {queue.table: queue for queue in jobs.QUEUES if queue is not jobs.LISTENERS}


def accounts(table: str, *, test_mode: bool = True) -> Callable[[Executor], Awaitable[list[str]]]:
    """Return the question whose work is due in a table."""
    return lambda connection: Claims(connection, QUEUES[table], test_mode=test_mode).accounts(NOW)


async def leased(connection: Executor, account_id: str, *, queue: Queue, limit: int) -> int:
    return len(await Claims(connection, queue, test_mode=True).claim(account_id, NOW, limit=limit))


async def forgotten(connection: Executor, account_id: str, *, limit: int) -> int:
    return await idempotency.forget(connection, account_id=account_id, now=NOW, limit=limit)


CLAIMS: dict[str, Callable[..., Awaitable[int]]] = {
    **{queue.table: partial(leased, queue=queue) for queue in jobs.QUEUES if queue.lease is not None},
    "idempotency_keys": forgotten,
}


@pytest.mark.parametrize("table", QUEUES)
async def test_whose_work_is_due_reads_what_is_due_the_longest_and_no_more_than_its_limit(
    backlog: Database, table: str
) -> None:
    async with undone(backlog) as connection:
        due = await accounts(table)(connection)
        found = await plan(connection, accounts(table))
    assert set(due) <= set(EVERYONE if table == "ledger_unnumbered" else DUE)
    assert {node["Node Type"] for node in scans(found, table)} <= {"Index Scan", "Index Only Scan"}
    assert rows_read(found, table) <= LOOK_MAX


@pytest.mark.parametrize("table", QUEUES)
async def test_whose_work_is_due_goes_past_accounts_whose_work_cannot_be_taken(backlog: Database, table: str) -> None:
    claims = Claims(backlog.pool, QUEUES[table], test_mode=True)
    due = EVERYONE if table == "ledger_unnumbered" else DUE
    assert sorted(await claims.accounts(NOW, but=[BUSY])) == due[1:]
    assert await claims.accounts(NOW, but=due) == []


@pytest.mark.parametrize("table", [table for table in QUEUES if table != "ledger_unnumbered"])
@pytest.mark.parametrize("moment", [NOW, NOW - timedelta(days=1)], ids=["due", "nothing due"])
async def test_whether_anything_is_due_reads_one_entry_of_an_index(
    backlog: Database, table: str, moment: datetime
) -> None:
    async with undone(backlog) as connection:
        claims = Claims(connection, QUEUES[table], test_mode=True)
        await poll(connection, [claims], live=moment, test=moment)  # the driver learns its types
        found = await plan(connection, lambda said: poll(said, [claims], live=moment, test=moment))
    assert {node["Node Type"] for node in scans(found, table)} <= {"Index Scan", "Index Only Scan"}
    assert rows_read(found, table) <= 1


async def test_a_mode_without_work_is_not_asked_through_the_other_ones_backlog(backlog: Database) -> None:
    async with undone(backlog) as connection:
        assert await accounts("ledger_unnumbered", test_mode=False)(connection) == [BUSY]
        assert await accounts("callbacks", test_mode=False)(connection) == []
        found = await plan(connection, accounts("ledger_unnumbered", test_mode=False))
    assert rows_read(found, "ledger_unnumbered") <= len(EVERYONE) + 1


@pytest.mark.parametrize("table", CLAIMS)
async def test_a_claim_finds_its_rows_by_the_index_and_reads_no_more_than_it_takes(
    backlog: Database, table: str
) -> None:
    async with undone(backlog) as connection:
        found = await plan(connection, partial(CLAIMS[table], account_id=BUSY, limit=LIMIT))
    indexes = {node.get("Index Name") for node in scans(found, table)}
    assert indexes == {f"{table}_due", f"{table}_pkey"}
    assert rows_read(found, table) <= 2 * LIMIT
    assert not any("Sort" in node["Node Type"] for node in nodes(found))


@pytest.mark.parametrize("table", CLAIMS)
async def test_a_claim_takes_no_more_than_its_limit_whatever_the_plan(backlog: Database, table: str) -> None:
    async with undone(backlog) as connection:
        # What the planner may come to by itself where it knows little of a table: what is inside read anew for each
        # row outside.
        for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize"):
            await connection.execute(f"SET LOCAL enable_{way} = off")
        assert await CLAIMS[table](connection, account_id=DUE[1], limit=1) == 1
