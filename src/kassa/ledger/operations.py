"""Writing the books: ``post`` and an invoice's changes write entries, ``number`` the journal that orders them.

Postings only insert, so any number of a merchant's payments are booked beside each other. Their order, the chain and
the balances are made shortly after by one worker an account, in batches; until then a balance is the journal's last
plus what has no number yet.
"""

from datetime import datetime
from typing import Final

from kassa.db.pool import Executor, Pool, unit_of_work
from kassa.db.statement import Statement, write
from kassa.ledger import queries
from kassa.ledger.chain import GENESIS, chained
from kassa.ledger.model import Balances, Entry, applied
from kassa.ledger.queries import Line, Tail

BATCH: Final = 500
"""How many entries one statement numbers at most."""


async def post(connection: Executor, entry: Entry, *, account_id: str, test_mode: bool, now: datetime) -> None:
    """Book a fact in the transaction that makes it one. An entry of nothing is none.

    A second posting of the same fact fails, and the transaction with it: the database has one row an entry and line.
    """
    if entry.transfers:
        statement = Statement(account_id)
        queries.add(statement, entry, test_mode=test_mode, now=now)
        await write(connection, statement.text, *statement.values)


@unit_of_work
async def number(pool: Pool, *, account_id: str, test_mode: bool) -> int:
    """Give an account's new entries their place in the journal; return how many, 0 if another worker was first.

    An entry that waits and has no rows is left alone: they were removed, and ``verification`` names it.
    """
    tail = await queries.tail(pool, account_id=account_id, test_mode=test_mode, limit=BATCH)
    if tail is None:
        return 0
    lines = _lines(tail, account_id=account_id, test_mode=test_mode)
    done = await queries.append(pool, lines, account_id=account_id, test_mode=test_mode, until=tail.until)
    return len(lines) if done else 0


def _lines(tail: Tail, *, account_id: str, test_mode: bool) -> list[Line]:
    """Return the lines that entries become behind the journal's end."""
    previous = tail.hash or GENESIS
    balances: Balances = queries.balances_from(tail.balances) if tail.balances else {}
    lines: list[Line] = []
    for place, posted in enumerate(tail.entries, tail.number + 1):
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
    return lines


async def balances(connection: Executor, *, account_id: str, test_mode: bool) -> Balances:
    """Return an account's balances at this moment, those without a number included.

    Run it in a view of one moment (``db.view``), or an entry that gets its number meanwhile may count twice or not at
    all.
    """
    head = await queries.head(connection, account_id=account_id, test_mode=test_mode)
    known: Balances = queries.balances_from(head.balances) if head else {}
    tail = await queries.unnumbered_sums(connection, account_id=account_id, test_mode=test_mode)
    return applied(known, tail)
