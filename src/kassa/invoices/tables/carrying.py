"""Carrying a change out: all of it in one statement, or nothing. Nothing else writes invoices and what belongs to them.

The guard is the event's key: a change writes the event of the invoice's next version, and of any number that were
decided on the same snapshot one finds that number free. The others have written nothing, for the statement is one.
"""

from typing import Final

import asyncpg
import msgspec

from kassa.callbacks import queries as callbacks
from kassa.callbacks.queries import Queued
from kassa.customers.model import Customer
from kassa.db.pool import Executor
from kassa.db.statement import Statement, write
from kassa.errors import KassaError
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.records import Dispute, Refund
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.invoices.tables import payments, snapshots
from kassa.invoices.tables.refunds import COLUMNS as REFUND_COLUMNS
from kassa.ledger import queries as ledger
from kassa.moderation.model import Decision
from kassa.observability import tracing

CHANGING: Final = (
    *("version", "status", "resolution", "moderation_required"),
    *("processed_amount", "processed_fee", "processed_deposit"),
    *("reserved_amount", "reserve_left", "reserve_expires_at", "unreserved_at"),
    *("payment_id", "attempts", "updated_at", "processed_at", "failed_at"),
)
"""The columns of an invoice that changes may write, beside ``due_at``; all others stay as they were created."""

PAYMENT_CHANGING: Final = (
    *("status", "resolution", "external_id", "processed_amount", "processed_currency", "unexpected"),
    *("action", "action_method", "action_params", "rrn", "approval_code", "updated_at"),
)
REFUND_CHANGING: Final = (
    *("status", "resolution", "external_id", "reserve", "returned_amount", "returned_currency"),
    *("settled_amount", "reversed_at", "updated_at"),
)
_DISPUTE_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Dispute))
DISPUTE_CHANGING: Final = (
    *("status", "amount", "currency", "unexpected", "fee", "reserve", "held", "booked"),
    *("deadline", "updated_at", "closed_at"),
)
_DECISION_COLUMNS: Final = tuple(field.name for field in msgspec.structs.fields(Decision))
_EVENT_COLUMNS: Final = ("invoice_id", "version", "created_at", "status", "resolution", "kind", "made_by", "params")

# A public key is in the shop's page for everyone to read: it may fill a customer's gaps and rewrites nothing.
_KEPT: Final = "{c} = coalesce(customers.{c}, excluded.{c})"
_REPLACED: Final = "{c} = coalesce(excluded.{c}, customers.{c})"


class Stale(KassaError):
    """The invoice has changed since it was read: nothing was written, the decision has to be made again."""


class ReferenceTaken(KassaError):
    """Another invoice, or another refund, has this ``reference_id``: nothing was written (P3)."""


async def carry_out(executor: Executor, change: Change, callback: Queued | None) -> Snapshot:
    """Write a change, and return the invoice as it then is.

    Raises ``Stale`` where the invoice is no longer as it was when the change was decided, and ``ReferenceTaken``.
    """
    after = _numbered(change)
    statement = _statement(msgspec.structs.replace(change, after=after), callback)
    try:
        await write(executor, statement.text, *statement.values)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name in ("invoice_events_pkey", "payments_one_live", "payments_attempt"):
            raise Stale from None
        if error.constraint_name in ("invoices_reference", "refunds_reference"):
            raise ReferenceTaken from None
        raise
    return after


def _numbered(change: Change) -> Snapshot:
    version = 1 if change.before is None else change.before.invoice.version + 1
    return msgspec.structs.replace(change.after, invoice=msgspec.structs.replace(change.after.invoice, version=version))


