"""The worker's job that delivers callbacks: one signed POST a try, never longer than the mode allows."""

import time
from collections.abc import Mapping
from typing import Final

from kassa.callbacks import model, operations, signing
from kassa.callbacks.answers import readable
from kassa.callbacks.model import Answered, Claim, Result, Unanswered
from kassa.db.pool import Row
from kassa.errors import AddressRefused, Cause, RequestFailed
from kassa.observability import events, tracing
from kassa.observability.metrics import callback_request_seconds, callback_requests_total
from kassa.outbound import Answer
from kassa.platform import Platform
from kassa.work.jobs import CALLBACKS

_OUTCOMES: Final = {model.Delivered: "delivered", model.Retry: "failed", model.Failed: "given_up"}
"""What came of a try, in events and metrics."""


class Delivery:
    """The worker's job: callbacks that are due."""

    queue: Final = CALLBACKS

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def read(self, row: Row) -> Claim:
        """Return a callback that was taken."""
        return Claim(**{name: row[name] for name in Claim.__struct_fields__})

    async def run(self, claim: Claim) -> None:
        """Try once to deliver a callback, and write down what came of it."""
        account = await self._platform.accounts.by_id(claim.account_id)
        result = await self._try(claim)
        now = self._platform.clock.now(test_mode=claim.test_mode)
        verdict = model.judge(result, tries=claim.tries, retries_max=account.callback_retries, now=now)
        recorded = await operations.record(self._platform.pool, claim, verdict, result, now=now)
        if recorded:
            _note(claim, verdict, result)

    async def _try(self, claim: Claim) -> Result:
        keys = await self._platform.accounts.private_keys(claim.account_id, test_mode=claim.test_mode)
        if not keys:
            return Unanswered(cause=Cause.NO_KEY)
        now, begun = self._platform.clock.real(), time.monotonic()
        try:
            answer = await self._post(claim, signing.headers(claim.callback_id, claim.body, keys=keys, now=now))
        except RequestFailed as error:
            return Unanswered(cause=error.cause, milliseconds=_milliseconds_since(begun))
        except AddressRefused:
            return Unanswered(cause=Cause.BLOCKED_ADDRESS, milliseconds=_milliseconds_since(begun))
        return Answered(
            response_code=answer.status,
            retry_after=model.retry_after(answer.headers.get("retry-after"), now=now),
            answer=readable(answer.body),
            milliseconds=_milliseconds_since(begun),
        )

    async def _post(self, claim: Claim, signatures: Mapping[str, str]) -> Answer:
        with tracing.span("POST callback", "client", callback_id=claim.callback_id, tries=claim.tries):
            return await self._platform.outbound.request(
                "POST",
                claim.url,
                headers={"Content-Type": "application/json", **signatures, **tracing.headers()},
                body=claim.body,
                timeout_seconds=model.try_seconds(test_mode=claim.test_mode),
                guarded=True,
                https_only=not claim.test_mode,
                body_needed=False,
                # A receiver of two copies knows them by their id.
                repeatable=True,
            )


def _note(claim: Claim, verdict: model.Verdict, result: Result) -> None:
    """Leave a line about a try and count it."""
    events.record(
        f"callback.{_OUTCOMES[type(verdict)]}",
        account_id=claim.account_id,
        invoice_id=claim.invoice_id,
        warning=isinstance(verdict, model.Failed),
        count=lambda: _count(_OUTCOMES[type(verdict)], result),
        callback_id=claim.callback_id,
        tries=claim.tries,
        response_code=verdict.response_code,
        cause=result.cause,
        ms=result.milliseconds,
    )


def _count(outcome: str, result: Result) -> None:
    callback_requests_total.labels(outcome, result.cause or "none").inc()
    callback_request_seconds.labels(outcome).observe(result.milliseconds / 1000)


def _milliseconds_since(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
