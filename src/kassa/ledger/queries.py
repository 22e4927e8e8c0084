"""Every statement over the books. Each names its account."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from kassa.db.pool import Executor
from kassa.db.statement import Statement, write
from kassa.ledger.model import Balances, Entry, LedgerAccount, Posted, Row, Transfer
from kassa.values import Value


class Line(Value, frozen=True, kw_only=True):
    """One line of the journal; its last one is the head, where the next entry is chained on."""

    number: int
    entry_id: str
    created_at: datetime
    """The entry's."""
    hash: bytes
    balances: str
    """JSON: ledger account → currency → minor units, after this entry."""


_TRANSFER_COLUMNS: Final = (
    *("entry_id", "line", "test_mode", "recipe", "invoice_id", "payment_id", "refund_id", "dispute_id"),
    *("charged_back_total", "debit", "credit", "amount", "currency", "created_at"),
)


def add(statement: Statement, entry: Entry, *, test_mode: bool, now: datetime) -> None:
    """Let a statement write an entry's transfers. An entry of nothing is none.

    ``asyncpg.UniqueViolationError`` is raised for one that is in the books already.
    """
    if not entry.transfers:
        return
    rows = [
        (
            *(entry.entry_id, line, test_mode, entry.recipe, entry.invoice_id, entry.payment_id, entry.refund_id),
            *(entry.dispute_id, entry.charged_back_total),
            *(each.debit, each.credit, each.amount, each.currency, now),
        )
        for line, each in enumerate(entry.transfers, 1)
    ]
    statement.insert("ledger_transfers", _TRANSFER_COLUMNS, *rows)
    statement.insert("ledger_unnumbered", ("test_mode", "created_at", "entry_id"), (test_mode, now, entry.entry_id))


_UNNUMBERED: Final = """
SELECT created_at, entry_id FROM ledger_unnumbered
WHERE account_id = $1 AND test_mode = $2 ORDER BY created_at, entry_id LIMIT $3
"""


class Waiting(Value, frozen=True, kw_only=True):
    """An entry that has no number yet."""

    created_at: datetime
    entry_id: str


async def unnumbered(connection: Executor, *, account_id: str, test_mode: bool, limit: int | None) -> list[Waiting]:
    """Return the entries that have no number yet, the oldest first; all of them without a limit."""
    return [Waiting(**record) for record in await connection.fetch(_UNNUMBERED, account_id, test_mode, limit)]


_HEAD: Final = """
SELECT number, entry_id, created_at, hash, balances FROM ledger_journal
WHERE account_id = $1 AND test_mode = $2 ORDER BY number DESC LIMIT 1
"""


async def head(connection: Executor, *, account_id: str, test_mode: bool) -> Line | None:
    """Return the journal's last line, or None for an empty one."""
    record = await connection.fetchrow(_HEAD, account_id, test_mode)
    return None if record is None else Line(**record)


# Entry by entry, by their key (``OFFSET 0``): whatever the planner believes of a table that grows by the second.
_TAIL: Final = """
WITH waiting AS MATERIALIZED (
    SELECT created_at AS waiting_since, entry_id FROM ledger_unnumbered
    WHERE account_id = $1 AND test_mode = $2 ORDER BY created_at, entry_id LIMIT $3
), head AS MATERIALIZED (
    SELECT number AS head_number, hash AS head_hash, balances AS head_balances FROM ledger_journal
    WHERE account_id = $1 AND test_mode = $2 ORDER BY number DESC LIMIT 1
)
SELECT waiting.waiting_since, head.*, moved.*
FROM waiting LEFT JOIN head ON true
CROSS JOIN LATERAL (
    SELECT * FROM ledger_transfers t WHERE t.account_id = $1 AND t.entry_id = waiting.entry_id OFFSET 0) AS moved
ORDER BY waiting.waiting_since, waiting.entry_id, moved.line
"""


class Tail(Value, frozen=True, kw_only=True):
    """Where the journal ends, and the entries that have no number yet, as they will stand behind it."""

    number: int
    """The last line's; 0 for an empty journal."""
    hash: bytes | None
    balances: str | None
    entries: list[Posted]
    until: datetime
    """The latest entry's time."""


async def tail(executor: Executor, *, account_id: str, test_mode: bool, limit: int) -> Tail | None:
    """Return the journal's end and what waits behind it, the oldest first; None where nothing does.

    An entry that waits and has no rows is left out.
    """
    records = await executor.fetch(_TAIL, account_id, test_mode, limit)
    if not records:
        return None
    first, last = records[0], records[-1]
    return Tail(
        number=first["head_number"] or 0,
        hash=first["head_hash"],
        balances=first["head_balances"],
        entries=_entries(records),
        until=last["waiting_since"],
    )


