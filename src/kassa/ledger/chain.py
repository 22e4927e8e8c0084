"""The chain over the journal: each line's hash takes in the one before and every column of the entry's rows.

So changing, removing or slipping in a row means making all later hashes anew, and a head that was noted elsewhere is
then no longer in the journal.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from kassa.ledger.model import Row

GENESIS: Final = bytes(32)
"""What the first line is chained to."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def chained(
    previous: bytes, number: int, entry_id: str, rows: Sequence[Row], *, account_id: str, test_mode: bool
) -> bytes:
    """Return the hash of a journal's line: SHA-256 over the previous hash and a JSON list of all that it covers.

    Auditors can make it again by hand, so what is hashed never changes: ``[account_id, test_mode, number, entry_id,
    [[line, test_mode, recipe, invoice_id, payment_id, refund_id, dispute_id, charged_back_total,
    created_at in microseconds, debit, credit, amount, currency], …]]``.
    """
    content = msgspec.json.encode([account_id, test_mode, number, entry_id, [_columns(row) for row in rows]])
    return hashlib.sha256(previous + content).digest()


def _columns(row: Row) -> list[object]:
    created = (row.created_at - _EPOCH) // _MICROSECOND
    move = row.transfer
    return [
        row.line,
        row.test_mode,
        row.recipe,
        row.invoice_id,
        row.payment_id,
        row.refund_id,
        row.dispute_id,
        row.charged_back_total,
        created,
        move.debit,
        move.credit,
        move.amount,
        move.currency,
    ]
