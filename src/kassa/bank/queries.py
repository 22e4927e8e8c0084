"""Every SQL statement of the bank's books, one a function."""

import sqlite3
from typing import Any

import msgspec

from kassa.bank.chargebacks import Chargeback
from kassa.bank.model import Purchase, Refund

_PURCHASE_COLUMNS = tuple(field.name for field in msgspec.structs.fields(Purchase) if field.name != "charge_backs")
_REFUND_COLUMNS = tuple(field.name for field in msgspec.structs.fields(Refund))
_CHARGE_BACK_COLUMNS = tuple(field.name for field in msgspec.structs.fields(Chargeback))
_MEMBERS = ", ".join(f"'{name}', c.{name}" for name in _CHARGE_BACK_COLUMNS)
_PURCHASES = (
    f"SELECT p.*, (SELECT json_group_array(json_object({_MEMBERS})) FROM (SELECT * FROM charge_backs c"
    " WHERE c.merchant_id = p.merchant_id AND c.order_ref = p.order_ref ORDER BY rrn) c) AS charge_backs"
    " FROM purchases p"
)
_NAMES = " || char(10) || ".join(
    f"coalesce(p.{name}, '')"
    for name in ("order_ref", "transaction_id", "rrn", "shop", "reference", "invoice", "description")
)
"""What the desk's search looks in, one a line."""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A notification that waits to be sent. ``due_at`` is in unix seconds of real time."""

    notification_id: str
    merchant_id: str
    url: str
    body: bytes
    tries: int
    due_at: float


def insert_purchase(connection: sqlite3.Connection, purchase: Purchase) -> None:
    """Write a new purchase."""
    connection.execute(_insert("purchases", _PURCHASE_COLUMNS), _values(purchase))


def update_purchase(connection: sqlite3.Connection, purchase: Purchase) -> None:
    """Write what changed in a purchase."""
    connection.execute(
        "UPDATE purchases SET state = :state, response_code = :response_code, rrn = :rrn,"
        " approval_code = :approval_code, updated_at = :updated_at"
        " WHERE merchant_id = :merchant_id AND order_ref = :order_ref",
        _values(purchase),
    )


def find_purchase(connection: sqlite3.Connection, *, merchant_id: str, order_ref: str) -> Purchase | None:
    """Return a merchant's purchase by the merchant's own name for it."""
    row = connection.execute(
        f"{_PURCHASES} WHERE p.merchant_id = ? AND p.order_ref = ?", (merchant_id, order_ref)
    ).fetchone()
    return _purchase(row) if row else None


def find_purchase_by_transaction(
    connection: sqlite3.Connection, *, merchant_id: str, transaction_id: str
) -> Purchase | None:
    """Return a merchant's purchase by the bank's name for it."""
    row = connection.execute(
        f"{_PURCHASES} WHERE p.merchant_id = ? AND p.transaction_id = ?", (merchant_id, transaction_id)
    ).fetchone()
    return _purchase(row) if row else None


def find_purchase_by_page(connection: sqlite3.Connection, page_id: str) -> Purchase | None:
    """Return the purchase of a payer's page; the unguessable id is the payer's credential."""
    row = connection.execute(f"{_PURCHASES} WHERE p.page_id = ?", (page_id,)).fetchone()
    return _purchase(row) if row else None


def recent_purchases(connection: sqlite3.Connection, *, wanted: str, limit: int) -> list[Purchase]:
    """Return the newest purchases of all merchants that have ``wanted`` in one of their names, for the desk."""
    rows = connection.execute(
        f"{_PURCHASES} WHERE instr(lower({_NAMES}), lower(:wanted)) > 0 OR :wanted = ''"
        " ORDER BY p.rowid DESC LIMIT :limit",
        {"wanted": wanted, "limit": limit},
    )
    return [_purchase(row) for row in rows]


def insert_refund(connection: sqlite3.Connection, refund: Refund) -> None:
    """Write a refund."""
    connection.execute(_insert("refunds", _REFUND_COLUMNS), _values(refund))


def find_refund(connection: sqlite3.Connection, *, merchant_id: str, refund_ref: str) -> Refund | None:
    """Return a merchant's refund by the merchant's own name for it."""
    row = connection.execute(
        "SELECT * FROM refunds WHERE merchant_id = ? AND refund_ref = ?", (merchant_id, refund_ref)
    ).fetchone()
    return msgspec.convert(dict(row), Refund) if row else None


def refunds_of(connection: sqlite3.Connection, *, merchant_id: str, order_ref: str) -> list[Refund]:
    """Return the refunds of a purchase, oldest first."""
    rows = connection.execute(
        "SELECT * FROM refunds WHERE merchant_id = ? AND order_ref = ? ORDER BY rowid", (merchant_id, order_ref)
    )
    return [msgspec.convert(dict(row), Refund) for row in rows]


def update_refund(connection: sqlite3.Connection, refund: Refund) -> None:
    """Write what changed in a refund."""
    connection.execute(
        "UPDATE refunds SET state = :state, response_code = :response_code, returned_rrn = :returned_rrn,"
        " returned_at = :returned_at WHERE merchant_id = :merchant_id AND refund_ref = :refund_ref",
        _values(refund),
    )


def refunded_amount(connection: sqlite3.Connection, *, merchant_id: str, order_ref: str) -> int:
    """Return how much of a purchase was refunded, in minor units."""
    row = connection.execute(
        "SELECT coalesce(sum(amount), 0) FROM refunds WHERE merchant_id = ? AND order_ref = ? AND state = 'APPROVED'",
        (merchant_id, order_ref),
    ).fetchone()
    return int(row[0])


def insert_charge_back(connection: sqlite3.Connection, charge_back: Chargeback) -> None:
    """Write a chargeback."""
    connection.execute(_insert("charge_backs", _CHARGE_BACK_COLUMNS), _values(charge_back))


def update_charge_back(connection: sqlite3.Connection, charge_back: Chargeback) -> None:
    """Write what was decided on a chargeback."""
    connection.execute(
        "UPDATE charge_backs SET state = :state, decided_at = :decided_at, reversal_rrn = :reversal_rrn"
        " WHERE merchant_id = :merchant_id AND transaction_id = :transaction_id",
        _values(charge_back),
    )


_STATEMENT = """
WITH movements AS (
    SELECT 'PURCHASE' AS kind, merchant_id, order_ref, NULL AS refund, transaction_id, amount, currency, rrn,
        updated_at AS booked_at, NULL AS charged_back
    FROM purchases WHERE state = 'APPROVED' AND NOT check_only
    UNION ALL SELECT 'REFUND', merchant_id, order_ref, refund_ref, transaction_id, amount, currency, rrn, created_at,
        NULL
    FROM refunds WHERE state IN ('APPROVED', 'RETURNED')
    UNION ALL SELECT 'REFUND_REVERSAL', merchant_id, order_ref, refund_ref, transaction_id || '-returned', amount,
        currency, returned_rrn, returned_at, NULL
    FROM refunds WHERE state = 'RETURNED'
    UNION ALL SELECT 'CHARGE_BACK', merchant_id, order_ref, NULL, transaction_id, amount, currency, rrn, created_at,
        (SELECT sum(b.amount) FROM charge_backs b
         WHERE b.merchant_id = c.merchant_id AND b.order_ref = c.order_ref AND b.rrn <= c.rrn)
    FROM charge_backs c
    UNION ALL SELECT 'CHARGE_BACK_REVERSAL', merchant_id, order_ref, NULL, transaction_id || '-won', amount, currency,
        reversal_rrn, decided_at,
        (SELECT sum(b.amount) FROM charge_backs b
         WHERE b.merchant_id = c.merchant_id AND b.order_ref = c.order_ref AND b.rrn <= c.rrn)
    FROM charge_backs c WHERE state = 'WON'
)
SELECT kind, order_ref AS "order", refund, transaction_id AS "transaction", amount, currency, rrn, booked_at,
    charged_back
