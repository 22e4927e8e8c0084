"""Writing the books: ``post`` is the only writer of entries, ``number`` of the journal that orders and chains them.

Postings only insert, so any number of a merchant's payments are booked beside each other. Their order, the chain and
the balances are made shortly after by one worker an account, in batches; until then a balance is the journal's last
plus what has no number yet.
"""

from datetime import datetime
from typing import Final

from kassa import failpoints
from kassa.db.pool import Connection, Executor, Pool, transaction, unit_of_work
from kassa.failpoints import Point
from kassa.ledger import queries
from kassa.ledger.chain import GENESIS, chained
from kassa.ledger.model import Balances, Entry, Posted, applied
from kassa.ledger.queries import Line

BATCH: Final = 500
"""How many entries one transaction numbers at most."""


async def post(connection: Executor, entry: Entry, *, account_id: str, test_mode: bool, now: datetime) -> None:
    """Book a fact in the transaction that makes it one. An entry of nothing is none.

    A second posting of the same fact fails, and the transaction with it: the database has one row an entry and line.
    """
    if entry.transfers:
        await queries.insert(connection, entry, account_id=account_id, test_mode=test_mode, now=now)


@unit_of_work
async def number(pool: Pool, *, account_id: str, test_mode: bool) -> int:
    """Give an account's new entries their place in the journal; return how many, 0 if somebody else does it.

    An entry that waits and has no rows is left alone: somebody took them out, and ``verification`` names it.
    """
    async with transaction(pool) as connection:
        if not await queries.lock(connection, account_id=account_id, test_mode=test_mode):
            return 0
        waiting = await queries.unnumbered(connection, account_id=account_id, test_mode=test_mode, limit=BATCH)
        ids = [each.entry_id for each in waiting]
        found = await queries.of_entries(connection, ids, account_id=account_id)
        taken = [found[entry_id] for entry_id in ids if entry_id in found]
        if taken:
            until = waiting[-1].created_at
            await queries.take(connection, list(found), account_id=account_id, test_mode=test_mode, until=until)
            await _append(connection, taken, account_id=account_id, test_mode=test_mode)
        failpoints.reach(Point.NUMBERING)
    return len(taken)


async def _append(connection: Connection, taken: list[Posted], *, account_id: str, test_mode: bool) -> None:
    head = await queries.head(connection, account_id=account_id, test_mode=test_mode)
    last, previous = (head.number, head.hash) if head else (0, GENESIS)
    balances: Balances = queries.balances_from(head.balances) if head else {}
    lines: list[Line] = []
    for place, posted in enumerate(taken, last + 1):
        previous = chained(previous, place, posted.entry_id, posted.rows, account_id=account_id, test_mode=test_mode)
        balances = applied(balances, posted.transfers)
        line = Line(
            number=place,
            entry_id=posted.entry_id,
            created_at=posted.created_at,
            hash=previous,
            balances=queries.balances_json(balances),
        )
        lines.append(line)
    await queries.append(connection, lines, account_id=account_id, test_mode=test_mode)


async def balances(connection: Executor, *, account_id: str, test_mode: bool) -> Balances:
    """Return an account's balances at this moment, those without a number included.

    Run it in a view of one moment (``db.view``), or an entry that gets its number meanwhile may count twice or not at
    all.
    """
    head = await queries.head(connection, account_id=account_id, test_mode=test_mode)
    known: Balances = queries.balances_from(head.balances) if head else {}
    tail = await queries.unnumbered_sums(connection, account_id=account_id, test_mode=test_mode)
    return applied(known, tail)