def _statement(change: Change, callback: Queued | None) -> Statement:
    before, after = change.before, change.after
    statement = Statement(after.invoice.account_id)
    if before is None:
        _create(statement, after)
    else:
        _change_invoice(statement, before.invoice, after.invoice)
    for payment in _attempts(after):
        _write_payment(statement, before.attempt(payment.payment_id) if before else None, payment)
    for refund in after.refunds:
        _write_refund(statement, before.refund(refund.refund_id) if before else None, refund)
    known = {dispute.dispute_id: dispute for dispute in before.disputes} if before else {}
    for dispute in after.disputes:
        _write_dispute(statement, known.get(dispute.dispute_id), dispute)
    for entry in change.entries:
        ledger.add(statement, entry, test_mode=after.invoice.test_mode, now=change.at)
    if change.review is not None:
        statement.insert("moderation_decisions", _DECISION_COLUMNS, msgspec.structs.astuple(change.review))
    if callback is not None:
        callbacks.add(statement, callback)
    _write_event(statement, change)
    return statement


def _create(statement: Statement, after: Snapshot) -> None:
    invoice, customer = after.invoice, after.customer
    statement.insert("invoices", snapshots.COLUMNS[1:], msgspec.structs.astuple(invoice)[1:])
    if customer is not None:
        _write_customer(statement, invoice, customer)


def _write_customer(statement: Statement, invoice: Invoice, customer: Customer) -> None:
    columns = snapshots.CUSTOMER_COLUMNS
    change = _KEPT if invoice.source == "platform_public_api" else _REPLACED
    changes = ", ".join(change.format(c=column) for column in columns[2:])
    statement.insert(
        "customers",
        ("test_mode", "created_at", "updated_at", *columns),
        (invoice.test_mode, invoice.created_at, invoice.created_at, *(getattr(customer, c) for c in columns)),
        end=" ON CONFLICT (account_id, customer_id) DO UPDATE SET"
        f" updated_at = greatest(customers.updated_at, excluded.updated_at), {changes}",
    )


def _change_invoice(statement: Statement, before: Invoice, after: Invoice) -> None:
    key = (("invoice_id", after.invoice_id), ("version", before.version))
    changes = [(column, getattr(after, column)) for column in CHANGING]
    if before.due_at == after.due_at:
        statement.update("invoices", key, changes)
    else:
        statement.reschedule("invoices", key, changes, due=(before.due_at, after.due_at))


def _attempts(snapshot: Snapshot) -> tuple[Payment, ...]:
    return tuple(payment for payment in (snapshot.payment, snapshot.earlier) if payment is not None)


def _write_payment(statement: Statement, before: Payment | None, payment: Payment) -> None:
    if before == payment:
        return
    if before is None:
        traced = msgspec.structs.replace(payment, traceparent=tracing.carried())
        statement.insert("payments", payments.COLUMNS[1:], payments.values(traced)[1:])
        return
    held = dict(zip(payments.COLUMNS, payments.values(payment), strict=True))
    changes = [(column, held[column]) for column in PAYMENT_CHANGING]
    key = (("payment_id", payment.payment_id),)
    statement.reschedule("payments", key, changes, due=(before.due_at, payment.due_at))


def _write_refund(statement: Statement, before: Refund | None, refund: Refund) -> None:
    if before == refund:
        return
    if before is None:
        traced = msgspec.structs.replace(refund, traceparent=tracing.carried())
        statement.insert("refunds", REFUND_COLUMNS[1:], msgspec.structs.astuple(traced)[1:])
        return
    changes = [(column, getattr(refund, column)) for column in REFUND_CHANGING]
    key = (("refund_id", refund.refund_id),)
    statement.reschedule("refunds", key, changes, due=(before.due_at, refund.due_at))


def _write_dispute(statement: Statement, before: Dispute | None, dispute: Dispute) -> None:
    if before == dispute:
        return
    if before is None:
        statement.insert("disputes", _DISPUTE_COLUMNS[1:], msgspec.structs.astuple(dispute)[1:])
        return
    changes = [(column, getattr(dispute, column)) for column in DISPUTE_CHANGING]
    statement.update("disputes", (("dispute_id", dispute.dispute_id),), changes)


def _write_event(statement: Statement, change: Change) -> None:
    invoice, event = change.after.invoice, change.event
    row = (
        invoice.invoice_id,
        invoice.version,
        change.at,
        invoice.status,
        invoice.resolution,
        event.kind,
        event.by,
        msgspec.json.encode(event.params).decode(),
    )
    statement.insert("invoice_events", _EVENT_COLUMNS, row)
