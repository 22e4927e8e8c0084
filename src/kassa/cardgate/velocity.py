"""Before a card is tried: whether its payer, or the card itself, has been declined too often (card testing)."""

import structlog

from kassa.errors import TooMany
from kassa.invoices.model import Invoice
from kassa.observability.metrics import refused_total
from kassa.payments import declines, queries
from kassa.payments.declines import Limits
from kassa.payments.model import CardFacts
from kassa.platform import Platform

_log = structlog.get_logger(__name__)


async def admit(platform: Platform, invoice: Invoice, card: CardFacts, *, payer_network: str | None) -> bool:
    """Let a card be tried, and return whether the account is under attack: then its payer is told no reasons.

    Raises ``TooMany`` for who has to wait; nothing is written. The database is asked once, and not at all where there
    are no limits.
    """
    if payer_network is not None:
        platform.paces.attempts.take(payer_network)
    limits = Limits.from_settings(platform.settings)
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
