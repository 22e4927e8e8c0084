"""One job in one mode: its due work taken, begun side by side, renewed while it goes on, and released at the end."""

import asyncio
import contextlib
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

import structlog

from kassa.clock import Clock
from kassa.db.pool import Pool, Row
from kassa.errors import DatabaseUnavailable
from kassa.observability import tracing
from kassa.work.claims import Claims
from kassa.work.queue import Lease, Queue

PAUSE_SECONDS: Final = 0.2
PAUSE_SECONDS_MAX: Final = 5.0
"""The longest pause between two tries: to reach a database that is down, or at an account whose work fails."""
FINISH_SECONDS: Final = 8.0
"""How long what is under way may go on after ``stop``."""

_UNAVAILABLE_MAX: Final = 2
"""Accounts in a row that the database has no answer for, after which it is taken to be away for all of them."""
_ALL: Final = ""
"""In place of all accounts where none can be looked at."""

_log = structlog.get_logger(__name__)


class Claim(Protocol):
    """Work that was taken; only the job knows what it is."""

    @property
    def account_id(self) -> str:
        """Whose work it is."""


C = TypeVar("C", bound=Claim)


class Job(Protocol[C]):
    """One kind of work: where it waits (``work.jobs``), and how it is done."""

    @property
    def queue(self) -> Queue:
        """Where it waits."""

    def read(self, row: Row) -> C:
        """Return the work in a row that was taken."""

    async def run(self, claim: C) -> bool | None:
        """Do it; False says that there was nothing to do, or that another worker is at it.

        After that, and after what raises, the account is left alone for a moment; the work comes due again when its
        lease ends, and at once where it has none.
        """


class Pauses:
    """Accounts that a runner leaves alone for a while; each time in a row for twice as long, up to a limit."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    def holds(self, account_id: str) -> bool:
        """Return whether an account is left alone now."""
        return time.monotonic() < self._until.get(account_id, 0.0)

    def held(self) -> set[str]:
        """Return the accounts that are left alone now."""
        return {account_id for account_id in self._until if self.holds(account_id)}

    def begin(self, account_id: str) -> None:
        """Leave an account alone, unless that is so already: pieces that fail side by side count once."""
        if self.holds(account_id):
            return
        seconds = min(2 * self._seconds.get(account_id, PAUSE_SECONDS / 2), PAUSE_SECONDS_MAX)
        self._seconds[account_id], self._until[account_id] = seconds, time.monotonic() + seconds

    def end(self, account_id: str) -> None:
        """Take an account's work again: some of it went on."""
        self._seconds.pop(account_id, None)
        self._until.pop(account_id, None)


