"""Every statement over the books. Each names its account, but for the worker's first question: whose entries wait."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from kassa.db.pool import Executor
from kassa.ledger.model import Entry, Purse, Transfer
from kassa.providers.protocol import Value


class Head(Value, frozen=True, kw_only=True):
    """The journal's last line: where the next entry is chained on."""

    number: int
    hash: bytes
    balances: str
    """JSON: purse → currency → minor units."""


class Line(Value, frozen=True, kw_only=True):
    """One line of the journal."""

    number: int
    entry_id: str
    hash: bytes
    balances: str


class Posted(Value, frozen=True, kw_only=True):
    """An entry as it stands in the books."""

    entry: Entry
    created_at: datetime


_INSERT: Final = """
WITH entry AS (
    INSERT INTO ledger_transfers (account_id, entry_id, line, test_mode, recipe, invoice_id, debit, credit, amount,
                                  currency, created_at)
    SELECT $1, $2, line, $3, $4, $5, debit, credit, amount, currency, $6
    FROM unnest($7::text[], $8::text[], $9::bigint[], $10::text[])
         WITH ORDINALITY AS moves (debit, credit, amount, currency, line)
    RETURNING entry_id
)
INSERT INTO ledger_unnumbered (account_id, test_mode, entry_id)
SELECT DISTINCT $1::text, $3::boolean, entry_id FROM entry
"""


async def insert(connection: Executor, entry: Entry, *, account_id: str, test_mode: bool, now: datetime) -> None:
    """Write an entry's transfers. Raises ``asyncpg.UniqueViolationError`` for one that is in the books already."""
    await connection.execute(
        _INSERT,
        account_id,
        entry.entry_id,
        test_mode,
        entry.recipe,
        entry.invoice_id,
        now,
        [transfer.debit for transfer in entry.transfers],
        [transfer.credit for transfer in entry.transfers],
        [transfer.amount for transfer in entry.transfers],
        [transfer.currency for transfer in entry.transfers],
    )


_WAITING: Final = "SELECT DISTINCT account_id FROM ledger_unnumbered WHERE test_mode = $1"


async def waiting(connection: Executor, *, test_mode: bool) -> list[str]:
    """Return the accounts whose entries of a mode have no number yet."""
    return [record["account_id"] for record in await connection.fetch(_WAITING, test_mode)]


_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || CASE WHEN $2 THEN '/test' ELSE '/live' END, 0))"


async def lock(connection: Executor, *, account_id: str, test_mode: bool) -> bool:
    """Become the only one to number this account's entries until the transaction ends; False if somebody else is."""
    return bool(await connection.fetchval(_LOCK, account_id, test_mode))


_TAKE: Final = """
WITH taken AS (
    DELETE FROM ledger_unnumbered
    WHERE account_id = $1 AND test_mode = $2 AND entry_id IN (
        SELECT entry_id FROM ledger_unnumbered WHERE account_id = $1 AND test_mode = $2 LIMIT $3)
    RETURNING entry_id
)
SELECT t.* FROM ledger_transfers t JOIN taken USING (entry_id)
WHERE t.account_id = $1
ORDER BY t.created_at, t.entry_id, t.line
"""


async def take(connection: Executor, *, account_id: str, test_mode: bool, limit: int) -> list[Posted]:
    """Take entries that have no number yet, the oldest first."""
    return _entries(await connection.fetch(_TAKE, account_id, test_mode, limit))


_HEAD: Final = """
SELECT number, hash, balances FROM ledger_journal
WHERE account_id = $1 AND test_mode = $2 ORDER BY number DESC LIMIT 1
"""


async def head(connection: Executor, *, account_id: str, test_mode: bool) -> Head | None:
    """Return the journal's last line, or None for an empty one."""
    record = await connection.fetchrow(_HEAD, account_id, test_mode)
    return None if record is None else Head(**record)


_APPEND: Final = """
INSERT INTO ledger_journal (account_id, test_mode, number, entry_id, hash, balances)
SELECT $1, $2, line.* FROM unnest($3::bigint[], $4::text[], $5::bytea[], $6::text[]::json[]) AS line
"""


