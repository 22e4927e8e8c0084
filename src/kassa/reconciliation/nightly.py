"""The worker's job that compares each provider account's books once a night, on the clock of its mode."""

import asyncio
from datetime import datetime
from typing import Final

import structlog

from kassa.db.pool import Row
from kassa.errors import NotFound, ProviderGarbled, ProviderSilent
from kassa.platform import Platform
from kassa.reconciliation.comparing import Result, compared
from kassa.reconciliation.model import FIRST, MARGIN, OVERLAP, RETRY, next_night
from kassa.reconciliation.turns import queries
from kassa.reconciliation.turns.queries import Turn
from kassa.work.jobs import RECONCILIATION

SIDE_BY_SIDE: Final = 4
"""Comparisons under way at a time: nights are long, and payments do not wait for them."""

_log = structlog.get_logger(__name__)


class Reconciling:
    """The worker's job: provider accounts whose turn it is."""

    queue: Final = RECONCILIATION

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._room = asyncio.Semaphore(SIDE_BY_SIDE)

    def read(self, row: Row) -> Turn:
        """Return a provider account that was taken."""
        return Turn(
            account_id=row["account_id"],
            provider_account_id=row["provider_account_id"],
            test_mode=row["test_mode"],
            since=row["reconcile_from"],
            leased_until=row["reconcile_at"],
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
