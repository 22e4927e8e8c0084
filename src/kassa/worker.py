"""The worker: takes work that is due, account by account, and never lets one account's trouble become another's.

Composition: with ``app`` the only file that knows every room. Work is a row whose ``due_at`` has passed (there is no
queue). Taking it moves ``due_at`` to the end of a lease, so that what a dead worker held comes due again by itself.
"""

import asyncio
import contextlib
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog

from kassa.callbacks.delivery import Delivery
from kassa.callbacks.listeners.forgetting import ForgettingListeners
from kassa.clock import Clock
from kassa.errors import DatabaseUnavailable
from kassa.idempotency.forgetting import Forgetting
from kassa.invoices.asking import Asking
from kassa.invoices.due import Due
from kassa.invoices.returns.asking import AskingRefunds
from kassa.ledger.numbering import Numbering
from kassa.observability import tracing
from kassa.platform import Platform
from kassa.reconciliation.nightly import Reconciling

POLL_SECONDS: Final = 0.2
PAUSE_SECONDS_MAX: Final = 5.0
"""The longest pause between two tries: to reach a database that is down, or at an account whose work fails."""
FINISH_SECONDS: Final = 8.0
"""How long what is under way may go on after ``stop``."""
STOP_SECONDS: Final = 10.0
"""How long ``stop`` takes at most. What a database that does not answer was not told comes due with its lease."""
IN_FLIGHT_MAX: Final = 256
"""Claims of one job and mode at a time in this process."""

_log = structlog.get_logger(__name__)


class Claim(Protocol):
    """Work that was taken; only the job knows what it is."""

    @property
    def account_id(self) -> str:
        """Whose work it is."""


C = TypeVar("C", bound=Claim)


class Job(Protocol[C]):
    """One kind of work."""

    @property
    def name(self) -> str:
        """How logs call it."""

    @property
    def per_account(self) -> int:
        """How many claims of one account may be under way at a time."""

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        """Return the accounts that have due work."""

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[C]:
        """Take at most ``limit`` pieces of an account's due work, for the length of the job's lease."""

    async def run(self, claim: C) -> bool | None:
        """Do it; False says that there was nothing to do, or somebody else at it.

        After that, and after what raises, the account is left alone for a moment; the work comes due again when its
        lease ends, and at once where it has none.
        """

    async def hand_back(self, claims: list[C], now: datetime) -> None:
        """Make work that was taken and not done due at once."""


class Worker:
    """All jobs of this process, each once for the test mode's clock and once for the live one."""

    def __init__(self, platform: Platform, jobs: Sequence[Job[Any]] | None = None) -> None:
        """Take the jobs that Kassa has, unless others are given."""
        chosen = (
            jobs
            if jobs is not None
            else (
                Delivery(platform),
                Due(platform),
                Asking(platform),
                AskingRefunds(platform),
                Numbering(platform.pool),
                Forgetting(platform),
                ForgettingListeners(platform),
                Reconciling(platform),
            )
        )
        self._lanes = [Lane(job, platform.clock, test_mode=mode) for job in chosen for mode in (False, True)]
        self._running: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Work until ``stop`` is called."""
        async with asyncio.TaskGroup() as group:
            self._running = [group.create_task(lane.run(), name=f"worker {lane.name}") for lane in self._lanes]

    async def stop(self) -> None:
        """Take nothing more, let what is under way finish for 8 s, and hand the rest back; after 10 s, drop it."""
        for lane in self._lanes:
            lane.stop()
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=STOP_SECONDS)
        for task in late:
            _log.warning("worker's lane cut off", lane=task.get_name())
            task.cancel()


class Pauses:
    """Accounts that a lane leaves alone for a while; each time in a row for twice as long, up to a limit."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    def holds(self, account_id: str) -> bool:
        """Tell whether an account is left alone now."""
        return time.monotonic() < self._until.get(account_id, 0.0)

    def begin(self, account_id: str) -> None:
        """Leave an account alone, unless that is so already: pieces that fail side by side count once."""
        if self.holds(account_id):
            return
        seconds = min(2 * self._seconds.get(account_id, POLL_SECONDS / 2), PAUSE_SECONDS_MAX)
        self._seconds[account_id], self._until[account_id] = seconds, time.monotonic() + seconds

    def end(self, account_id: str) -> None:
        """Take an account's work again: some of it went on."""
        self._seconds.pop(account_id, None)
        self._until.pop(account_id, None)


