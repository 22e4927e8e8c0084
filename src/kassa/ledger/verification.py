"""Proving the books: every line of the journal is made again from the entries, and must come out the same."""

from collections.abc import AsyncIterator
from typing import Final

from kassa.db.pool import Executor
from kassa.ledger import queries
from kassa.ledger.model import Balances, applied
from kassa.ledger.operations import GENESIS, chained
from kassa.ledger.queries import Line, Posted
from kassa.providers.protocol import Value

BATCH: Final = 1000


class Report(Value, frozen=True, kw_only=True):
    """What a verification has read and found."""

    lines: int
    rows: int
    problems: tuple[str, ...]


async def verify(connection: Executor, *, account_id: str, test_mode: bool) -> Report:
    """Read all of an account's journal and entries and report each that was changed, removed or slipped in.

    Run it in a REPEATABLE READ transaction, so that entries which get their number meanwhile are not taken for strays.
    """
    read, rows, problems = 0, 0, list[str]()
    previous, expected = GENESIS, 1
    known: Balances = {}
    async for line, posted in _journal(connection, account_id=account_id, test_mode=test_mode):
        read += 1
        if line.number != expected:
            problems.append(f"journal lines {expected} to {line.number - 1} are missing")
        expected = line.number + 1
        if posted is None:
            problems.append(f"entry {line.entry_id} (journal line {line.number}) is missing")
        else:
            rows += len(posted.entry.transfers)
            known = applied(known, posted.entry.transfers)
            hashed = chained(previous, line.number, posted, account_id=account_id, test_mode=test_mode)
            if hashed != line.hash:
                problems.append(f"entry {line.entry_id} (journal line {line.number}) was changed")
            elif queries.balances_json(dict(known)) != line.balances:
                problems.append(f"the balances of journal line {line.number} were changed")
        previous = line.hash
    strays = await queries.stray(connection, account_id=account_id, test_mode=test_mode)
    problems += [f"entry {entry_id} was slipped in" for entry_id in strays]
    return Report(lines=read, rows=rows, problems=tuple(problems))


async def _journal(
    connection: Executor, *, account_id: str, test_mode: bool
) -> AsyncIterator[tuple[Line, Posted | None]]:
    after = 0
    while lines := await queries.lines(
        connection, account_id=account_id, test_mode=test_mode, after=after, limit=BATCH
    ):
        entries = await queries.of_entries(connection, [line.entry_id for line in lines], account_id=account_id)
        for line in lines:
            yield line, entries.get(line.entry_id)
        after = lines[-1].number
