"""What happens when an invoice is disputed: what a provider says of an attempt that has taken money is applied."""

from typing import Final

import structlog

from kassa import ids
from kassa.accounts.model import Account
from kassa.db.pool import unit_of_work
from kassa.errors import KassaError
from kassa.invoices.operations import changing
from kassa.invoices.rules import attempt, conversion, dispute, settling
from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.invoices.tables import payments
from kassa.platform import Platform
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending

_log = structlog.get_logger(__name__)

CHANGES_MAX: Final = 1000
"""More changes than a payment's disputes can make in one answer."""


async def apply(platform: Platform, payment: Payment, outcome: Outcome) -> Snapshot:
    """Apply what a provider answered about an attempt that has taken money: its disputes, each by itself.

    Returns the invoice as it then is.
    """
    account = await platform.accounts.by_id(payment.account_id)
    snapshot = await changing.read(platform.pool, account, payment.invoice_id, payment_id=payment.payment_id)
    if isinstance(outcome, Accepted):
        snapshot = await _disputes(platform, account, snapshot, payment, outcome)
    elif isinstance(outcome, Declined | Absent):
        snapshot = await _contradicted(platform, account, snapshot, payment, outcome)
    await _reschedule(platform, snapshot, payment, outcome)
    return snapshot


async def _disputes(
    platform: Platform, account: Account, snapshot: Snapshot, payment: Payment, outcome: Accepted
) -> Snapshot:
    service = await platform.accounts.service(account.account_id, snapshot.invoice.service)
    fee = conversion.worth(snapshot.invoice, service.charge_back_fee_fix) if service else 0
    for _ in range(CHANGES_MAX):
        new_id = ids.new_id("dis", account.tag)

        def decide(current: Snapshot, new_id: str = new_id) -> Change | None:
            now = platform.clock.now(test_mode=payment.test_mode)
            known = current.attempt(payment.payment_id)
            if known is None:
                return None
            return dispute.apply(current, known, outcome, fee=fee, new_id=new_id, now=now)

        after = await changing.change_from(platform, account, snapshot, decide, payment_id=payment.payment_id)
        if after is snapshot or after.invoice.version == snapshot.invoice.version:
            return after
        if any(each.dispute_id == new_id and each.unexpected for each in after.disputes):
            _log.error("money that is not the merchant's was disputed", payment_id=payment.payment_id)
        snapshot = after
    raise KassaError("The provider's disputes never end.")


async def _contradicted(
    platform: Platform, account: Account, snapshot: Snapshot, payment: Payment, outcome: Outcome
) -> Snapshot:
    """Flag an invoice whose provider takes back what it said: a person has to find out whether the money is there."""
    if snapshot.invoice.moderation_required:
        return snapshot
    _log.error("the provider says now that it has not taken this money", payment_id=payment.payment_id)

    def decide(current: Snapshot) -> Change | None:
        known = current.attempt(payment.payment_id)
        if known is None or known.status is not PaymentStatus.PROCESSED or current.invoice.moderation_required:
            return None
        return settling.contradicted(current, known, outcome, now=platform.clock.now(test_mode=payment.test_mode))

    return await changing.change_from(platform, account, snapshot, decide, payment_id=payment.payment_id)


@unit_of_work
async def _reschedule(platform: Platform, snapshot: Snapshot, payment: Payment, outcome: Outcome) -> None:
    """Poll once more where the provider gave no answer; else only where something has woken the attempt meanwhile."""
    current = snapshot.attempt(payment.payment_id)
    if current is None:
        return
    now = platform.clock.now(test_mode=payment.test_mode)
    if isinstance(outcome, Pending):
        due_at = attempt.wait(current, external_id=None, now=now).due_at
    else:
        due_at = attempt.woken(current, now) if current.due_at != payment.due_at else None
    if due_at != current.due_at:
        await payments.reschedule(platform.pool, current, account_id=current.account_id, due_at=due_at)