async def append(connection: Executor, lines: list[Line], *, account_id: str, test_mode: bool) -> None:
    """Write lines at the journal's end."""
    await connection.execute(
        _APPEND,
        account_id,
        test_mode,
        [line.number for line in lines],
        [line.entry_id for line in lines],
        [line.hash for line in lines],
        [line.balances for line in lines],
    )


_UNNUMBERED: Final = """
SELECT t.* FROM ledger_transfers t JOIN ledger_unnumbered u USING (account_id, entry_id)
WHERE t.account_id = $1 AND u.account_id = $1 AND u.test_mode = $2
ORDER BY t.created_at, t.entry_id, t.line
"""


async def unnumbered(connection: Executor, *, account_id: str, test_mode: bool) -> list[Posted]:
    """Return the entries that have no number yet; usually those of the last second."""
    return _entries(await connection.fetch(_UNNUMBERED, account_id, test_mode))


_LINES: Final = """
SELECT number, entry_id, hash, balances FROM ledger_journal
WHERE account_id = $1 AND test_mode = $2 AND number > $3 ORDER BY number LIMIT $4
"""


async def lines(connection: Executor, *, account_id: str, test_mode: bool, after: int, limit: int) -> list[Line]:
    """Return lines of the journal in their order."""
    return [Line(**record) for record in await connection.fetch(_LINES, account_id, test_mode, after, limit)]


_OF_ENTRIES: Final = """
SELECT * FROM ledger_transfers WHERE account_id = $1 AND entry_id = ANY($2::text[])
ORDER BY created_at, entry_id, line
"""


async def of_entries(connection: Executor, entry_ids: list[str], *, account_id: str) -> dict[str, Posted]:
    """Return entries by their ids; those that are not there are left out."""
    records = await connection.fetch(_OF_ENTRIES, account_id, entry_ids)
    return {posted.entry.entry_id: posted for posted in _entries(records)}


_STRAY: Final = """
SELECT DISTINCT t.entry_id FROM ledger_transfers t
WHERE t.account_id = $1 AND t.test_mode = $2
  AND NOT EXISTS (SELECT FROM ledger_journal j WHERE j.account_id = $1 AND j.entry_id = t.entry_id)
  AND NOT EXISTS (SELECT FROM ledger_unnumbered u
                  WHERE u.account_id = $1 AND u.test_mode = $2 AND u.entry_id = t.entry_id)
ORDER BY t.entry_id
"""


async def stray(connection: Executor, *, account_id: str, test_mode: bool) -> list[str]:
    """Return entries that are neither in the journal nor waiting for it: rows that ``post`` did not write."""
    return [record["entry_id"] for record in await connection.fetch(_STRAY, account_id, test_mode)]


def _entries(records: list[asyncpg.Record]) -> list[Posted]:
    """Return the entries in rows that are sorted by them."""
    grouped: dict[str, list[asyncpg.Record]] = {}
    for record in records:
        grouped.setdefault(record["entry_id"], []).append(record)
    return [_posted(rows) for rows in grouped.values()]


def _posted(rows: list[asyncpg.Record]) -> Posted:
    first = rows[0]
    moves = tuple(
        Transfer(debit=Purse(row["debit"]), credit=Purse(row["credit"]), amount=row["amount"], currency=row["currency"])
        for row in rows
    )
    entry = Entry(entry_id=first["entry_id"], recipe=first["recipe"], invoice_id=first["invoice_id"], transfers=moves)
    return Posted(entry=entry, created_at=first["created_at"])


def balances_json(balances: dict[tuple[Purse, str], int]) -> str:
    """Return balances as the journal keeps them."""
    nested: dict[str, dict[str, int]] = {}
    for (purse, currency), amount in sorted(balances.items()):
        nested.setdefault(purse, {})[currency] = amount
    return msgspec.json.encode(nested).decode()


def balances_from(text: str) -> dict[tuple[Purse, str], int]:
    """Return balances that the journal has kept."""
    nested = msgspec.json.decode(text, type=dict[str, dict[str, int]])
    return {(Purse(purse), currency): amount for purse, kept in nested.items() for currency, amount in kept.items()}
