"""Reading an invoice with everything that belongs to it: one statement, which names its account."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from kassa.customers.model import Customer
from kassa.db.pool import Executor
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.invoices.rules.records import Dispute, Refund
from kassa.invoices.rules.snapshot import CallbackLog, Snapshot
from kassa.invoices.tables import payments

COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Invoice))
CUSTOMER_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Customer))


def _list(columns: tuple[str, ...], alias: str, prefix: str = "") -> str:
    return ", ".join(f"{alias}.{column} AS {prefix}{column}" for column in columns)


def from_record(record: asyncpg.Record) -> Invoice:
    """Return the invoice in a row that holds all its columns."""
    values = {column: record[column] for column in COLUMNS}
    return Invoice(**{**values, "status": Status(values["status"])})


def selected(source: str) -> str:
    """Return a SELECT of all that documents show of the invoices in ``source``, a table or a statement in brackets."""
    return f"""
SELECT {_list(COLUMNS, "i")}, {payments.selected("p", "p_")}, {_list(CUSTOMER_COLUMNS, "c", "c_")},
    (SELECT json_agg(json_build_object(
        'logged_at', b.logged_at, 'status', b.status, 'response_code', b.response_code,
        'processed', CASE WHEN b.status = 'done' THEN floor(extract(epoch FROM b.tried_at))::bigint END,
        'transaction_status', b.invoice_status) ORDER BY b.logged_at)
     FROM callbacks b
     WHERE b.account_id = i.account_id AND b.invoice_id = i.invoice_id AND b.status <> 'dropped') AS callbacks,
    (SELECT json_agg(r ORDER BY r.created_at, r.refund_id) FROM refunds r
     WHERE r.account_id = i.account_id AND r.invoice_id = i.invoice_id) AS refunds,
    (SELECT json_agg(d ORDER BY d.opened_at, d.position) FROM disputes d
     WHERE d.account_id = i.account_id AND d.invoice_id = i.invoice_id) AS disputes
FROM {source} i
LEFT JOIN payments p ON p.account_id = i.account_id AND p.payment_id = i.payment_id
LEFT JOIN customers c ON c.account_id = i.account_id AND c.customer_id = i.customer_id
"""


_VIEW: Final = f"{selected('invoices')} WHERE i.account_id = $1"
_BY_ID: Final = f"{_VIEW} AND i.invoice_id = $2"
_BY_REFERENCE: Final = f"{_VIEW} AND i.test_mode = $2 AND i.reference_id = $3"
_BY_REFERENCE_ANY_MODE: Final = f"""
{_VIEW} AND i.test_mode IN (false, true) AND i.reference_id = $2 ORDER BY i.created_at DESC, i.invoice_id DESC
"""
_BY_SESSION: Final = f"{_VIEW} AND i.session_id = $2"

_logs: Final = msgspec.json.Decoder(tuple[CallbackLog, ...])
_refunds: Final = msgspec.json.Decoder(tuple[Refund, ...])
_disputes: Final = msgspec.json.Decoder(tuple[Dispute, ...])


def snapshot(record: asyncpg.Record) -> Snapshot:
    """Return the invoice and all that belongs to it in a row that was selected with ``selected``."""
    has_customer = record["c_customer_id"] is not None
    return Snapshot(
        invoice=from_record(record),
        payment=payments.from_record(record, "p_"),
        customer=Customer(**{c: record[f"c_{c}"] for c in CUSTOMER_COLUMNS}) if has_customer else None,
        callbacks=_logs.decode(record["callbacks"]) if record["callbacks"] else (),
        refunds=_refunds.decode(record["refunds"]) if record["refunds"] else (),
        disputes=_disputes.decode(record["disputes"]) if record["disputes"] else (),
    )


def _snapshot(record: asyncpg.Record | None) -> Snapshot | None:
    return None if record is None else snapshot(record)


async def by_id(connection: Executor, invoice_id: str, *, account_id: str) -> Snapshot | None:
    """Return an invoice with what its document shows, or None."""
    return _snapshot(await connection.fetchrow(_BY_ID, account_id, invoice_id))


async def by_reference(connection: Executor, reference_id: str, *, account_id: str, test_mode: bool) -> Snapshot | None:
    """Return the invoice of a mode that the merchant calls ``reference_id``, or None."""
    return _snapshot(await connection.fetchrow(_BY_REFERENCE, account_id, test_mode, reference_id))


async def by_reference_any_mode(connection: Executor, reference_id: str, *, account_id: str) -> list[Snapshot]:
    """Return the invoices that the merchant calls ``reference_id``, one a mode at most, newest first."""
    records = await connection.fetch(_BY_REFERENCE_ANY_MODE, account_id, reference_id)
    return [snapshot(record) for record in records]


async def by_session(connection: Executor, session_id: str, *, account_id: str) -> Snapshot | None:
    """Return the invoice that a card-gate session belongs to, or None."""
    return _snapshot(await connection.fetchrow(_BY_SESSION, account_id, session_id))


_LOCK: Final = "SELECT 1 FROM invoices WHERE account_id = $1 AND invoice_id = $2 FOR UPDATE"


async def lock(connection: Executor, invoice_id: str, *, account_id: str) -> None:
    """Lock an invoice until the transaction ends, for a change that has lost to others too often."""
    await connection.execute(_LOCK, account_id, invoice_id)


async def about(connection: Executor, invoice_id: str, *, account_id: str, payment_id: str | None) -> Snapshot | None:
    """Return an invoice with one of its attempts, also where it is not the one that the invoice shows."""
    found = await by_id(connection, invoice_id, account_id=account_id)
    if found is None or payment_id is None or found.attempt(payment_id) is not None:
        return found
    # Of another moment, which does no harm: a change that is decided on it is refused if the invoice has changed.
    other = await payments.by_id(connection, payment_id, account_id=account_id)
    return msgspec.structs.replace(found, earlier=other)


_DEFER: Final = "UPDATE invoices SET due_at = $4 WHERE account_id = $1 AND invoice_id = $2 AND due_at = $3"


async def defer(
    connection: Executor, invoice_id: str, *, account_id: str, until: datetime, due_at: datetime | None
) -> None:
    """Say when an invoice is due that was claimed ``until`` a moment and for which nothing was to be done yet."""
    await connection.execute(_DEFER, account_id, invoice_id, until, due_at)
