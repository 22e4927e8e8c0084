"""Whether a payer, or a card, has been declined too often to be charged now (card testing)."""

import structlog

from kassa.errors import TooMany
from kassa.invoices.rules import declines
from kassa.invoices.rules.attempt import CardFacts
from kassa.invoices.rules.declines import Limits
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.tables import payments as queries
from kassa.observability.metrics import refused_total
from kassa.platform import Platform

_log = structlog.get_logger(__name__)


async def admit(platform: Platform, invoice: Invoice, card: CardFacts, *, payer_network: str | None) -> bool:
    """Admit a card, and return whether the account is under attack: then the payer is shown no reasons.

    Raises ``TooMany`` where the payer has to wait; nothing is written. It takes one query, or none where there are no
    limits.
    """
    if payer_network is not None:
        platform.rate_limits.attempts.take(payer_network)
    settings = platform.settings
    limits = Limits(
        of_payer=settings.limit("declines_by_address"),
        of_card=settings.limit("declines_by_card"),
        of_account=settings.limit("declines_by_account"),
    )
    if not limits.some:
        return False
    now = platform.clock.now(test_mode=invoice.test_mode)
    found = await queries.declines(
        platform.pool,
        account_id=invoice.account_id,
        test_mode=invoice.test_mode,
        since=now - declines.WINDOW,
        payer_network=payer_network,
        fingerprint=card.fingerprint,
        limits=limits,
    )
    attacked = found.attack(limits)
    if attacked:
        _log.warning("an account is under attack by card testing", account_id=invoice.account_id)
    until = found.wait_until(limits)
    if until is not None:
        refused_total.labels("declines").inc()
        raise TooMany((until - now).total_seconds())
    return attacked
