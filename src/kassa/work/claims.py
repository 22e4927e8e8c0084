"""Taking work that is due: one implementation for every table whose rows wait for something.

There is no queue beside the tables: work is a row whose due column has passed. A claim moves that column to the end of
a lease, so that what a dead worker held comes due again by itself. The moment that a claim wrote is also its fence:
renewing or releasing it changes the row only while that moment is still there.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from kassa.db.pool import Executor
from kassa.db.queries import Observed
from kassa.work import queries
from kassa.work.queue import Lease, Queue


class Claims:
    """The claims of one queue in one mode. Each statement but the search for accounts names its account."""

    def __init__(self, executor: Executor, queue: Queue, *, test_mode: bool) -> None:
        self._executor = executor
        self._queue = queue
        self._test_mode = test_mode
        self._accounts = queries.accounts_statement(queue, test_mode=test_mode)
        self.probe = queries.probe(queue, test_mode=test_mode)
        """An expression that says whether anything is due; ``$1`` is the moment of live and of test mode."""

    async def accounts(self, now: datetime, *, but: Collection[str] = ()) -> list[str]:
        """Return the accounts of what has been due the longest, ``but`` for those whose work cannot be taken now."""
        return [record["account_id"] for record in await self._executor.fetch(self._accounts, now, list(but))]

    async def claim(self, account_id: str, now: datetime, *, limit: int) -> list[Lease]:
        """Take an account's due work, what is due the longest first, until the end of a lease."""
        queue = self._queue
        if queue.lease is None:
            return [Lease(account_id=account_id, row={"account_id": account_id, "test_mode": self._test_mode})]
        until = now + queue.lease
        statement = queries.claim_statement(queue)
        records = await self._executor.fetch(statement, account_id, self._test_mode, now, until, limit)
        ordered = sorted(records, key=lambda record: tuple(record[column] for column in queue.then_by))
        return [Lease(account_id=account_id, row=record, until=until) for record in ordered]

    async def renew(self, lease: Lease, now: datetime) -> Lease | None:
        """Take what is still ours for another lease; None where it is not."""
        if self._queue.lease is None:
            return lease
        until = now + self._queue.lease
        done = await self._executor.execute(queries.renew_statement(self._queue), *self._held(lease, until))
        return None if done == "UPDATE 0" else msgspec.structs.replace(lease, until=until)

    async def release(self, leases: Sequence[Lease], now: datetime) -> None:
        """Make work that was taken and not done due at once; what is no longer ours stays as it is."""
        if self._queue.lease is None:
            return
        for lease in leases:
            await self._executor.execute(queries.release_statement(self._queue), *self._held(lease, now))

    def _held(self, lease: Lease, due_at: datetime) -> list[object]:
        return [lease.account_id, lease.until, due_at, *(lease.row[column] for column in self._queue.key)]


class Polled(msgspec.Struct, frozen=True, kw_only=True):
    """What one poll found: what changed beside us, and which of the queues have due work."""

    observed: Observed
    due: list[bool | None]


async def poll(executor: Executor, asked: Sequence[Claims], *, live: datetime, test: datetime) -> Polled:
    """Look, in one statement, whether anything is due in each of the queues, and what else a process has to notice."""
    statement = queries.poll_statement([claims.probe for claims in asked])
    record = await executor.fetchrow(statement, [live, test])
    assert record is not None  # noqa: S101 - the condition is true
    return Polled(observed=Observed.of(record), due=record["due"])
