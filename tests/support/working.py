"""Does the worker's jobs: one claim of a job by hand, or a worker that runs for a while."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from kassa.db.pool import Pool
from kassa.platform import Platform
from kassa.work.claims import Claims
from kassa.work.queue import Lease, Queue
from kassa.work.runner import PAUSE_SECONDS, PAUSE_SECONDS_MAX, Claim, Job
from kassa.work.worker import Worker

C = TypeVar("C", bound=Claim)


def claims(pool: Pool, job: Job[Any], *, test_mode: bool = True) -> Claims:
    """Return the claims of a job's queue."""
    return Claims(pool, job.queue, test_mode=test_mode)


async def taken(
    pool: Pool, job: Job[C], account_id: str, now: datetime, *, test_mode: bool = True, limit: int = 10
) -> list[C]:
    """Take an account's work that is due at a moment."""
    leases = await leased(pool, job, account_id, now, test_mode=test_mode, limit=limit)
    return [job.read(lease.row) for lease in leases]


async def leased(
    pool: Pool, job: Job[Any], account_id: str, now: datetime, *, test_mode: bool = True, limit: int = 10
) -> list[Lease]:
    """Take the same as leases, to renew or to release them."""
    return await claims(pool, job, test_mode=test_mode).claim(account_id, now, limit=limit)


async def due(pool: Pool, job: Job[Any], now: datetime, *, test_mode: bool = True) -> list[str]:
    """Return the accounts with work that is due at a moment."""
    return await claims(pool, job, test_mode=test_mode).accounts(now)


@asynccontextmanager
async def working(platform: Platform, *jobs: Job[Any]) -> AsyncIterator[Worker]:
    """Run a worker that does these jobs."""
    async with started(Worker(platform.pool, platform.clock, jobs)) as worker:
        yield worker


@asynccontextmanager
async def started(*workers: Worker) -> AsyncIterator[Worker]:
    """Run workers side by side, and stop them; give the first."""
    running = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield workers[0]
    finally:
        await asyncio.gather(*(worker.stop() for worker in workers))
        await asyncio.gather(*running)


def workers(platform: Platform, jobs: Sequence[Job[Any]], count: int) -> list[Worker]:
    """Make several workers that do the same jobs."""
    return [Worker(platform.pool, platform.clock, jobs) for _ in range(count)]


def lease(queue: Queue) -> timedelta:
    """Return how long work of a queue is taken for."""
    found = queue.lease
    assert isinstance(found, timedelta)
    return found


def tries_max(seconds: float) -> int:
    """Return how often an account whose work goes wrong is tried in a time: each pause is twice as long as the last."""
    tries, pause = 1, PAUSE_SECONDS
    while seconds >= 0:
        tries, seconds, pause = tries + 1, seconds - pause, min(2 * pause, PAUSE_SECONDS_MAX)
    return tries
