"""Every statement over payments. Each names its account, but for the worker's first question: whose are due."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from kassa.db.pool import Executor
from kassa.observability import tracing
from kassa.payments.declines import LATEST_CARDS, Declines, Limits
from kassa.payments.model import CardFacts, Payment, PaymentStatus

_CARD: Final = tuple(field.name for field in msgspec.structs.fields(CardFacts))
_MEMBERS: Final = tuple(field.name for field in msgspec.structs.fields(Payment))
COLUMNS: Final = tuple(
    column for name in _MEMBERS for column in ([f"card_{each}" for each in _CARD] if name == "card" else [name])
)


def selected(alias: str, prefix: str = "") -> str:
    """Return the columns of a payment for a SELECT or RETURNING list, renamed with a prefix for use in a join."""
    return ", ".join(f"{alias}.{column} AS {prefix}{column}" for column in COLUMNS)


def from_record(record: asyncpg.Record, prefix: str = "") -> Payment | None:
    """Return the payment in a row that was selected with ``selected``, or None where an outer join found none."""
    if record[f"{prefix}payment_id"] is None:
        return None
    values = {column: record[prefix + column] for column in COLUMNS}
    card = {name: values.pop(f"card_{name}") for name in _CARD}
    params = values["action_params"]
    return Payment(
        **{
            **values,
            "status": PaymentStatus(values["status"]),
            "action_params": None if params is None else msgspec.json.decode(params, type=dict[str, str]),
            "card": CardFacts(**card) if card["first"] is not None else None,
        }
    )


def _values(payment: Payment) -> list[object]:
    values: list[object] = []
    for name in _MEMBERS:
        value = getattr(payment, name)
        if name == "card":
            values += [getattr(value, each) for each in _CARD] if value else [None] * len(_CARD)
        elif name == "action_params":
            values.append(None if value is None else msgspec.json.encode(value).decode())
        else:
            values.append(value)
    return values


_INSERT: Final = f"""
INSERT INTO payments ({", ".join(COLUMNS)})
VALUES ({", ".join(f"${n}" for n, _ in enumerate(COLUMNS, 1))})
"""


async def insert(connection: Executor, payment: Payment) -> None:
    """Write a new attempt of ``payment.account_id``, with the trace that it is made in."""
    traced = msgspec.structs.replace(payment, traceparent=tracing.carried())
    await connection.execute(_INSERT, *_values(traced))


_UPDATE: Final = """
UPDATE payments
SET status = $4, resolution = $5, external_id = $6, processed_amount = $7, processed_currency = $8, action = $9,
    action_method = $10, action_params = $11, rrn = $12, approval_code = $13, updated_at = $14, due_at = $15,
    asks = $16, return_number = $17, returned_amount = $18, returned_currency = $19,
    charged_back_amount = $20
WHERE account_id = $1 AND payment_id = $2 AND status = $3
"""


async def update(connection: Executor, payment: Payment, *, account_id: str, was: PaymentStatus) -> bool:
    """Write what has changed of an attempt, if its status is still ``was``; tell whether it was."""
    params = None if payment.action_params is None else msgspec.json.encode(payment.action_params).decode()
    done: str = await connection.execute(
        _UPDATE,
        account_id,
        payment.payment_id,
        was,
        payment.status,
        payment.resolution,
        payment.external_id,
        payment.processed_amount,
        payment.processed_currency,
        payment.action,
        payment.action_method,
        params,
        payment.rrn,
        payment.approval_code,
        payment.updated_at,
        payment.due_at,
        payment.asks,
        payment.return_number,
        payment.returned_amount,
        payment.returned_currency,
        payment.charged_back_amount,
    )
    return done == "UPDATE 1"


_BY_ID: Final = f"SELECT {selected('p')} FROM payments p WHERE p.account_id = $1 AND p.payment_id = $2"


async def by_id(connection: Executor, payment_id: str, *, account_id: str) -> Payment | None:
    """Return an attempt, or None."""
    record = await connection.fetchrow(_BY_ID, account_id, payment_id)
    return None if record is None else from_record(record)


_NOT_RETURNED: Final = f"""
SELECT {selected("p")} FROM payments p
WHERE p.account_id = $1 AND p.invoice_id = $2 AND p.status IN ('refund_failed', 'refund_error') ORDER BY p.number
"""


async def not_returned(connection: Executor, invoice_id: str, *, account_id: str) -> list[Payment]:
    """Return an invoice's attempts whose money the provider would not send back, or sent back otherwise than asked."""
    records: list[asyncpg.Record] = await connection.fetch(_NOT_RETURNED, account_id, invoice_id)
    return [payment for record in records if (payment := from_record(record)) is not None]


