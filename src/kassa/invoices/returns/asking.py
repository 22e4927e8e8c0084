"""Asking a provider to send money back, once; and asking what became of it, as often as it takes: a worker job."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import structlog

from kassa import failpoints
from kassa.errors import NotFound, ProviderGarbled, ProviderSilent
from kassa.failpoints import Point
from kassa.invoices.queries import View
from kassa.invoices.returns import operations
from kassa.payments import queries as payment_queries
from kassa.payments.model import Payment
from kassa.payments.patience import ANSWER_SECONDS, believed, in_time
from kassa.platform import Platform
from kassa.providers import protocol
from kassa.providers.protocol import Credentials, Outcome, Pending, Provider
from kassa.refunds import queries
from kassa.refunds.model import Refund

_log = structlog.get_logger(__name__)

_Verb: TypeAlias = Callable[[Provider, Credentials, protocol.Refund], Awaitable[Outcome]]


async def send(platform: Platform, refund: Refund) -> View:
    """Ask for the money of a refund that has just begun, and return the invoice as it then stands.

    A provider that gives no good answer leaves the refund pending, for ``ask``: it is never asked for the money again.
    """
    failpoints.reach(Point.REFUND_BEGUN)
    if not in_time(refund.created_at, now=platform.clock.now(test_mode=refund.test_mode)):
        return await operations.settle(platform, refund, Pending())
    payment = await _payment(platform, refund)
    return await _settled(platform, refund, payment, lambda provider, *about: provider.refund(*about))


async def ask(platform: Platform, refund: Refund) -> None:
    """Ask what became of a refund, when it is its turn; silence and garbage leave it waiting."""
    payment = await _payment(platform, refund)
    await platform.paces.questions.wait(payment.provider)
    await _settled(platform, refund, payment, lambda provider, *about: provider.status(*about))


async def _payment(platform: Platform, refund: Refund) -> Payment:
    payment = await payment_queries.by_id(platform.pool, refund.payment_id, account_id=refund.account_id)
    if payment is None:
        raise NotFound
    return payment


async def _settled(platform: Platform, refund: Refund, payment: Payment, verb: _Verb) -> View:
    asked_at = platform.clock.now(test_mode=refund.test_mode)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await _answer(platform, refund, payment, verb)
        outcome = believed(answer, refund.created_at, asked_at=asked_at)
    except (ProviderSilent, ProviderGarbled, NotFound, TimeoutError) as error:
        _log.info("provider did not tell of a refund", refund_id=refund.refund_id, detail=str(error))
        outcome = Pending()
    failpoints.reach(Point.REFUND_ANSWERED)
    return await operations.settle(platform, refund, outcome)


async def _answer(platform: Platform, refund: Refund, payment: Payment, verb: _Verb) -> Outcome:
    route = await platform.accounts.credentials(payment.account_id, payment.provider_account_id)
    asked = protocol.Refund(
        refund_id=refund.refund_id,
        payment_id=payment.payment_id,
        external_id=payment.external_id,
        amount=refund.provider_amount,
        currency=refund.provider_currency,
    )
    return await verb(platform.providers.get(payment.provider), route.credentials, asked)


class AskingRefunds:
    """The worker's job: questions about refunds that are due."""

    name: Final = "asking about refunds"
    lease_seconds: Final = 60
    per_account: Final = 8

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        """Return the accounts with a refund to ask about."""
        return await queries.due_accounts(self._platform.pool, test_mode=test_mode, now=now)

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[Refund]:
        """Take due refunds of an account."""
        until = now + timedelta(seconds=self.lease_seconds)
        return await queries.claim(
            self._platform.pool, account_id=account_id, test_mode=test_mode, now=now, until=until, limit=limit
        )

    async def run(self, claim: Refund) -> None:
        """Ask about one refund."""
        await ask(self._platform, claim)

    async def hand_back(self, claims: list[Refund], now: datetime) -> None:
        """Give claims back undone."""
        for refund in claims:
            await queries.hand_back(self._platform.pool, refund, account_id=refund.account_id, now=now)
