"""Asking a provider what became of an attempt, and its worker job: the only cure for an outcome that is not known.

Nothing here asks for money. The worker puts the question when an attempt is due, and the card gate when the payer comes
back from 3-D Secure; a notification only makes the attempt due. The worker's questions are paced: a provider that comes
back after an outage is asked about all that happened in it, but not at once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog

from kassa.errors import NotFound, ProviderGarbled, ProviderSilent
from kassa.invoices import operations
from kassa.invoices.returns import operations as returns
from kassa.payments import queries
from kassa.payments.model import TAKEN, Payment, PaymentStatus
from kassa.payments.patience import believed
from kassa.platform import Platform
from kassa.providers.protocol import Attempt, Outcome, Pending, Refund

_log = structlog.get_logger(__name__)


async def ask(platform: Platform, payment: Payment, *, params: Mapping[str, str] | None = None) -> None:
    """Ask the provider about an attempt and apply what it says; silence and garbage leave the attempt waiting.

    So does a provider that is not installed here any more: whoever installs it again gets the answer.

    ``params`` is what the payer's browser brought back from 3-D Secure. It wakes the question, it never decides.
    """
    asked_at = platform.clock.now(test_mode=payment.test_mode)
    try:
        outcome = believed(await _question(platform, payment, params), payment.created_at, asked_at=asked_at)
    except (ProviderSilent, ProviderGarbled, NotFound) as error:
        _log.info("provider did not tell", payment_id=payment.payment_id, detail=error.detail)
        outcome = Pending()
    if payment.status in TAKEN:
        await returns.charge_back(platform, payment, outcome)
    else:
        await operations.settle(platform, payment, outcome)


async def _question(platform: Platform, payment: Payment, params: Mapping[str, str] | None) -> Outcome:
    route = await platform.accounts.credentials(payment.account_id, payment.provider_account_id)
    provider = platform.providers.get(payment.provider)
    if payment.status is PaymentStatus.REFUND_PENDING:
        return await provider.refund(route.credentials, _refund(payment))
    attempt = Attempt(payment_id=payment.payment_id, external_id=payment.external_id)
    if params is not None:
        return await provider.resume(route.credentials, attempt, params)
    return await provider.status(route.credentials, attempt)


def _refund(payment: Payment) -> Refund:
    """Return the refund of a whole attempt."""
    return Refund(
        refund_id=payment.return_id,
        payment_id=payment.payment_id,
        external_id=payment.external_id,
        amount=payment.amount if payment.processed_amount is None else payment.returnable,
        currency=payment.processed_currency or payment.currency,
    )


class Asking:
    """The worker's job: questions about attempts that are due."""

    name: Final = "asking"
    lease_seconds: Final = 60
    per_account: Final = 8

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        """Return the accounts with an attempt to ask about."""
        return await queries.due_accounts(self._platform.pool, test_mode=test_mode, now=now)

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[Payment]:
        """Take due attempts of an account."""
        until = now + timedelta(seconds=self.lease_seconds)
        return await queries.claim(
            self._platform.pool, account_id=account_id, test_mode=test_mode, now=now, until=until, limit=limit
        )

    async def run(self, claim: Payment) -> None:
        """Ask about one attempt, when it is its turn with its provider."""
        await self._platform.paces.questions.wait(claim.provider)
        await ask(self._platform, claim)

    async def hand_back(self, claims: list[Payment], now: datetime) -> None:
        """Give claims back undone."""
        for payment in claims:
            await queries.hand_back(self._platform.pool, payment, account_id=payment.account_id, now=now)