FROM movements
WHERE merchant_id = :merchant_id AND rrn > :after_rrn
    AND CAST(strftime('%s', booked_at) AS INTEGER) BETWEEN :since AND :until - 1
ORDER BY rrn LIMIT :limit
"""


def statement(
    connection: sqlite3.Connection, *, merchant_id: str, since: int, until: int, after_rrn: str, limit: int
) -> list[dict[str, Any]]:
    """Return the movements of a merchant's money, what it took and what went back, in the order of their rrn.

    ``since`` and ``until`` are unix seconds; what was booked in the second ``until`` is not shown any more. A
    chargeback's line has the sum of its purchase's chargebacks so far, its own included: ``charged_back``; so has the
    line that reverses it.
    """
    rows = connection.execute(
        _STATEMENT,
        {"merchant_id": merchant_id, "since": since, "until": until, "after_rrn": after_rrn, "limit": limit},
    )
    return [dict(row) for row in rows]


def next_number(connection: sqlite3.Connection, name: str) -> int:
    """Return the next number of a counter."""
    row = connection.execute(
        "UPDATE counters SET number = number + 1 WHERE name = ? RETURNING number", (name,)
    ).fetchone()
    return int(row[0])


def insert_notification(
    connection: sqlite3.Connection, *, notification_id: str, merchant_id: str, url: str, body: bytes, due_at: float
) -> None:
    """Write a message to be sent at ``due_at``; 0 is at once."""
    connection.execute(
        "INSERT INTO notifications (notification_id, merchant_id, url, body, due_at) VALUES (?, ?, ?, ?, ?)",
        (notification_id, merchant_id, url, body, due_at),
    )


def fresh_notifications(connection: sqlite3.Connection) -> int:
    """Return how many messages were to be sent at once and have not been tried yet."""
    row = connection.execute("SELECT count(*) FROM notifications WHERE due_at = 0").fetchone()
    return int(row[0])


def waiting_notifications(connection: sqlite3.Connection, *, limit: int) -> list[Notification]:
    """Return the messages that are still to be sent, the earliest due first."""
    rows = connection.execute(
        "SELECT notification_id, merchant_id, url, body, tries, due_at FROM notifications"
        " WHERE due_at IS NOT NULL ORDER BY due_at LIMIT ?",
        (limit,),
    )
    return [Notification(**dict(row)) for row in rows]


def mark_delivered(connection: sqlite3.Connection, notification_id: str, delivered_at: float) -> None:
    """Record that a merchant has taken a notification."""
    connection.execute(
        "UPDATE notifications SET tries = tries + 1, due_at = NULL, delivered_at = ? WHERE notification_id = ?",
        (delivered_at, notification_id),
    )


def mark_tried(connection: sqlite3.Connection, notification_id: str, due_at: float | None) -> None:
    """Record a try that failed, and when the next one is due; None: never."""
    connection.execute(
        "UPDATE notifications SET tries = tries + 1, due_at = ? WHERE notification_id = ?", (due_at, notification_id)
    )


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(f':{column}' for column in columns)})"


def _values(row: Purchase | Refund | Chargeback) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(row)
    return values


def _purchase(row: sqlite3.Row) -> Purchase:
    read = {"check_only": bool(row["check_only"]), "charge_backs": msgspec.json.decode(row["charge_backs"])}
    return msgspec.convert({**dict(row), **read}, Purchase)
