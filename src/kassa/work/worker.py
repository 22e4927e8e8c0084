"""The worker: polls for work that is due, takes it account by account, and lets no account's trouble become another's.

It knows no room: ``app.jobs`` composes what it is given. One statement, more than four times a second, says whether
anything is due in any queue; only a queue that has work says statements of its own.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import structlog

from kassa.clock import Clock
from kassa.db.pool import Pool
from kassa.db.queries import Observed
from kassa.errors import DatabaseUnavailable
from kassa.work import claims
from kassa.work.runner import PAUSE_SECONDS_MAX, Job, Runner

POLL_SECONDS: Final = 0.22
"""From one poll's beginning to the next: less than five a second, and what falls due is begun within 0.3 s."""
STOP_SECONDS: Final = 10.0
"""How long ``stop`` takes at most. What a database that does not answer has not heard of comes due with its lease."""

Observe = Callable[[Observed], Awaitable[None]]

_log = structlog.get_logger(__name__)


class Worker:
    """All jobs of this process, each once for live mode's clock and once for test mode's."""

    def __init__(self, pool: Pool, clock: Clock, jobs: Sequence[Job[Any]], *, observe: Observe | None = None) -> None:
        """Do these jobs; ``observe`` is handed what each poll found to have changed beside us."""
        self._pool = pool
        self._clock = clock
        self._observe = observe
        self._agreed = True
        self._runners = [
            Runner(pool, job, clock, test_mode=test_mode)
            for job in jobs
            for test_mode in ((False, True) if job.queue.of_mode else (False,))
        ]
        self._running: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until ``stop`` is called."""
        async with asyncio.TaskGroup() as group:
            self._running = [group.create_task(each.run(), name=f"worker {each.name}") for each in self._runners]
            polling = group.create_task(self._poll(), name="worker's polling")
            await asyncio.wait(self._running)
            polling.cancel()

    async def stop(self) -> None:
        """Take nothing more, let what is under way finish for 8 s, and release the rest; after 10 s, drop it."""
        self._stopping.set()
        for runner in self._runners:
            runner.stop()
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=STOP_SECONDS)
        for task in late:
            _log.warning("work cut off", job=task.get_name())
            task.cancel()

    async def _poll(self) -> None:
        """Poll until ``stop``, ever more seldom without a database."""
        pause = POLL_SECONDS
        while not self._stopping.is_set():
            until = time.monotonic() + POLL_SECONDS
            try:
                await self._look()
                pause = POLL_SECONDS
            except DatabaseUnavailable as error:
                if pause == POLL_SECONDS:
                    _log.warning("worker waits for the database", reason=str(error))
                pause = min(2 * pause, PAUSE_SECONDS_MAX)
                until = time.monotonic() + pause
            except Exception:  # noqa: BLE001 (the worker outlives whatever a poll meets)
                _log.exception("poll failed")
                pause = PAUSE_SECONDS_MAX
                until = time.monotonic() + pause
                # One table that cannot be read must not keep the others' work waiting: each looks at its own.
                self._wake(self._runners)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await self._stopping.wait()

    async def _look(self) -> None:
        """Say one statement, and wake those whose work is due."""
        begun = time.monotonic()
        asked = [runner for runner in self._runners if runner.next_poll <= begun]
        live, test = (self._clock.now(test_mode=test_mode) for test_mode in (False, True))
        reading = self._clock.reading()
        polled = await claims.poll(self._pool, [runner.claims for runner in asked], live=live, test=test)
        self._clock.compare(polled.observed.database_now, reading)
        if self._observe is not None:
            await self._observe(polled.observed)
        for runner, due in zip(asked, polled.due, strict=True):
            runner.next_poll = 0.0 if due else begun + runner.queue.poll_seconds
        self._wake([runner for runner, due in zip(asked, polled.due, strict=True) if due])

    def _wake(self, runners: Sequence[Runner[Any]]) -> None:
        if not self._knows_the_time():
            return
        for runner in runners:
            runner.look()

    def _knows_the_time(self) -> bool:
        """Return whether our clock may say what is due: one that is wrong would end invoices early, and others' leases.

        A difference is logged once.
        """
        agrees = self._clock.agrees()
        if self._agreed and not agrees:
            _log.error("no work taken, the clock is wrong", seconds=self._clock.apart().total_seconds())
        self._agreed = agrees
        return agrees
