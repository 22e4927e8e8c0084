"""What the database itself refuses, whatever a statement says (P1, P3, P9)."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg
import msgspec
import pytest

from kassa.accounts.model import Account
from kassa.db import pool
from kassa.db.pool import Connection
from kassa.db.view import account_view
from kassa.invoices.operations import expire
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.snapshot import Change, Event
from kassa.invoices.tables.carrying import Stale, carry_out
from tests.support.postgres import Database
from tests.support.world import World

OWNED = ("account_services", "customers", "invoices", "invoice_events", "payments", "refunds", "callbacks")
HIDDEN = ("accounts", "api_keys", "provider_accounts", "routes", "test_clock")


@asynccontextmanager
async def acting_as(database: Database, role: str) -> AsyncIterator[Connection]:
    connections = await pool.connect(database.url, role=role, size=1)
    try:
        async with connections.acquire() as connection:
            yield cast("Connection", connection)
    finally:
        await pool.close(connections, seconds=5)


async def paid(world: World) -> tuple[Account, Invoice]:
    """Make an account with a row in every table."""
    account = await world.account(callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    await world.platform.pool.execute(
        "INSERT INTO customers (account_id, customer_id, test_mode, reference_id, created_at, updated_at)"
        " VALUES ($1, $2, true, '1', $3, $3)",
        account.account_id,
        f"cus_{account.tag}000000000000",
        invoice.created_at,
    )
    await world.pay(invoice)
    await world.refund(invoice, 1)
    return account, invoice


async def test_a_view_sees_the_account_that_is_set_and_without_one_nothing(
    world: World, module_database: Database
) -> None:
    mine, _ = await paid(world)
    theirs, _ = await paid(world)
    async with acting_as(module_database, "kassa_view") as connection:
        for table in OWNED:
            assert await connection.fetch(f"SELECT * FROM {table}") == []
        for account in (mine, theirs):
            async with connection.transaction():
                await connection.execute("SELECT set_config('kassa.account_id', $1, true)", account.account_id)
                for table in OWNED:
                    seen = await connection.fetch(f"SELECT DISTINCT account_id FROM {table}")
                    assert [row["account_id"] for row in seen] == [account.account_id], table
        for table in OWNED:
            assert await connection.fetch(f"SELECT * FROM {table}") == []


async def test_a_statement_that_forgot_its_account_shows_no_others_rows(world: World) -> None:
    mine, invoice = await paid(world)
    await paid(world)
    async with account_view(world.platform.view, account_id=mine.account_id) as connection:
        assert [row["invoice_id"] for row in await connection.fetch("SELECT * FROM invoices")] == [invoice.invoice_id]
        joined = await connection.fetch("SELECT p.account_id FROM invoices i, payments p, callbacks c")
        assert {row["account_id"] for row in joined} == {mine.account_id}


async def test_a_view_changes_nothing_and_sees_no_keys(world: World, module_database: Database) -> None:
    account, _ = await paid(world)
    async with acting_as(module_database, "kassa_view") as connection:
        await connection.execute("SELECT set_config('kassa.account_id', $1, false)", account.account_id)
        for table in HIDDEN:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table}")
        for table in OWNED:
            for statement in (
                f"DELETE FROM {table}",
                f"UPDATE {table} SET account_id = account_id",
                f"INSERT INTO {table} SELECT * FROM {table}",
                f"TRUNCATE {table}",
                f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
                f"DROP POLICY account ON {table}",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)


async def test_the_application_deletes_nothing_and_changes_no_table(world: World, module_database: Database) -> None:
    await paid(world)
    async with acting_as(module_database, "kassa_app") as connection:
        for table in (*OWNED, *HIDDEN):
            for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE", f"DROP TABLE {table} CASCADE"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("CREATE TABLE own (a int)")


async def test_every_table_with_an_account_in_it_is_behind_row_level_security_or_hidden_from_views(
    module_database: Database,
) -> None:
    connection = await asyncpg.connect(module_database.url)
    try:
        tables = await connection.fetch(
            "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS walled,"
            " has_table_privilege('kassa_view', c.oid, 'SELECT') AS seen"
            " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'"
            " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
        )
        assert {row["relname"] for row in tables} >= {*OWNED, "accounts", "api_keys"}
        assert [row["relname"] for row in tables if row["seen"] and not row["walled"]] == []
        keys = await connection.fetch(
            "SELECT conrelid::regclass::text AS of, pg_get_constraintdef(oid) AS definition FROM pg_constraint"
            " WHERE contype IN ('p', 'u', 'f') AND conrelid::regclass::text = ANY($1)"
            " AND confrelid <> 'services'::regclass",
            list(OWNED),
        )
        assert len(keys) > 10
        assert [row["of"] for row in keys if not re.match(r"[A-Z ]+\(account_id", row["definition"])] == []
    finally:
        await connection.close()


def copied(payment: Payment, status: str) -> str:
    return (
        "INSERT INTO payments (account_id, payment_id, invoice_id, attempt_number, test_mode, status, resolution,"
        " provider, provider_account_id, merchant_id, amount, currency, client_ip, created_at, updated_at)"
        f" SELECT account_id, 'pay_other', invoice_id, attempt_number + 1, test_mode, '{status}', resolution, provider,"
        " provider_account_id, merchant_id, amount, currency, client_ip, created_at, updated_at"
        f" FROM payments WHERE payment_id = '{payment.payment_id}'"
    )


@pytest.mark.parametrize("status", ["invoke_pending", "invoked", "process_pending"])
async def test_an_invoice_has_one_payment_under_way(world: World, module_database: Database, status: str) -> None:
    invoice = await world.invoice(await world.account())
    await world.pay(invoice, expiry="07/77")
    payment = (await world.view(invoice)).payment
    assert payment is not None
    async with acting_as(module_database, "kassa_app") as connection:
        with pytest.raises(asyncpg.UniqueViolationError, match="payments_one_live"):
            await connection.execute(copied(payment, status))


async def test_an_invoice_has_one_success_and_each_number_once(world: World, module_database: Database) -> None:
    _, invoice = await paid(world)
    payment = (await world.view(invoice)).payment
    assert payment is not None
    async with acting_as(module_database, "kassa_app") as connection:
        with pytest.raises(asyncpg.UniqueViolationError, match="payments_one_success"):
            await connection.execute(copied(payment, "processed"))
        with pytest.raises(asyncpg.UniqueViolationError, match="payments_attempt"):
            await connection.execute(copied(payment, "process_failed").replace("attempt_number + 1", "attempt_number"))


@pytest.mark.parametrize(
    "change",
    [
        "status = 'paid'",
        "amount = 0",
        "amount = -1",
        "payment_amount = 0",
        "fee = -1",
        "processed_amount = NULL",
        "processed_amount = -1",
        "processed_at = NULL",
        "updated_at = created_at - interval '1 second'",
        "expires_at = created_at",
        "attempts = attempts_max + 1",
        "attempts = -1",
        "payment_flow = 'loan'",
        "source = 'nobody'",
        "amount = 'NaN'::numeric",
    ],
)
async def test_a_paid_invoice_cannot_be_made_into_nonsense(
    world: World, module_database: Database, change: str
) -> None:
    account, invoice = await paid(world)
    async with acting_as(module_database, "kassa_app") as connection:
        with pytest.raises(
            (asyncpg.CheckViolationError, asyncpg.NumericValueOutOfRangeError, asyncpg.FeatureNotSupportedError)
        ):
            await connection.execute(
                f"UPDATE invoices SET {change} WHERE account_id = $1 AND invoice_id = $2",
                account.account_id,
                invoice.invoice_id,
            )


@pytest.mark.parametrize(
    "change",
    [
        "status = 'paid'",
        "amount = 0",
        "provider_amount = 0",
        "fee = -1",
        "updated_at = created_at - interval '1 second'",
        "status = 'refund_pending', due_at = NULL",
        "invoice_id = 'cpi_nobody'",
        "payment_id = 'pay_nobody'",
    ],
)
async def test_a_refund_cannot_be_made_into_nonsense(world: World, module_database: Database, change: str) -> None:
    account, _ = await paid(world)
    async with acting_as(module_database, "kassa_app") as connection:
        with pytest.raises((asyncpg.CheckViolationError, asyncpg.ForeignKeyViolationError)):
            await connection.execute(f"UPDATE refunds SET {change} WHERE account_id = $1", account.account_id)


@pytest.mark.parametrize(
    "change",
    [
        "status = 'accepted'",
        "amount = 0",
        "provider_amount = 0",
        "total = provider_amount - 1",
        "position = 0",
        "fee = -1",
        "reserve = amount + 1",
        "held = -1",
        "invoice_id = 'cpi_nobody'",
        "payment_id = 'pay_nobody'",
    ],
)
async def test_a_dispute_cannot_be_made_into_nonsense(world: World, module_database: Database, change: str) -> None:
    account, invoice = await paid(world)
    async with acting_as(module_database, "kassa_app") as connection:
        disputes = "SELECT count(*) FROM disputes WHERE account_id = $1"
        await connection.execute(
            "INSERT INTO disputes (account_id, dispute_id, invoice_id, payment_id, test_mode, position, status, reason,"
            " amount, currency, provider_amount, provider_currency, total, unexpected, fee, reserve, held, booked,"
            " opened_at, updated_at)"
            " SELECT account_id, 'dis_one', invoice_id, payment_id, test_mode, 1, 'open', 'fraud', amount, currency,"
            " amount, currency, amount, false, 0, 0, 0, true, updated_at, updated_at"
            " FROM payments WHERE account_id = $1 AND invoice_id = $2",
            account.account_id,
            invoice.invoice_id,
        )
        assert await connection.fetchval(disputes, account.account_id) == 1
        with pytest.raises((asyncpg.CheckViolationError, asyncpg.ForeignKeyViolationError)):
            await connection.execute(f"UPDATE disputes SET {change} WHERE account_id = $1", account.account_id)


async def test_a_reference_is_used_once_in_an_account_and_mode(world: World, module_database: Database) -> None:
    account, invoice = await paid(world)
    columns = ", ".join(name for name in invoice.__struct_fields__)
    values = columns.replace("invoice_id", "'cpi_other'").replace("session_id", "'cgi_other'")
    async with acting_as(module_database, "kassa_app") as connection:
        with pytest.raises(asyncpg.UniqueViolationError, match="invoices_reference"):
            await connection.execute(
                f"INSERT INTO invoices ({columns}) SELECT {values} FROM invoices"
                " WHERE account_id = $1 AND invoice_id = $2",
                account.account_id,
                invoice.invoice_id,
            )


async def test_a_payment_belongs_to_an_invoice_of_its_own_account(world: World, module_database: Database) -> None:
    _, invoice = await paid(world)
    other, _ = await paid(world)
    payment = (await world.view(invoice)).payment
    assert payment is not None
    async with acting_as(module_database, "kassa_app") as connection:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await connection.execute(
                copied(payment, "process_failed").replace("SELECT account_id", f"SELECT '{other.account_id}'")
            )


async def test_a_change_that_was_decided_on_an_older_state_is_not_written(world: World) -> None:
    account, invoice = await paid(world)
    view = await world.view(invoice)
    await expire.expire(world.platform, invoice.invoice_id, account_id=account.account_id, test_mode=True)
    assert await world.view(invoice) == view


async def test_a_change_is_written_over_the_version_that_it_was_decided_on_alone(world: World) -> None:
    _, invoice = await paid(world)
    view = await world.view(invoice)
    assert view.payment is not None
    later = msgspec.structs.replace(view.invoice, resolution="other")
    payment = msgspec.structs.replace(view.payment, resolution="other")
    older = msgspec.structs.replace(view.invoice, version=view.invoice.version - 1)
    change = Change(
        before=view,
        after=msgspec.structs.replace(view, invoice=later, payment=payment),
        at=view.invoice.updated_at,
        event=Event(kind="attempt.succeeded", by="provider"),
    )
    stale = msgspec.structs.replace(change, before=msgspec.structs.replace(view, invoice=older))
    executor = world.platform.pool
    with pytest.raises(Stale):
        await carry_out(executor, stale, None)
    assert await world.view(invoice) == view
    after = await carry_out(executor, change, None)
    assert after.invoice == msgspec.structs.replace(later, version=view.invoice.version + 1)
    assert await world.view(invoice) == msgspec.structs.replace(view, invoice=after.invoice, payment=payment)
    with pytest.raises(Stale):
        await carry_out(executor, change, None)
    assert await world.view(invoice) == after