class Lane(Generic[C]):
    """One job in one mode: takes work while there is room, and waits a moment when there is none."""

    def __init__(self, job: Job[C], clock: Clock, *, test_mode: bool) -> None:
        self._job = job
        self._clock = clock
        self._test_mode = test_mode
        self._under_way: dict[asyncio.Task[None], C] = {}
        self._accounts: Counter[str] = Counter()
        self._pauses = Pauses()
        self._served = ""
        """The account whose turn was last: the next round starts behind it, so that each has one."""
        self._wake = asyncio.Event()
        self._finish_until: float | None = None
        self._agreed = True

    @property
    def name(self) -> str:
        """How logs call it."""
        return f"{self._job.name} ({'test' if self._test_mode else 'live'})"

    @property
    def _stopping(self) -> bool:
        return self._finish_until is not None

    def stop(self) -> None:
        """Take nothing more."""
        self._finish_until = time.monotonic() + FINISH_SECONDS
        self._wake.set()

    async def run(self) -> None:
        """Take work and start it, until ``stop``; then finish it or hand it back."""
        pause = POLL_SECONDS
        try:
            while not self._stopping:
                self._wake.clear()
                try:
                    taken = await self._take()
                    pause = POLL_SECONDS
                except DatabaseUnavailable as error:
                    if pause == POLL_SECONDS:
                        _log.warning("worker waits for the database", job=self.name, reason=str(error))
                    taken, pause = False, min(2 * pause, PAUSE_SECONDS_MAX)
                except Exception:  # noqa: BLE001 (a lane outlives whatever a round meets)
                    _log.exception("worker's round failed", job=self.name)
                    taken, pause = False, PAUSE_SECONDS_MAX
                if not taken:
                    await self._rest(pause)
            await self._finish()
        finally:
            for task in self._under_way:
                task.cancel()

    async def _take(self) -> bool:
        """Claim and start what is due and has room; return whether there was any."""
        if not self._knows_the_time():
            return False
        now, taken = self._clock.now(test_mode=self._test_mode), False
        accounts = sorted(await self._job.due_accounts(now, test_mode=self._test_mode))
        behind = bisect_right(accounts, self._served)
        for account_id in accounts[behind:] + accounts[:behind]:
            room = self._room(account_id)
            if room <= 0 or self._stopping or self._pauses.holds(account_id):
                continue
            self._served = account_id
            for claim in await self._claim(account_id, now, room):
                self._start(claim)
                taken = True
        return taken

    def _knows_the_time(self) -> bool:
        """Tell whether our clock may say what is due: one that is wrong would end invoices early, and others' leases.

        A difference is told once.
        """
        agrees = self._clock.agrees()
        if self._agreed and not agrees:
            _log.error("no work taken, the clock is wrong", job=self.name, seconds=self._clock.apart().total_seconds())
        self._agreed = agrees
        return agrees

    async def _claim(self, account_id: str, now: datetime, room: int) -> list[C]:
        try:
            return await self._job.claim(account_id, now, test_mode=self._test_mode, limit=room)
        except DatabaseUnavailable:
            raise
        except Exception:  # noqa: BLE001 (what one account has is no reason to leave the others)
            _log.exception("work not taken", job=self.name, account_id=account_id)
            self._pauses.begin(account_id)
            return []

    def _room(self, account_id: str) -> int:
        """Return how many claims of an account may be added; as the lane fills up, each account gets one place."""
        free = IN_FLIGHT_MAX - len(self._under_way)
        share = self._job.per_account if free > IN_FLIGHT_MAX // 2 else 1
        return min(share - self._accounts[account_id], free)

    def _start(self, claim: C) -> None:
        task = asyncio.create_task(self._run(claim))
        self._under_way[task] = claim
        self._accounts[claim.account_id] += 1
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        account_id = self._under_way.pop(task).account_id
        self._accounts[account_id] -= 1
        if not self._accounts[account_id]:
            del self._accounts[account_id]
        self._wake.set()

    async def _run(self, claim: C) -> None:
        went_on = False
        about = {name: getattr(claim, name, None) for name in ("account_id", "invoice_id")}
        traced = tracing.span(self._job.name, "consumer", parent=getattr(claim, "traceparent", None), **about)
        try:
            with traced:
                went_on = await self._job.run(claim) is not False
        except DatabaseUnavailable as error:
            _log.warning("work put off", job=self.name, account_id=claim.account_id, reason=str(error))
        except Exception:  # noqa: BLE001 (one piece of work never stops the others)
            _log.exception("work failed", job=self.name, account_id=claim.account_id)
        if went_on:
            self._pauses.end(claim.account_id)
        else:
            self._pauses.begin(claim.account_id)

    async def _rest(self, seconds: float) -> None:
        """Wait until something has finished, ``stop`` was called, or ``seconds`` are over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _finish(self) -> None:
        started = dict(self._under_way)
        if not started:
            return
        until = self._finish_until or 0.0
        _, late = await asyncio.wait(started, timeout=max(0.0, until - time.monotonic()))
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        undone = [started[task] for task in late if task.cancelled()]
        # By a wrong clock it would come due at a wrong time: then the lease is the better word.
        if not undone or not self._clock.agrees():
            return
        try:
            await self._job.hand_back(undone, self._clock.now(test_mode=self._test_mode))
        except DatabaseUnavailable as error:
            _log.warning("work not handed back", job=self.name, count=len(undone), reason=str(error))
