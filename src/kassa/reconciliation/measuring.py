"""Sets the gauges of reconciliation when they are asked for, and at most every few seconds however often that is."""

import time
from typing import Final

from kassa.db.pool import Pool
from kassa.errors import DatabaseUnavailable
from kassa.observability import metrics
from kassa.reconciliation.turns import queries

KEPT_SECONDS: Final = 5.0


class Measuring:
    """The gauges of one process. What the database says is the same in every process on it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._measured = -KEPT_SECONDS

    async def measure(self) -> None:
        """Bring the gauges up to date; without a database they stay as they are."""
        if time.monotonic() - self._measured < KEPT_SECONDS:
            return
        self._measured = time.monotonic()
        try:
            for test_mode in (False, True):
                _set(await queries.measured(self._pool, test_mode=test_mode), test_mode=test_mode)
        except DatabaseUnavailable:
            return


def _set(found: queries.Measured, *, test_mode: bool) -> None:
    mode = metrics.mode(test_mode=test_mode)
    metrics.reconciliation_discrepancies_open.labels(mode).set(found.open_discrepancies)
    metrics.reconciliation_problems.labels(mode).set(found.problems)
    if found.reconciled_at is not None:
        metrics.reconciliation_last_run.labels(mode).set(found.reconciled_at.timestamp())
