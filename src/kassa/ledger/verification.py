"""Proving the books: every line of the journal is made again from the rows, and must come out the same.

Each line is compared with the one before it, as that one is and as it should be, so that one wrong line is reported
once and does not make all after it look wrong.
"""

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from kassa.db.pool import Executor
from kassa.ledger import queries
from kassa.ledger.chain import GENESIS, chained
from kassa.ledger.model import Balances, Posted, applied
from kassa.ledger.queries import Line
from kassa.values import Value

BATCH: Final = 1000


class Report(Value, frozen=True, kw_only=True):
    """What a verification has read and found."""

    lines: int
    """Lines of the journal."""
    rows: int
    """Transfers, those without a number included."""
    head: str | None = None
    """The last line's hash, in hex: noted elsewhere, it shows later whether a line was removed or changed since."""
    problems: tuple[str, ...] = ()


class _Chain:
    """What the next line may follow from: the line before as it is, and as it should be if that differs."""

    def __init__(self, account_id: str, *, test_mode: bool) -> None:
        self._account_id = account_id
        self._test_mode = test_mode
        self.expected = 1
        self._hashes = [GENESIS]
        self._balances: list[Balances] = [{}]

    def problem(self, line: Line, posted: Posted | None) -> str | None:
        """Return what is wrong with a line, and go on from it."""
        gap = range(self.expected, line.number)
        hashes, balances = self._hashes, self._balances
        self.expected = line.number + 1
        self._hashes, self._balances = [line.hash], _stated(line)
        place = f"(journal line {line.number})"
        if gap:
            return f"journal lines {gap.start} to {gap.stop - 1} are missing, so line {line.number} proves nothing"
        if posted is None:
            return f"entry {line.entry_id} {place} is missing"
        made = [self._chained(each, line, posted) for each in hashes]
        sums = [applied(each, posted.transfers) for each in balances]
        changed = line.hash not in made or line.created_at != posted.created_at
        wrong = line.balances not in map(queries.balances_json, sums)
        if changed:
            self._hashes.append(made[-1])
        if wrong:
            self._balances += sums[-1:]
        if changed:
            return f"entry {line.entry_id} {place} was changed"
        return f"the balances of journal line {line.number} were changed" if wrong else None

    def _chained(self, previous: bytes, line: Line, posted: Posted) -> bytes:
        return chained(
            previous,
            line.number,
            line.entry_id,
            posted.rows,
            account_id=self._account_id,
            test_mode=self._test_mode,
        )


def _stated(line: Line) -> list[Balances]:
    """Return the balances that a line states; none where they were made unreadable."""
    try:
        return [queries.balances_from(line.balances)]
    except (ValueError, msgspec.DecodeError):
        return []


async def verify(connection: Executor, *, account_id: str, test_mode: bool) -> Report:
    """Read all of an account's journal and rows and report each that was changed, removed or slipped in.

    Run it in a view of one moment (``db.view``), so that entries which get their number meanwhile are not taken for
    strays. What was cut off the journal's end together with its rows is seen only by who has noted the head.
    """
    chain = _Chain(account_id, test_mode=test_mode)
    read, head, problems = 0, None, list[str]()
    async for line, posted in _journal(connection, account_id=account_id, test_mode=test_mode):
        read, head = read + 1, line.hash.hex()
        if problem := chain.problem(line, posted):
            problems.append(problem)
    rows, others = await _rows(connection, account_id=account_id, test_mode=test_mode)
    return Report(lines=read, rows=rows, head=head, problems=(*problems, *others))


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


async def _rows(connection: Executor, *, account_id: str, test_mode: bool) -> tuple[int, list[str]]:
    """Return how many rows a mode has, and what is wrong with those that the journal does not speak for."""
    waiting = await queries.unnumbered(connection, account_id=account_id, test_mode=test_mode, limit=None)
    lost = dict.fromkeys(each.entry_id for each in waiting)
    known = frozenset(lost)
    count, strays, after = 0, dict[str, None](), ("", 0)
    while part := await queries.keys(connection, account_id=account_id, after=after, limit=BATCH):
        after = (part[-1].entry_id, part[-1].line)
        for key in part:
            lost.pop(key.entry_id, None)
        ours = [key.entry_id for key in part if key.test_mode == test_mode]
        count += len(ours)
        unknown = [entry_id for entry_id in ours if entry_id not in known]
        numbered = await queries.numbered(connection, unknown, account_id=account_id)
        strays.update(dict.fromkeys(entry_id for entry_id in unknown if entry_id not in numbered))
    return count, [
        *(f"entry {entry_id} was slipped in" for entry_id in strays),
        *(f"entry {entry_id} (not in the journal yet) is missing" for entry_id in lost),
    ]
