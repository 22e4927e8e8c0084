"""Every statement over the books. Each names its account, but for the worker's first question: whose entries wait."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from kassa.db.pool import Executor
from kassa.ledger.model import Balances, Entry, Posted, Purse, Row, Transfer
from kassa.providers.protocol import Value


class Line(Value, frozen=True, kw_only=True):
    """One line of the journal; its last one is the head, where the next entry is chained on."""

    number: int
    entry_id: str
    created_at: datetime
    """The entry's."""
    hash: bytes
    balances: str
    """JSON: purse → currency → minor units, after this entry."""


_INSERT: Final = """
WITH entry AS (
    INSERT INTO ledger_transfers (account_id, entry_id, line, test_mode, recipe, invoice_id, debit, credit, amount,
                                  currency, created_at)
    SELECT $1, $2, line, $3, $4, $5, debit, credit, amount, currency, $6
    FROM unnest($7::text[], $8::text[], $9::bigint[], $10::text[])
         WITH ORDINALITY AS moves (debit, credit, amount, currency, line)
    RETURNING entry_id
)
INSERT INTO ledger_unnumbered (account_id, test_mode, created_at, entry_id)
SELECT DISTINCT $1::text, $3::boolean, $6::timestamptz, entry_id FROM entry
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


# Steps along the primary key from one account and mode to the next, and reads one row of each.
_WAITING: Final = """
WITH RECURSIVE waiting AS (
    (SELECT account_id, test_mode FROM ledger_unnumbered ORDER BY account_id, test_mode LIMIT 1)
    UNION ALL
    SELECT following.account_id, following.test_mode
    FROM waiting CROSS JOIN LATERAL (
        SELECT account_id, test_mode FROM ledger_unnumbered
        WHERE (account_id, test_mode) > (waiting.account_id, waiting.test_mode)
        ORDER BY account_id, test_mode LIMIT 1
    ) AS following
)
SELECT account_id FROM waiting WHERE test_mode = $1
"""


async def waiting(connection: Executor, *, test_mode: bool) -> list[str]:
    """Return the accounts whose entries of a mode have no number yet."""
    return [record["account_id"] for record in await connection.fetch(_WAITING, test_mode)]


_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended($1 || CASE WHEN $2 THEN '/test' ELSE '/live' END, 0))"


async def lock(connection: Executor, *, account_id: str, test_mode: bool) -> bool:
    """Become the only one to number this account's entries until the transaction ends; False if somebody else is."""
    return bool(await connection.fetchval(_LOCK, account_id, test_mode))


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


_TAKE: Final = """
DELETE FROM ledger_unnumbered
WHERE account_id = $1 AND test_mode = $2 AND created_at <= $3 AND entry_id = ANY($4::text[])
"""


async def take(
    connection: Executor, entry_ids: list[str], *, account_id: str, test_mode: bool, until: datetime
) -> None:
    """Let entries wait no more: they are about to be numbered. ``until`` is the latest one's time."""
    await connection.execute(_TAKE, account_id, test_mode, until, entry_ids)


_HEAD: Final = """
SELECT number, entry_id, created_at, hash, balances FROM ledger_journal
WHERE account_id = $1 AND test_mode = $2 ORDER BY number DESC LIMIT 1
"""


async def head(connection: Executor, *, account_id: str, test_mode: bool) -> Line | None:
    """Return the journal's last line, or None for an empty one."""
    record = await connection.fetchrow(_HEAD, account_id, test_mode)
    return None if record is None else Line(**record)


_APPEND: Final = """
INSERT INTO ledger_journal (account_id, test_mode, number, entry_id, created_at, hash, balances)
SELECT $1, $2, line.*
FROM unnest($3::bigint[], $4::text[], $5::timestamptz[], $6::bytea[], $7::text[]::json[]) AS line
"""


async def append(connection: Executor, lines: list[Line], *, account_id: str, test_mode: bool) -> None:
    """Write lines at the journal's end."""
    await connection.execute(
        _APPEND,
        account_id,
        test_mode,
        [line.number for line in lines],
        [line.entry_id for line in lines],
        [line.created_at for line in lines],
        [line.hash for line in lines],
        [line.balances for line in lines],
    )


# By an array, here and below: whatever the planner believes of tables that grow by the second, it walks the key.
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
    """Return which of these entries stand in the journal, of whichever mode."""
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
        created_at=record["created_at"],
        transfer=_transfer(record),
    )


def _transfer(record: asyncpg.Record) -> Transfer:
    return Transfer(
        debit=Purse(record["debit"]),
        credit=Purse(record["credit"]),
        amount=record["amount"],
        currency=record["currency"],
    )


def balances_json(balances: Balances) -> str:
    """Return balances as the journal keeps them."""
    nested: dict[str, dict[str, int]] = {}
    for (purse, currency), amount in sorted(balances.items()):
        nested.setdefault(purse, {})[currency] = amount
    return msgspec.json.encode(nested).decode()


def balances_from(text: str) -> dict[tuple[Purse, str], int]:
    """Return balances that the journal has kept."""
    nested = msgspec.json.decode(text, type=dict[str, dict[str, int]])
    return {(Purse(purse), currency): amount for purse, kept in nested.items() for currency, amount in kept.items()}