# Locks the invoice first, as all that change a payment do: an answer that is being written down would end the wait that
# this begins. Whatever that answer made of the attempt is seen then, for the conditions are those of the UPDATE itself.
_WAKE: Final = """
WITH locked AS (
    SELECT 1 FROM invoices i
    WHERE i.account_id = $1
      AND i.invoice_id = (SELECT p.invoice_id FROM payments p WHERE p.account_id = $1 AND p.payment_id = $2)
    FOR UPDATE
)
UPDATE payments SET due_at = $3
WHERE (SELECT count(*) FROM locked) = 1 AND account_id = $1 AND payment_id = $2 AND status <> 'invoke_pending'
  AND (due_at > $3 OR due_at IS NULL AND (status IN ('invoke_failed', 'process_failed') OR $4
       AND status IN ('processed', 'process_error', 'refunded', 'refund_failed', 'refund_error')))
"""


async def wake(
    connection: Executor, payment_id: str, *, account_id: str, now: datetime, charge_back: bool = False
) -> None:
    """Make an attempt due now: something happened that the provider can be asked about, even if we gave it up.

    After a charge-back also one that has taken its money. Not while the creation of its invoice still waits for the
    provider's page: that answer is what it is waiting for.
    """
    await connection.execute(_WAKE, account_id, payment_id, now, charge_back)


# Steps along the index from one account to the next and reads one row of each, however long the backlog is.
_DUE_ACCOUNTS: Final = """
WITH RECURSIVE earliest AS (
    (SELECT account_id, due_at FROM payments
     WHERE test_mode = $1 AND due_at IS NOT NULL
     ORDER BY account_id, due_at LIMIT 1)
    UNION ALL
    SELECT following.account_id, following.due_at
    FROM earliest CROSS JOIN LATERAL (
        SELECT account_id, due_at FROM payments
        WHERE test_mode = $1 AND due_at IS NOT NULL AND account_id > earliest.account_id
        ORDER BY account_id, due_at LIMIT 1
    ) AS following
)
SELECT account_id FROM earliest WHERE due_at <= $2
"""


async def due_accounts(connection: Executor, *, test_mode: bool, now: datetime) -> list[str]:
    """Return the accounts that have an attempt to ask about."""
    return [record["account_id"] for record in await connection.fetch(_DUE_ACCOUNTS, test_mode, now)]


_CLAIM: Final = f"""
WITH due AS MATERIALIZED (
    SELECT payment_id FROM payments
    WHERE account_id = $1 AND test_mode = $2 AND due_at <= $3
    ORDER BY due_at LIMIT $5 FOR UPDATE SKIP LOCKED
)
UPDATE payments AS p SET due_at = $4, asks = p.asks + 1
FROM due WHERE p.account_id = $1 AND p.payment_id = due.payment_id
RETURNING {selected("p")}
"""


async def claim(
    connection: Executor, *, account_id: str, test_mode: bool, now: datetime, until: datetime, limit: int
) -> list[Payment]:
    """Take due attempts of an account for one worker; they come due again at ``until`` unless somebody settles them."""
    records: list[asyncpg.Record] = await connection.fetch(_CLAIM, account_id, test_mode, now, until, limit)
    return [payment for record in records if (payment := from_record(record)) is not None]


_HAND_BACK: Final = """
UPDATE payments SET due_at = $3, asks = asks - 1
WHERE account_id = $1 AND payment_id = $2 AND due_at = $4 AND asks = $5
"""


async def hand_back(connection: Executor, payment: Payment, *, account_id: str, now: datetime) -> None:
    """Give a claim back undone, if it is still ours."""
    await connection.execute(_HAND_BACK, account_id, payment.payment_id, now, payment.due_at, payment.asks)


_DECLINES: Final = """
SELECT
    ARRAY(SELECT created_at FROM payments
          WHERE account_id = $1 AND test_mode = $2 AND status = 'process_failed' AND payer_network = $4
            AND created_at > $3
          ORDER BY created_at DESC LIMIT $6) AS of_payer,
    ARRAY(SELECT created_at FROM payments
          WHERE account_id = $1 AND test_mode = $2 AND status = 'process_failed' AND card_fingerprint = $5
            AND created_at > $3
          ORDER BY created_at DESC LIMIT $7) AS of_card,
    (SELECT count(*) FILTER (WHERE status = 'process_failed') FROM (
        SELECT status FROM payments
        WHERE account_id = $1 AND test_mode = $2 AND card_fingerprint IS NOT NULL AND created_at > $3
        ORDER BY created_at DESC LIMIT $8
    ) AS latest) AS of_account
"""


async def declines(
    connection: Executor,
    *,
    account_id: str,
    test_mode: bool,
    since: datetime,
    payer_network: str | None,
    fingerprint: bytes,
    limits: Limits,
) -> Declines:
    """Return an account's declines since a moment: of a payer, of a card, and among its latest cards."""
    most = (limits.of_payer or 1, limits.of_card or 1, LATEST_CARDS if limits.of_account else 0)
    record = await connection.fetchrow(_DECLINES, account_id, test_mode, since, payer_network, fingerprint, *most)
    assert record is not None  # noqa: S101 - a SELECT without FROM has one row
    return Declines(**record)
