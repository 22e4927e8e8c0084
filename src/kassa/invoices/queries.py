"""Every statement over invoices. Each names its account, but for the worker's first question: whose are due."""

from datetime import datetime
from operator import attrgetter
from typing import Final

import asyncpg
import msgspec

from kassa.customers.model import Customer
from kassa.db.pool import Executor
from kassa.invoices.model import Invoice, Status
from kassa.payments import queries as payments
from kassa.payments.model import Payment
from kassa.providers.protocol import Value
from kassa.refunds.model import Refund

COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Invoice))
CUSTOMER_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Customer))


class CallbackLog(Value, frozen=True, kw_only=True):
    """One callback as the invoice's document lists it; times are unix seconds."""

    logged_at: int
    status: str
    processed: int | None
    response_code: int | None
    transaction_status: str


class View(Value, frozen=True, kw_only=True):
    """An invoice with everything that its document shows."""

    invoice: Invoice
    payment: Payment | None
    customer: Customer | None
    callbacks: list[CallbackLog]
    refunds: list[Refund] = msgspec.field(default_factory=list)
    """In the order in which they began."""


class FirstCallback(Value, frozen=True, kw_only=True):
    """The callback that a creation writes beside its invoice."""

    callback_id: str
    url: str
    body: bytes
    traceparent: str | None
    """The trace of the creation (``kassa.observability.tracing``)."""


def _list(columns: tuple[str, ...], alias: str, prefix: str = "") -> str:
    return ", ".join(f"{alias}.{column} AS {prefix}{column}" for column in columns)


def from_record(record: asyncpg.Record) -> Invoice:
    """Return the invoice in a row that holds all its columns."""
    values = {column: record[column] for column in COLUMNS}
    return Invoice(**{**values, "status": Status(values["status"])})


_INVOICE_PARAMETERS: Final = ", ".join(f"${n}" for n, _ in enumerate(COLUMNS, 1))
_NEXT: Final = len(COLUMNS)
_CUSTOMER_PARAMETERS: Final = ", ".join(f"${_NEXT + n}" for n, _ in enumerate(CUSTOMER_COLUMNS[1:], 1))
_CALLBACK: Final = _NEXT + len(CUSTOMER_COLUMNS)
# A public key stands in the shop's page for everyone to read: it may fill a customer's gaps and rewrites nothing.
_BY_PUBLIC_KEY: Final = f"${COLUMNS.index('source') + 1}::text = 'platform_public_api'"
_CUSTOMER_CHANGES: Final = ", ".join(
    f"{c} = CASE WHEN {_BY_PUBLIC_KEY} THEN coalesce(customers.{c}, excluded.{c})"
    f" ELSE coalesce(excluded.{c}, customers.{c}) END"
    for c in CUSTOMER_COLUMNS[2:]
)

_CREATE: Final = f"""
WITH created AS (
    INSERT INTO invoices ({", ".join(COLUMNS)}) VALUES ({_INVOICE_PARAMETERS})
    ON CONFLICT (account_id, test_mode, reference_id) DO NOTHING
    RETURNING account_id, invoice_id, test_mode, status, customer_id, created_at
), customer AS (
    INSERT INTO customers (account_id, test_mode, created_at, updated_at, {", ".join(CUSTOMER_COLUMNS)})
    SELECT account_id, test_mode, created_at, created_at, customer_id, {_CUSTOMER_PARAMETERS}
    FROM created WHERE customer_id IS NOT NULL
    ON CONFLICT (account_id, customer_id) DO UPDATE SET
        updated_at = greatest(customers.updated_at, excluded.updated_at),
        {_CUSTOMER_CHANGES}
), callback AS (
    INSERT INTO callbacks (account_id, callback_id, invoice_id, test_mode, invoice_status, final, logged_at, url, body,
                           status, created_at, due_at, traceparent)
    SELECT account_id, ${_CALLBACK}, invoice_id, test_mode, status, false,
           floor(extract(epoch FROM created_at))::bigint,
           ${_CALLBACK + 1}, ${_CALLBACK + 2}, 'pending', created_at, created_at, ${_CALLBACK + 3}
    FROM created WHERE ${_CALLBACK}::text IS NOT NULL
)
SELECT invoice_id FROM created
"""