async def append(executor: Executor, lines: list[Line], *, account_id: str, test_mode: bool, until: datetime) -> bool:
    """Write lines at the journal's end, and let their entries wait no more; False where another worker was first.

    ``until`` is the latest entry's time. Nothing is written where the journal has got a line of one of these numbers.
    """
    statement = Statement(account_id)
    mode, end = statement.value(test_mode), statement.value(until)
    statement.add(
        f"DELETE FROM ledger_unnumbered WHERE account_id = $1 AND test_mode = {mode} AND created_at <= {end}"
        f" AND entry_id = ANY({statement.value([line.entry_id for line in lines])}::text[])"
    )
    columns = ("test_mode", "number", "entry_id", "created_at", "hash", "balances")
    rows = [(test_mode, each.number, each.entry_id, each.created_at, each.hash, each.balances) for each in lines]
    statement.insert("ledger_journal", columns, *rows)
    try:
        await write(executor, statement.text, *statement.values)
    except asyncpg.UniqueViolationError:
        return False
    return True


# By an array: whatever the planner believes of tables that grow by the second, it walks the key.
_UNNUMBERED_SUMS: Final = """
SELECT debit, credit, currency, sum(amount)::bigint AS amount FROM ledger_transfers
WHERE account_id = $1 AND entry_id = ANY(ARRAY(
    SELECT u.entry_id FROM ledger_unnumbered u WHERE u.account_id = $1 AND u.test_mode = $2))
GROUP BY debit, credit, currency
"""


async def unnumbered_sums(connection: Executor, *, account_id: str, test_mode: bool) -> list[Transfer]:
    """Return what the entries without a number moved, added up; usually those of the last half second."""
    return [_transfer(record) for record in await connection.fetch(_UNNUMBERED_SUMS, account_id, test_mode)]


_LINES: Final = """
SELECT number, entry_id, created_at, hash, balances FROM ledger_journal
WHERE account_id = $1 AND test_mode = $2 AND number > $3 ORDER BY number LIMIT $4
"""


async def lines(connection: Executor, *, account_id: str, test_mode: bool, after: int, limit: int) -> list[Line]:
    """Return lines of the journal in their order."""
    return [Line(**record) for record in await connection.fetch(_LINES, account_id, test_mode, after, limit)]


_OF_ENTRIES: Final = """
SELECT * FROM ledger_transfers WHERE account_id = $1 AND entry_id = ANY($2::text[])
ORDER BY entry_id, line
"""


async def of_entries(connection: Executor, entry_ids: list[str], *, account_id: str) -> dict[str, Posted]:
    """Return entries by their ids; those that are not there are left out."""
    records = await connection.fetch(_OF_ENTRIES, account_id, entry_ids)
    return {posted.entry_id: posted for posted in _entries(records)}


class Key(Value, frozen=True, kw_only=True):
    """Which row of the books, and in which mode it says to be."""

    entry_id: str
    line: int
    test_mode: bool


_KEYS: Final = """
SELECT entry_id, line, test_mode FROM ledger_transfers
WHERE account_id = $1 AND (entry_id, line) > ($2, $3) ORDER BY entry_id, line LIMIT $4
"""


async def keys(connection: Executor, *, account_id: str, after: tuple[str, int], limit: int) -> list[Key]:
    """Return the next rows of an account's books, of both modes, in the order of their keys."""
    return [Key(**record) for record in await connection.fetch(_KEYS, account_id, *after, limit)]


_NUMBERED: Final = "SELECT entry_id FROM ledger_journal WHERE account_id = $1 AND entry_id = ANY($2::text[])"


async def numbered(connection: Executor, entry_ids: list[str], *, account_id: str) -> set[str]:
    """Return which of these entries are in the journal, in either mode."""
    return {record["entry_id"] for record in await connection.fetch(_NUMBERED, account_id, entry_ids)}


def _entries(records: list[asyncpg.Record]) -> list[Posted]:
    """Return the entries in rows that are sorted by them."""
    grouped: dict[str, list[Row]] = {}
    for record in records:
        grouped.setdefault(record["entry_id"], []).append(_row(record))
    return [Posted(entry_id=entry_id, rows=tuple(rows)) for entry_id, rows in grouped.items()]


def _row(record: asyncpg.Record) -> Row:
    return Row(
        line=record["line"],
        test_mode=record["test_mode"],
        recipe=record["recipe"],
        invoice_id=record["invoice_id"],
        payment_id=record["payment_id"],
        refund_id=record["refund_id"],
        dispute_id=record["dispute_id"],
        charged_back_total=record["charged_back_total"],
        created_at=record["created_at"],
        transfer=_transfer(record),
    )


def _transfer(record: asyncpg.Record) -> Transfer:
    return Transfer(
        debit=LedgerAccount(record["debit"]),
        credit=LedgerAccount(record["credit"]),
        amount=record["amount"],
        currency=record["currency"],
    )


def balances_json(balances: Balances) -> str:
    """Return balances as the journal keeps them."""
    nested: dict[str, dict[str, int]] = {}
    for (ledger_account, currency), amount in sorted(balances.items()):
        nested.setdefault(ledger_account, {})[currency] = amount
    return msgspec.json.encode(nested).decode()


def balances_from(text: str) -> dict[tuple[LedgerAccount, str], int]:
    """Return balances that the journal has kept."""
    nested = msgspec.json.decode(text, type=dict[str, dict[str, int]])
    return {
        (LedgerAccount(each), currency): amount for each, kept in nested.items() for currency, amount in kept.items()
    }
