"""Every statement over payments. Each names its account."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from kassa.db.pool import Executor, Row
from kassa.db.statement import write
from kassa.invoices.rules.attempt import CardFacts, Payment, PaymentStatus, Unexpected
from kassa.invoices.rules.declines import LATEST_CARDS, Declines, Limits

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
    return None if record[f"{prefix}payment_id"] is None else from_row(record, prefix)


def from_row(record: Row, prefix: str = "") -> Payment:
    """Return the payment in a row that has all its columns."""
    values = {column: record[prefix + column] for column in COLUMNS}
    card = {name: values.pop(f"card_{name}") for name in _CARD}
    params = values["action_params"]
    return Payment(
        **{
            **values,
            "status": PaymentStatus(values["status"]),
            "unexpected": None if values["unexpected"] is None else Unexpected(values["unexpected"]),
            "action_params": None if params is None else msgspec.json.decode(params, type=dict[str, str]),
            "card": CardFacts(**card) if card["first"] is not None else None,
        }
    )


def values(payment: Payment) -> list[object]:
    """Return what the columns of a payment hold, in their order."""
    found: list[object] = []
    for name in _MEMBERS:
        value = getattr(payment, name)
        if name == "card":
            found += [getattr(value, each) for each in _CARD] if value else [None] * len(_CARD)
        elif name == "action_params":
            found.append(None if value is None else msgspec.json.encode(value).decode())
        else:
            found.append(value)
    return found


_BY_ID: Final = f"SELECT {selected('p')} FROM payments p WHERE p.account_id = $1 AND p.payment_id = $2"


async def by_id(connection: Executor, payment_id: str, *, account_id: str) -> Payment | None:
    """Return an attempt, or None."""
    record = await connection.fetchrow(_BY_ID, account_id, payment_id)
    return None if record is None else from_record(record)


# A change that is being written leaves a moment that has been set meanwhile as it is (``carrying``).
_WAKE: Final = """
UPDATE payments SET due_at = $3
WHERE account_id = $1 AND payment_id = $2 AND status <> 'invoke_pending'
  AND (due_at > $3 OR due_at IS NULL AND (status IN ('invoke_failed', 'process_failed') OR $4))
"""


async def wake(connection: Executor, payment_id: str, *, account_id: str, now: datetime, dispute: bool = False) -> None:
    """Make an attempt due now: the provider can be polled about something that happened, even if we gave it up.

    After a ``dispute`` also one that has taken its money. Not while the creation of its invoice still waits for the
    provider's page: that answer is what it is waiting for.
    """
    await write(connection, _WAKE, account_id, payment_id, now, dispute)


_RESCHEDULE: Final = """
UPDATE payments SET due_at = $4 WHERE account_id = $1 AND payment_id = $2 AND due_at IS NOT DISTINCT FROM $3
"""


async def reschedule(connection: Executor, payment: Payment, *, account_id: str, due_at: datetime | None) -> None:
    """Make an attempt due at another moment, if no one has made it due at yet another since it was read."""
    await write(connection, _RESCHEDULE, account_id, payment.payment_id, payment.due_at, due_at)


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
