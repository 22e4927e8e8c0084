"""Closing an attempt that waits for its payer, because they want to use another card, or not to pay at all (P1).

Only the provider can say that an attempt is closed. Until it has, the attempt is the invoice's live one and there is no
other: an answer that is lost or makes no sense leaves it waiting, and the worker polls it like any other.
"""

import asyncio

import structlog

from kassa.errors import NotFound, ProviderGarbled, ProviderSilent
from kassa.invoices.operations import pay
from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.invoices.rules.patience import ANSWER_SECONDS, believed
from kassa.invoices.rules.snapshot import Snapshot
from kassa.platform import Platform
from kassa.providers.protocol import Attempt, Cancels, Outcome, Pending

_log = structlog.get_logger(__name__)

_ON_A_PAGE = frozenset({PaymentStatus.INVOKED, PaymentStatus.PROCESS_PENDING})


def cancellable(platform: Platform, payment: Payment | None) -> bool:
    """Return whether an attempt waits for its payer on a page, at a provider that can close it."""
    if payment is None or payment.status not in _ON_A_PAGE or payment.action is None:
        return False
    try:
        return isinstance(platform.providers.get(payment.provider), Cancels)
    except NotFound:
        return False


async def cancel(platform: Platform, payment: Payment) -> Snapshot:
    """Close a cancellable attempt at its provider, and return the invoice as it then is.

    The payer may have decided a moment before: then the attempt ends as they decided. The provider keeps the order of
    the two, and its answer is applied as any other.
    """
    asked_at = platform.clock.now(test_mode=payment.test_mode)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            outcome = await _ask(platform, payment)
    except (TimeoutError, ProviderSilent, ProviderGarbled, NotFound) as error:
        _log.info("cancellation not answered", payment_id=payment.payment_id, error=type(error).__name__)
        outcome = Pending()
    return await pay.apply_result(platform, payment, believed(outcome, payment.created_at, asked_at=asked_at))


async def _ask(platform: Platform, payment: Payment) -> Outcome:
    route = await platform.accounts.credentials(payment.account_id, payment.provider_account_id)
    provider = platform.providers.get(payment.provider)
    if not isinstance(provider, Cancels):
        raise NotFound
    attempt = Attempt(payment_id=payment.payment_id, external_id=payment.external_id)
    return await provider.cancel(route.credentials, attempt)
