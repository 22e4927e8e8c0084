"""The worker's job that compares each provider account's books once a night, on the clock of its mode."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Final

import structlog

from kassa.errors import NotFound, ProviderGarbled, ProviderSilent
from kassa.observability import metrics
from kassa.platform import Platform
from kassa.reconciliation.comparing import Result, compared
from kassa.reconciliation.model import FIRST, MARGIN, OVERLAP, RETRY, next_night
from kassa.reconciliation.turns import queries
from kassa.reconciliation.turns.queries import Turn

MEASURE_SECONDS: Final = 10.0
"""How often the numbers of the metrics are counted anew."""
SIDE_BY_SIDE: Final = 4
"""Comparisons under way at a time: nights are long, and payments do not wait for them."""

_log = structlog.get_logger(__name__)


class Reconciling:
    """The worker's job: provider accounts whose turn it is."""

    name: Final = "reconciling"
    lease_seconds: Final = 3600
    per_account: Final = 1

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._room = asyncio.Semaphore(SIDE_BY_SIDE)
        self._measured: dict[bool, float] = {}

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        """Return the accounts with a provider account to compare."""
        await self._measure(test_mode=test_mode)
        return await queries.due_accounts(self._platform.pool, test_mode=test_mode, now=now)

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[Turn]:
        """Take provider accounts of an account."""
        until = now + timedelta(seconds=self.lease_seconds)
        return await queries.claim(
            self._platform.pool, account_id=account_id, test_mode=test_mode, now=now, until=until, limit=limit
        )

    async def run(self, claim: Turn) -> None:
        """Compare one provider account's books. A new one only gets its night, for there is nothing to compare yet."""
        now = self._platform.clock.now(test_mode=claim.test_mode)
        if claim.since is None:
            await self._schedule(claim, now)
            return
        since = min(claim.since, now) - OVERLAP
        try:
            async with self._room:
                result = await compared(self._platform, claim.account_id, claim.provider_account_id, since=since)
        except (ProviderSilent, ProviderGarbled, NotFound) as error:
            _log.error(
                "the provider's statement cannot be read",
                account_id=claim.account_id,
                provider_account_id=claim.provider_account_id,
                detail=error.detail,
            )
            await queries.put_off(
                self._platform.pool,
                claim,
                account_id=claim.account_id,
                due_at=now + RETRY,
                problem=error.detail,
            )
            return
        await (self._schedule(claim, now) if result is None else self._finish(claim, result, now))

    async def hand_back(self, claims: list[Turn], now: datetime) -> None:
        """Give turns back undone."""
        for claim in claims:
            await queries.hand_back(self._platform.pool, claim, account_id=claim.account_id, now=now)

    async def _schedule(self, claim: Turn, now: datetime) -> None:
        await queries.schedule(
            self._platform.pool,
            claim,
            account_id=claim.account_id,
            due_at=next_night(claim.provider_account_id, now),
            since=now - FIRST + OVERLAP,
        )

    async def _finish(self, claim: Turn, result: Result, now: datetime) -> None:
        due_at = now + RETRY if result.asked else next_night(claim.provider_account_id, now)
        await queries.finish(
            self._platform.pool, claim, account_id=claim.account_id, due_at=due_at, since=now - MARGIN, now=now
        )
        _log.info(
            "books compared",
            account_id=claim.account_id,
            provider_account_id=claim.provider_account_id,
            lines=result.lines,
            entries=result.entries,
            differences=result.kinds,
            open=result.open,
        )

    async def _measure(self, *, test_mode: bool) -> None:
        asked = time.monotonic()
        if asked - self._measured.get(test_mode, -MEASURE_SECONDS) < MEASURE_SECONDS:
            return
        self._measured[test_mode] = asked
        found, mode = (
            await queries.measured(self._platform.pool, test_mode=test_mode),
            metrics.mode(test_mode=test_mode),
        )
        metrics.reconciliation_cases_open.labels(mode).set(found.open_cases)
        metrics.reconciliation_problems.labels(mode).set(found.problems)
        if found.reconciled_at is not None:
            metrics.reconciliation_last_run.labels(mode).set(found.reconciled_at.timestamp())
