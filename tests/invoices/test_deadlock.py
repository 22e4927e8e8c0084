"""A payment's answer is applied though another transaction is in its way, and PostgreSQL lets that one go first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.support import ledger
from tests.support.postgres import Database
from tests.support.waiting import until
from tests.support.wire import Fault
from tests.support.world import Changes, World


@asynccontextmanager
async def stubborn(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Give a transaction that is never the one to give way in a deadlock: it does not look for any."""
    connection = await asyncpg.connect(database.url, server_settings={"deadlock_timeout": "1min"})
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def test_an_answer_whose_transaction_was_the_deadlocks_victim_is_applied_all_the_same(
    world: World, module_database: Database
) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    world.wire.fault = Fault.HOLD_ANSWER
    paying = asyncio.create_task(world.pay(invoice))
    await world.wire.held.wait()
    async with stubborn(module_database) as other:
        await other.execute("SELECT FROM invoices WHERE invoice_id = $1 FOR UPDATE", invoice.invoice_id)
        world.wire.let_go.set()
        await world.until_waiting()
        await other.execute("SELECT FROM payments WHERE invoice_id = $1 FOR UPDATE", invoice.invoice_id)
    await paying
    assert await world.changes(invoice) == Changes(status="processed", resolution="ok", attempts=["processed"])
    assert await world.told(invoice) == ["process_pending", "processed"]
    assert [line["amount"] for line in await world.statement()] == [10000]
    await ledger.number(world.platform.pool, account.account_id)
    assert not (await ledger.verified(world.platform.pool, account.account_id)).problems
    await until(lambda: _deadlocks(module_database), what="the deadlock in PostgreSQL's own count")


async def _deadlocks(database: Database) -> int:
    statement = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    return int(await database.pool.fetchval(statement))
