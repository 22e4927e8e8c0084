"""Polling a provider for what became of an attempt, and the worker's job for it: the only cure for an unknown outcome.

Nothing here asks for money. The worker polls when an attempt is due, and the card gate when the payer comes back from
3-D Secure; a notification only makes the attempt due. The worker's polls are throttled: a provider that comes back
after an outage is polled for all that happened in it, but not at once.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from kassa.db.pool import Row
from kassa.errors import NotFound, ProviderGarbled, ProviderSilent
from kassa.invoices.operations import dispute, pay
from kassa.invoices.rules.attempt import TAKEN, Payment
from kassa.invoices.rules.patience import ANSWER_SECONDS, believed
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import payments
from kassa.platform import Platform
from kassa.providers.protocol import Attempt, Outcome, Pending
from kassa.work.jobs import PAYMENTS

_log = structlog.get_logger(__name__)


async def poll(
    platform: Platform,
    payment: Payment,
    *,
    params: Mapping[str, str] | None = None,
    snapshot: Snapshot | None = None,
) -> Snapshot:
    """Poll the provider for an attempt and apply what it says; silence and garbage leave the attempt waiting.

    So does a provider that is not installed any more: once it is installed again, it is polled as before.

    ``params`` is what the payer's browser brought back from 3-D Secure. It wakes the poll, it never decides.
    ``snapshot``: the invoice, where it was read a moment ago. Returns the invoice as it then is.
    """
    asked_at = platform.clock.now(test_mode=payment.test_mode)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await _answer(platform, payment, params)
        outcome = believed(answer, payment.created_at, asked_at=asked_at)
    except (ProviderSilent, ProviderGarbled, NotFound, TimeoutError) as error:
        _log.info("provider did not answer", payment_id=payment.payment_id, error=type(error).__name__)
        outcome = Pending()
    if payment.status in TAKEN:
        return await dispute.apply(platform, payment, outcome)
    return await pay.apply_result(platform, payment, outcome, snapshot=snapshot)


async def _answer(platform: Platform, payment: Payment, params: Mapping[str, str] | None) -> Outcome:
    route = await platform.accounts.credentials(payment.account_id, payment.provider_account_id)
    provider = platform.providers.get(payment.provider)
    attempt = Attempt(payment_id=payment.payment_id, external_id=payment.external_id)
    if params is not None:
        return await provider.resume(route.credentials, attempt, params)
    return await provider.status(route.credentials, attempt)


class Polling:
    """The worker's job: attempts that are due."""

    queue: Final = PAYMENTS

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def read(self, row: Row) -> Payment:
        """Return an attempt that was taken."""
        return payments.from_row(row)

    async def run(self, claim: Payment) -> None:
        """Poll for one attempt, when it is its turn with its provider."""
        await self._platform.rate_limits.polls.wait(claim.provider)
        await poll(self._platform, claim)
