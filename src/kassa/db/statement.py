"""Composing one statement of many parts, each of which writes rows of one table.

Every part is ``VALUES`` or an ``UPDATE``, names the account as ``$1``, and takes nothing from another part: so all of
it can be sent to the one shard that holds the account.
"""

from collections.abc import Sequence
from typing import Final

from kassa import failpoints
from kassa.db.pool import Executor, answering
from kassa.failpoints import Point

ACCOUNT: Final = "account_id"


class Statement:
    """A statement that grows part by part; its text depends on its parts alone, never on values."""

    def __init__(self, account_id: str) -> None:
        self.values: list[object] = [account_id]
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        """The statement: all parts take effect together, or none does."""
        *parts, last = self._parts
        if not parts:
            return last
        named = ", ".join(f"part_{place} AS ({part})" for place, part in enumerate(parts))
        return f"WITH {named} {last}"

    def value(self, value: object) -> str:
        """Take a value in, and return the parameter that names it."""
        self.values.append(value)
        return f"${len(self.values)}"

    def insert(self, table: str, columns: Sequence[str], *rows: Sequence[object], end: str = "") -> None:
        """Add rows of the account; ``columns`` and ``rows`` are without it. ``end``: what is behind ``VALUES``."""
        texts = [f"($1, {', '.join(self.value(value) for value in row)})" for row in rows]
        names = ", ".join((ACCOUNT, *columns))
        self.add(f"INSERT INTO {table} ({names}) VALUES {', '.join(texts)}{end}")

    def update(self, table: str, key: Sequence[tuple[str, object]], assignments: Sequence[tuple[str, object]]) -> None:
        """Add a change of one row of the account."""
        texts = [f"{column} = {self.value(value)}" for column, value in assignments]
        self.add(f"UPDATE {table} SET {', '.join(texts)} WHERE {self._where(key)}")

    def reschedule(
        self,
        table: str,
        key: Sequence[tuple[str, object]],
        assignments: Sequence[tuple[str, object]],
        *,
        due: tuple[object, object],
    ) -> None:
        """Add a change of one row that waits: ``due`` is since when by what was read, and from now on.

        Where something has made the row due at yet another moment since it was read, that moment stays.
        """
        texts = [f"{column} = {self.value(value)}" for column, value in assignments]
        was, now = self.value(due[0]), self.value(due[1])
        texts.append(f"due_at = CASE WHEN due_at IS NOT DISTINCT FROM {was} THEN {now} ELSE due_at END")
        self.add(f"UPDATE {table} SET {', '.join(texts)} WHERE {self._where(key)}")

    def add(self, part: str) -> None:
        """Add a part as it is."""
        self._parts.append(part)

    def _where(self, key: Sequence[tuple[str, object]]) -> str:
        return " AND ".join((f"{ACCOUNT} = $1", *(f"{column} = {self.value(value)}" for column, value in key)))


async def write(executor: Executor, text: str, *values: object) -> int:
    """Run a statement that writes, and return how many rows it has written, or its last part has.

    Where ``executor`` is a pool it has a transaction of its own.

    One of the two places where a test lets this process die (``kassa.failpoints``). Raises ``DatabaseUnavailable``:
    then it is not known whether it took effect.
    """
    failpoints.reach(Point.WRITING)
    with answering():
        tag = await executor.execute(text, *values)
    failpoints.reach(Point.WRITTEN)
    return int(tag.rpartition(" ")[2])