_of_invoice: Final = attrgetter(*COLUMNS)


async def create(
    connection: Executor,
    invoice: Invoice,
    *,
    account_id: str,
    customer: Customer | None,
    callback: FirstCallback | None,
) -> bool:
    """Write an invoice, its customer and its first callback, all or nothing, in one statement.

    Returns False, having written nothing, when the account has an invoice of this mode and ``reference_id`` (P3).
    """
    values: list[object] = [account_id, *_of_invoice(invoice)[1:]]
    values += [getattr(customer, column, None) for column in CUSTOMER_COLUMNS[1:]]
    written = (callback.callback_id, callback.url, callback.body, callback.traceparent) if callback else [None] * 4
    values += written
    return await connection.fetchval(_CREATE, *values) is not None


def viewed(source: str) -> str:
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
     WHERE r.account_id = i.account_id AND r.invoice_id = i.invoice_id) AS refunds
FROM {source} i
LEFT JOIN payments p ON p.account_id = i.account_id AND p.payment_id = i.payment_id
LEFT JOIN customers c ON c.account_id = i.account_id AND c.customer_id = i.customer_id
"""


_VIEW: Final = f"{viewed('invoices')} WHERE i.account_id = $1"
_BY_ID: Final = f"{_VIEW} AND i.invoice_id = $2"
_BY_REFERENCE: Final = f"{_VIEW} AND i.test_mode = $2 AND i.reference_id = $3"
_BY_REFERENCE_ANY_MODE: Final = f"""
{_VIEW} AND i.test_mode IN (false, true) AND i.reference_id = $2 ORDER BY i.created_at DESC, i.invoice_id DESC
"""
_BY_SESSION: Final = f"{_VIEW} AND i.session_id = $2"

_logs = msgspec.json.Decoder(list[CallbackLog])
_refunds = msgspec.json.Decoder(list[Refund])


def view(record: asyncpg.Record) -> View:
    """Return the invoice and its company in a row that was selected with ``viewed``."""
    has_customer = record["c_customer_id"] is not None
    return View(
        invoice=from_record(record),
        payment=payments.from_record(record, "p_"),
        customer=Customer(**{c: record[f"c_{c}"] for c in CUSTOMER_COLUMNS}) if has_customer else None,
        callbacks=_logs.decode(record["callbacks"]) if record["callbacks"] else [],
        refunds=_refunds.decode(record["refunds"]) if record["refunds"] else [],
    )


def _view(record: asyncpg.Record | None) -> View | None:
    return None if record is None else view(record)


async def by_id(connection: Executor, invoice_id: str, *, account_id: str) -> View | None:
    """Return an invoice with what its document shows, or None."""
    return _view(await connection.fetchrow(_BY_ID, account_id, invoice_id))


async def by_reference(connection: Executor, reference_id: str, *, account_id: str, test_mode: bool) -> View | None:
    """Return the invoice of a mode that the merchant calls ``reference_id``, or None."""
    return _view(await connection.fetchrow(_BY_REFERENCE, account_id, test_mode, reference_id))


async def by_reference_any_mode(connection: Executor, reference_id: str, *, account_id: str) -> list[View]:
    """Return the invoices that the merchant calls ``reference_id``, one a mode at most, newest first."""
    records = await connection.fetch(_BY_REFERENCE_ANY_MODE, account_id, reference_id)
    return [view(record) for record in records]


async def by_session(connection: Executor, session_id: str, *, account_id: str) -> View | None:
    """Return the invoice that a card-gate session belongs to, or None."""
    return _view(await connection.fetchrow(_BY_SESSION, account_id, session_id))


_LOCK: Final = "SELECT 1 FROM invoices WHERE account_id = $1 AND invoice_id = $2 FOR UPDATE"


async def lock(connection: Executor, invoice_id: str, *, account_id: str) -> View | None:
    """Lock an invoice until the transaction ends, and return it as it then is, or None.

    Everything that changes an invoice or one of its payments takes this lock first, so no two changes cross.
    """
    if await connection.fetchval(_LOCK, account_id, invoice_id) is None:
        return None
    return await by_id(connection, invoice_id, account_id=account_id)


CHANGING: Final = (
    *("status", "resolution", "moderation_required", "processed_amount", "processed_fee", "processed_deposit"),
    *("reserved_amount", "reserve_left", "reserve_expires_at", "unreserved_at"),
    *("payment_id", "attempts", "updated_at", "processed_at", "failed_at", "due_at"),
    *("charged_back_amount", "charged_back_service_amount", "charged_back_at"),
)
"""The columns that operations may change; all others stay as they were created."""

_CHANGES: Final = ", ".join(f"{column} = ${number}" for number, column in enumerate(CHANGING, 4))
_UPDATE: Final = f"""
UPDATE invoices SET {_CHANGES}
WHERE account_id = $1 AND invoice_id = $2 AND status = $3 AND updated_at <= ${CHANGING.index("updated_at") + 4}
"""


async def update(connection: Executor, invoice: Invoice, *, account_id: str, was: Status) -> bool:
    """Write what has changed of an invoice, if its status is still the one that was decided on; tell whether it was."""
    values = [getattr(invoice, column) for column in CHANGING]
    done: str = await connection.execute(_UPDATE, account_id, invoice.invoice_id, was, *values)
    return done == "UPDATE 1"


# Steps along the index from one account to the next and reads one row of each, however long the backlog is.
_DUE_ACCOUNTS: Final = """
WITH RECURSIVE earliest AS (
    (SELECT account_id, due_at FROM invoices
     WHERE test_mode = $1 AND due_at IS NOT NULL
     ORDER BY account_id, due_at LIMIT 1)
    UNION ALL
    SELECT following.account_id, following.due_at
    FROM earliest CROSS JOIN LATERAL (
        SELECT account_id, due_at FROM invoices
        WHERE test_mode = $1 AND due_at IS NOT NULL AND account_id > earliest.account_id
        ORDER BY account_id, due_at LIMIT 1
    ) AS following
)
SELECT account_id FROM earliest WHERE due_at <= $2
"""


async def due_accounts(connection: Executor, *, test_mode: bool, now: datetime) -> list[str]:
    """Return the accounts that have an invoice which is due."""
    return [record["account_id"] for record in await connection.fetch(_DUE_ACCOUNTS, test_mode, now)]


_CLAIM: Final = """
WITH due AS MATERIALIZED (
    SELECT invoice_id FROM invoices
    WHERE account_id = $1 AND test_mode = $2 AND due_at <= $3
    ORDER BY due_at LIMIT $5 FOR UPDATE SKIP LOCKED
)
UPDATE invoices AS taken SET due_at = $4
FROM due WHERE taken.account_id = $1 AND taken.invoice_id = due.invoice_id
RETURNING taken.invoice_id
"""


async def claim(
    connection: Executor, *, account_id: str, test_mode: bool, now: datetime, until: datetime, limit: int
) -> list[str]:
    """Take invoices of an account that are due; they come due again at ``until`` unless somebody does what is due."""
    records = await connection.fetch(_CLAIM, account_id, test_mode, now, until, limit)
    return [record["invoice_id"] for record in records]


_HAND_BACK: Final = "UPDATE invoices SET due_at = $3 WHERE account_id = $1 AND invoice_id = $2 AND due_at IS NOT NULL"


async def hand_back(connection: Executor, invoice_id: str, *, account_id: str, now: datetime) -> None:
    """Give a claim back undone."""
    await connection.execute(_HAND_BACK, account_id, invoice_id, now)
