"""Writing the books: ``post`` is the only writer of entries, ``number`` of the journal that orders and chains them.

Postings only insert, so any number of a merchant's payments are booked beside each other. Their order, the chain and
the balances are made shortly after by one worker an account, in batches; until then a balance is the journal's last
plus what has no number yet.
"""

import hashlib
from datetime import datetime
from typing import Final

import msgspec

from kassa.db.pool import Executor, Pool, transaction
from kassa.ledger import queries
from kassa.ledger.model import Balances, Entry, applied
from kassa.ledger.queries import Line, Posted

BATCH: Final = 500
GENESIS: Final = bytes(32)


async def post(connection: Executor, entry: Entry, *, account_id: str, test_mode: bool, now: datetime) -> None:
    """Book a fact in the transaction that makes it one. An entry of nothing is none.

    A second posting of the same fact fails, and the transaction with it: the database has one row an entry and line.
    """
    if entry.transfers:
        await queries.insert(connection, entry, account_id=account_id, test_mode=test_mode, now=now)


async def number(pool: Pool, *, account_id: str, test_mode: bool) -> int:
    """Give an account's new entries their place in the journal; return how many, 0 if somebody else does it."""
    async with transaction(pool) as connection:
        if not await queries.lock(connection, account_id=account_id, test_mode=test_mode):
            return 0
        taken = await queries.take(connection, account_id=account_id, test_mode=test_mode, limit=BATCH)
        head = await queries.head(connection, account_id=account_id, test_mode=test_mode)
        last, previous = (head.number, head.hash) if head else (0, GENESIS)
        balances: Balances = queries.balances_from(head.balances) if head else {}
        lines: list[Line] = []
        for place, posted in enumerate(taken, last + 1):
            previous = chained(previous, place, posted, account_id=account_id, test_mode=test_mode)
            balances = applied(balances, posted.entry.transfers)
            kept = queries.balances_json(dict(balances))
            lines.append(Line(number=place, entry_id=posted.entry.entry_id, hash=previous, balances=kept))
        await queries.append(connection, lines, account_id=account_id, test_mode=test_mode)
    return len(lines)


async def balances(connection: Executor, *, account_id: str, test_mode: bool) -> Balances:
    """Return an account's balances at this moment, those without a number included.

    Run it in a REPEATABLE READ transaction, or an entry that gets its number meanwhile may count twice or not at all.
    """
    head = await queries.head(connection, account_id=account_id, test_mode=test_mode)
    tail = await queries.unnumbered(connection, account_id=account_id, test_mode=test_mode)
    known: Balances = queries.balances_from(head.balances) if head else {}
    for posted in tail:
        known = applied(known, posted.entry.transfers)
    return known


def chained(previous: bytes, place: int, posted: Posted, *, account_id: str, test_mode: bool) -> bytes:
    """Return the journal's hash at an entry: SHA-256 over the one before and all that the entry says."""
    content = msgspec.json.encode(
        [
            account_id,
            test_mode,
            place,
            posted.entry.entry_id,
            posted.entry.recipe,
            posted.entry.invoice_id,
            int(posted.created_at.timestamp() * 1_000_000),
            [[move.debit, move.credit, move.amount, move.currency] for move in posted.entry.transfers],
        ]
    )
    return hashlib.sha256(previous + content).digest()