class Runner(Generic[C]):
    """Takes work while there is room, as soon as it is woken or something has finished."""

    def __init__(self, pool: Pool, job: Job[C], clock: Clock, *, test_mode: bool) -> None:
        self.queue = job.queue
        self.claims = Claims(pool, job.queue, test_mode=test_mode)
        self.next_poll = 0.0
        """From when on, by the monotonic clock, the worker's poll asks for this queue too."""
        self._job = job
        self._clock = clock
        self._test_mode = test_mode
        self._under_way: dict[asyncio.Task[None], Lease] = {}
        self._in_flight: Counter[str] = Counter()
        self._pauses = Pauses()
        self._due: set[str] = set()
        """Accounts that may have more due work than was taken."""
        self._last = ""
        """The account whose turn was last: the next round starts behind it, so that each has one."""
        self._looking = False
        self._wake = asyncio.Event()
        self._finish_until: float | None = None

    @property
    def name(self) -> str:
        """How logs call it."""
        return f"{self.queue.name} ({'test' if self._test_mode else 'live'})"

    @property
    def _stopping(self) -> bool:
        return self._finish_until is not None

    def look(self) -> None:
        """See whose work is due, and take it."""
        self._looking = True
        self._wake.set()

    def stop(self) -> None:
        """Take nothing more."""
        self._finish_until = time.monotonic() + FINISH_SECONDS
        self._wake.set()

    async def run(self) -> None:
        """Take work and start it, until ``stop``; then finish it or release it."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if self._stopping:
                    break
                if not self._pauses.holds(_ALL):
                    await self._round()
            await self._finish()
        finally:
            for task in self._under_way:
                task.cancel()

    async def _round(self) -> None:
        try:
            await self._take()
        except DatabaseUnavailable as error:
            _log.warning("no work taken", job=self.name, reason=str(error))
            self._pauses.begin(_ALL)
        except Exception:  # noqa: BLE001 (a runner outlives whatever a round meets)
            _log.exception("no work taken", job=self.name)
            self._pauses.begin(_ALL)
        else:
            self._pauses.end(_ALL)

    async def _take(self) -> None:
        """Claim and start what is due and has room."""
        now, looking, self._looking = self._clock.now(test_mode=self._test_mode), self._looking, False
        if looking and self._free > 0:
            self._due.update(await self.claims.accounts(now, but=self._busy()))
        accounts, unavailable = sorted(self._due), 0
        behind = bisect_right(accounts, self._last)
        for account_id in accounts[behind:] + accounts[:behind]:
            room = self._room(account_id)
            if self._stopping:
                return
            if room <= 0 or self._pauses.holds(account_id) or not self._clock.agrees():
                continue
            self._last = account_id
            try:
                await self._start(account_id, now, room)
                unavailable = 0
            except DatabaseUnavailable as error:
                # It may be that only this account's statement takes too long, or the machine that keeps it is away.
                self._pauses.begin(account_id)
                _log.warning("work not taken", job=self.name, account_id=account_id, reason=str(error))
                unavailable += 1
                if unavailable == _UNAVAILABLE_MAX:
                    raise

    async def _start(self, account_id: str, now: datetime, room: int) -> None:
        """Take an account's due work and begin it. Raises ``DatabaseUnavailable``."""
        try:
            leases = await self.claims.claim(account_id, now, limit=room)
            taken = [(lease, self._job.read(lease.row)) for lease in leases]
        except DatabaseUnavailable:
            raise
        except Exception:  # noqa: BLE001 (what one account has is no reason to leave the others)
            _log.exception("work not taken", job=self.name, account_id=account_id)
            self._pauses.begin(account_id)
            return
        if len(taken) < room or self.queue.lease is None:
            self._due.discard(account_id)
        for lease, claim in taken:
            self._begin(lease, claim)

    def _busy(self) -> set[str]:
        """Return the accounts that have their share under way or are left alone: the search goes past them."""
        full = {account_id for account_id in self._in_flight if self._room(account_id) <= 0}
        return full | self._pauses.held()

    @property
    def _free(self) -> int:
        return self.queue.in_flight - len(self._under_way)

    def _room(self, account_id: str) -> int:
        """Return how many claims of an account may be added; as places get few, each account has one."""
        share = self.queue.per_account if self._free > self.queue.in_flight // 2 else 1
        return min(share - self._in_flight[account_id], self._free)

    def _begin(self, lease: Lease, claim: C) -> None:
        task = asyncio.create_task(self._run(claim))
        self._under_way[task] = lease
        self._in_flight[claim.account_id] += 1
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        account_id = self._under_way.pop(task).account_id
        self._in_flight[account_id] -= 1
        if not self._in_flight[account_id]:
            del self._in_flight[account_id]
        # Where there was work there may be more.
        self.next_poll = 0.0
        if self._due:
            self._wake.set()

    async def _run(self, claim: C) -> None:
        went_on = False
        about = {name: getattr(claim, name, None) for name in ("account_id", "invoice_id")}
        traced = tracing.span(self.queue.name, "consumer", parent=getattr(claim, "traceparent", None), **about)
        try:
            with traced:
                async with self._renewed():
                    went_on = await self._job.run(claim) is not False
        except DatabaseUnavailable as error:
            _log.warning("work put off", job=self.name, account_id=claim.account_id, reason=str(error))
        except Exception:  # noqa: BLE001 (one piece of work never stops the others)
            _log.exception("work failed", job=self.name, account_id=claim.account_id)
        if went_on:
            self._pauses.end(claim.account_id)
        else:
            self._pauses.begin(claim.account_id)

    @contextlib.asynccontextmanager
    async def _renewed(self) -> AsyncIterator[None]:
        """Renew the lease of what this task does, where it may take longer than that."""
        task = asyncio.current_task()
        if self.queue.renew_seconds is None or task is None:
            yield
            return
        renewing = asyncio.create_task(self._renew(task, self.queue.renew_seconds))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self, task: asyncio.Task[None], seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            with contextlib.suppress(DatabaseUnavailable):  # then it is due again, and may be done twice
                now = self._clock.now(test_mode=self._test_mode)
                renewed = await self.claims.renew(self._under_way[task], now)
                if renewed is None:
                    return
                self._under_way[task] = renewed

    async def _finish(self) -> None:
        if not self._under_way:
            return
        until = self._finish_until or 0.0
        _, late = await asyncio.wait(dict(self._under_way), timeout=max(0.0, until - time.monotonic()))
        leases = {task: self._under_way[task] for task in late if task in self._under_way}
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        undone = [lease for task, lease in leases.items() if task.cancelled()]
        # By a wrong clock it would come due at a wrong time: then the end of its lease is the better moment.
        if not undone or not self._clock.agrees():
            return
        try:
            await self.claims.release(undone, self._clock.now(test_mode=self._test_mode))
        except DatabaseUnavailable as error:
            _log.warning("work not released", job=self.name, count=len(undone), reason=str(error))
