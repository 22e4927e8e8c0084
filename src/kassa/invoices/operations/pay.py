"""What happens when an invoice is paid: an attempt begins, a provider's answer is applied to it.

A provider is only ever asked between two changes: ``begin`` writes what it will be asked for, ``apply_result`` what it
answered. The rules are in ``rules.settling`` and ``rules.attempt``.
"""

import structlog
from msgspec.structs import replace

from kassa import ids
from kassa.accounts.model import Account, Route
from kassa.db.pool import unit_of_work
from kassa.errors import InvoiceNotPayable
from kassa.invoices.operations import changing, screening
from kassa.invoices.operations.changing import Decide
from kassa.invoices.rules import attempt, settling
from kassa.invoices.rules.attempt import FAILED, CardFacts, Payment, PaymentStatus
from kassa.invoices.rules.invoice import begin_attempt
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.invoices.tables import payments
from kassa.moderation.model import Hold
from kassa.platform import Platform
from kassa.providers.protocol import Outcome

_log = structlog.get_logger(__name__)


async def begin(
    platform: Platform,
    snapshot: Snapshot,
    *,
    attempt_number: int,
    card: CardFacts | None,
    client_ip: str,
    route: Route,
    payer_network: str | None = None,
    reason_hidden: bool = False,
) -> tuple[Snapshot, Payment]:
    """Write down that the provider is about to be asked for the money; return the invoice and the attempt.

    Raises ``InvoiceNotPayable`` when the invoice takes no attempt of this number any more: then no one may ask. Of any
    number of callers with the same number exactly one returns (P1).
    """
    account = await platform.accounts.by_id(snapshot.invoice.account_id)
    payment_id = ids.new_id("pay", account.tag)

    def decide(current: Snapshot) -> Change:
        now = platform.clock.now(test_mode=current.invoice.test_mode)
        begun = begin_attempt(current.invoice, attempt_number=attempt_number, payment_id=payment_id, now=now)
        payment = attempt.begin(
            begun, route, status=PaymentStatus.PROCESS_PENDING, card=card, client_ip=client_ip, now=now
        )
        payment = replace(payment, payer_network=payer_network, reason_hidden=reason_hidden)
        return settling.begin(current, begun, payment, now=now)

    after = await changing.change_from(platform, account, snapshot, decide)
    payment = after.attempt(payment_id)
    if payment is None:
        raise InvoiceNotPayable
    return after, payment


async def apply_result(
    platform: Platform, payment: Payment, outcome: Outcome, *, snapshot: Snapshot | None = None
) -> Snapshot:
    """Apply what a provider answered about an attempt, and return the invoice as it then is.

    Answers may come many times, in any order, to any number of callers: an attempt that has ended stays as it is, but
    for one that was given up and turns out to have taken money. That money is booked, or goes back if the invoice has
    been paid by another attempt (P1, P2). ``snapshot``: the invoice, where it was read a moment ago.
    """
    account = await platform.accounts.by_id(payment.account_id)
    payment_id, invoice_id = payment.payment_id, payment.invoice_id
    if snapshot is None or snapshot.attempt(payment_id) is None:
        snapshot = await changing.read(platform.pool, account, invoice_id, payment_id=payment_id)
    rules = await platform.accounts.moderation_rules(payment.account_id)
    success = (
        screening.success(snapshot, _answered(platform, account, snapshot, payment_id, outcome)) if rules else None
    )
    if success is not None and rules:
        return await screening.apply(
            platform, account, success, rules, lambda hold: _decision(platform, account, payment_id, outcome, hold=hold)
        )
    decide = _decision(platform, account, payment_id, outcome, hold=None)
    after = await changing.change_from(platform, account, snapshot, decide, payment_id=payment_id)
    if after is snapshot:
        await _reschedule(platform, account, snapshot, payment_id, outcome)
    return after


def _answered(
    platform: Platform, account: Account, snapshot: Snapshot, payment_id: str, outcome: Outcome
) -> Payment | None:
    current = snapshot.attempt(payment_id)
    if current is None:
        return None
    now = platform.clock.now(test_mode=current.test_mode)
    return settling.answered(snapshot, current, outcome, late_success=account.late_success, now=now)


def _decision(platform: Platform, account: Account, payment_id: str, outcome: Outcome, *, hold: Hold | None) -> Decide:
    refund_id, decision_id = ids.new_id("ref", account.tag), ids.new_id("dec", account.tag)

    def decide(snapshot: Snapshot) -> Change | None:
        current = snapshot.attempt(payment_id)
        after = _answered(platform, account, snapshot, payment_id, outcome)
        if current is None or after is None:
            return None
        if current.status in FAILED and after.status not in FAILED:
            _log.error("a payment that had failed has taken money", payment_id=payment_id)
        now = platform.clock.now(test_mode=current.test_mode)
        return settling.apply(
            snapshot, current, after, hold=hold, refund_id=refund_id, decision_id=decision_id, now=now
        )

    return decide


@unit_of_work
async def _reschedule(
    platform: Platform, account: Account, snapshot: Snapshot, payment_id: str, outcome: Outcome
) -> None:
    """Let the next poll wait for as long as the rules say, where an answer has changed nothing else."""
    current, after = snapshot.attempt(payment_id), _answered(platform, account, snapshot, payment_id, outcome)
    if current is not None and after is not None and after.due_at != current.due_at:
        await payments.reschedule(platform.pool, current, account_id=account.account_id, due_at=after.due_at)
