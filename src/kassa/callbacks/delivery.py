"""The worker's job that delivers callbacks: one signed POST a try, never longer than the mode allows."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Final

import structlog
from prometheus_client import Counter

from kassa import failpoints
from kassa.callbacks import model, operations, queries, signing
from kassa.callbacks.model import Answered, Claim, Failure, Unanswered
from kassa.errors import AddressRefused, AnswerTimedOut, ConnectionFailed, DatabaseUnavailable, TlsFailed
from kassa.failpoints import Point
from kassa.observability import registry
from kassa.platform import Platform

_KEEP_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)
_tries = Counter(
    "kassa_callback_tries", "Tries to deliver a callback, by what came of them.", ["outcome"], registry=registry
)


class Delivery:
    """The worker's job: callbacks that are due."""

    name: Final = "callbacks"
    lease_seconds: Final = 30
    """Shorter than a live try, whose lease is renewed while it lasts: so a dead worker's work is soon taken again."""
    per_account: Final = 4

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        """Return the accounts with a callback to deliver."""
        return await queries.due_accounts(self._platform.pool, test_mode=test_mode, now=now)

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[Claim]:
        """Take due callbacks of an account."""
        lease = timedelta(seconds=self.lease_seconds)
        return await operations.claim(
            self._platform.pool, account_id, test_mode=test_mode, now=now, lease=lease, limit=limit
        )

    async def hand_back(self, claims: list[Claim], now: datetime) -> None:
        """Give claims back undone."""
        await operations.hand_back(self._platform.pool, claims, now=now)

    async def run(self, claim: Claim) -> None:
        """Try once to deliver a callback, and write down what came of it."""
        account = await self._platform.accounts.by_id(claim.account_id)
        failpoints.reach(Point.CLAIMED)
        async with self._kept(claim):
            result = await self._try(claim)
        failpoints.reach(Point.SENT)
        now = self._platform.clock.now(test_mode=claim.test_mode)
        verdict = model.judge(result, tries=claim.tries, retries_max=account.callback_retries, now=now)
        await operations.record(self._platform.pool, claim, verdict, now=now)
        failpoints.reach(Point.MARKED)
        self._tell(claim, verdict)

    async def _try(self, claim: Claim) -> Answered | Unanswered:
        keys = await self._platform.accounts.private_keys(claim.account_id, test_mode=claim.test_mode)
        if not keys:
            return Unanswered(failure=Failure.NO_KEY)
        now = self._platform.clock.real()
        try:
            answer = await self._platform.outbound.request(
                "POST",
                claim.url,
                headers={
                    "Content-Type": "application/json",
                    **signing.headers(claim.callback_id, claim.body, keys=keys, now=now),
                },
                body=claim.body,
                timeout_seconds=model.try_seconds(test_mode=claim.test_mode),
                guarded=True,
                https_only=not claim.test_mode,
                body_needed=False,
            )
        except AnswerTimedOut:
            return Unanswered(failure=Failure.TIMEOUT)
        except TlsFailed:
            return Unanswered(failure=Failure.TLS)
        except ConnectionFailed:
            return Unanswered(failure=Failure.CONNECTION)
        except AddressRefused:
            return Unanswered(failure=Failure.ADDRESS_REFUSED)
        retry_after = model.retry_after(answer.headers.get("retry-after"), now=now)
        return Answered(response_code=answer.status, retry_after=retry_after)

    @contextlib.asynccontextmanager
    async def _kept(self, claim: Claim) -> AsyncIterator[None]:
        """Renew the claim's lease for as long as the context lasts."""
        keeping = asyncio.create_task(self._keep(claim))
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            now = self._platform.clock.now(test_mode=claim.test_mode)
            with contextlib.suppress(DatabaseUnavailable):  # then it is due again, and may be delivered twice
                until = now + timedelta(seconds=self.lease_seconds)
                await operations.keep(self._platform.pool, claim, until=until)

    def _tell(self, claim: Claim, verdict: model.Verdict) -> None:
        outcome = type(verdict).__name__.lower()
        _tries.labels(outcome).inc()
        if not isinstance(verdict, model.Delivered):
            given_up = isinstance(verdict, model.Failed)
            _log.log(
                logging.WARNING if given_up else logging.INFO,
                "callback given up" if given_up else "callback waits for a retry",
                account_id=claim.account_id,
                callback_id=claim.callback_id,
                invoice_id=claim.invoice_id,
                tries=claim.tries,
                failure=verdict.failure,
                response_code=verdict.response_code,
            )
