"""Sets the gauges when they are asked for, and the database's at most every few seconds however often that is."""

import time
from datetime import datetime
from typing import Final

from kassa.backlog import queries
from kassa.db.pool import Pool
from kassa.errors import DatabaseUnavailable
from kassa.observability import metrics
from kassa.platform import Platform

KEPT_SECONDS: Final = 5.0


class Measuring:
    """The gauges of one process. What the database says is the same in every process on it."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._measured = -KEPT_SECONDS

    async def measure(self) -> None:
        """Update all gauges; without a database, those that are read from it are left out."""
        metrics.clock_skew_seconds.set(self._platform.clock.apart().total_seconds())
        measure_pools(self._platform)
        if time.monotonic() - self._measured < KEPT_SECONDS:
            return
        self._measured = time.monotonic()
        try:
            for test_mode in (False, True):
                found = await queries.measured(self._platform.pool, test_mode=test_mode)
                self._set(found, test_mode=test_mode)
        except DatabaseUnavailable:
            for gauge in metrics.BACKLOG:
                gauge.clear()

    def _set(self, found: queries.Backlog, *, test_mode: bool) -> None:
        mode, now = metrics.mode(test_mode=test_mode), self._platform.clock.now(test_mode=test_mode)
        for gauge, number in (
            (metrics.callbacks_waiting, found.callbacks),
            (metrics.attempts_waiting, found.attempts),
            (metrics.refunds_waiting, found.refunds),
            (metrics.ledger_entries_waiting, found.entries),
            (metrics.unknown_outcomes, found.unknown),
            (metrics.held_for_review, found.held),
        ):
            gauge.labels(mode).set(number)
        for gauge, since in (
            (metrics.oldest_callback_age_seconds, found.oldest_callback),
            (metrics.oldest_attempt_age_seconds, found.oldest_attempt),
            (metrics.oldest_refund_age_seconds, found.oldest_refund),
            (metrics.oldest_ledger_entry_age_seconds, found.oldest_entry),
            (metrics.oldest_unknown_outcome_age_seconds, found.oldest_unknown),
        ):
            gauge.labels(mode).set(_age(since, now))


def measure_pools(platform: Platform) -> None:
    """Bring the gauges of this process's connections up to date."""
    _set_pool("app", platform.pool)
    _set_pool("view", platform.view)


def _age(since: datetime | None, now: datetime) -> float:
    return max((now - since).total_seconds(), 0.0) if since else 0.0


def _set_pool(name: str, pool: Pool) -> None:
    metrics.pool_connections.labels(name, "idle").set(pool.get_idle_size())
    metrics.pool_connections.labels(name, "used").set(pool.get_size() - pool.get_idle_size())
    metrics.pool_connections_max.labels(name).set(pool.get_max_size())
    metrics.pool_waiting.labels(name).set(pool.waiting)
