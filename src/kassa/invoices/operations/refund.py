"""What happens when an invoice is refunded: a refund is requested, sent to its provider, polled for until it has ended.

As with payments, the provider is only asked between two changes: ``request`` writes what it will be asked for and sets
the money aside, ``apply_result`` what it answered. The rules are in ``rules.refund``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias

import structlog

from kassa.accounts.model import Account
from kassa.db.pool import Row, unit_of_work
from kassa.errors import NotFound, ProviderGarbled, ProviderSilent
from kassa.invoices.creating.refund_request import RefundRequest
from kassa.invoices.operations import changing
from kassa.invoices.operations.changing import Decide
from kassa.invoices.rules import conversion
from kassa.invoices.rules import refund as rules
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.patience import ANSWER_SECONDS, believed, in_time
from kassa.invoices.rules.records import Refund, RefundStatus
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.invoices.tables import payments, refunds
from kassa.invoices.tables.carrying import ReferenceTaken
from kassa.platform import Platform
from kassa.providers import protocol
from kassa.providers.protocol import Credentials, Outcome, Pending, Provider
from kassa.work.jobs import REFUNDS

_log = structlog.get_logger(__name__)

_Verb: TypeAlias = Callable[[Provider, Credentials, protocol.Refund], Awaitable[Outcome]]


@unit_of_work
async def request(
    platform: Platform,
    account: Account,
    snapshot: Snapshot,
    requested: RefundRequest,
    *,
    refund_id: str,
    by: str = "merchant",
) -> tuple[Refund, bool]:
    """Write down that the provider is about to be asked to send money back, and return the refund with True.

    Returns the refund that has the ``reference_id`` already, with False; then nothing was written. Raises ``Invalid``
    where the invoice has not as much: of any number of refunds beside each other as many begin as fit (P5).
    """
    existing_one = partial(
        refunds.by_reference,
        platform.pool,
        requested.reference_id or "",
        account_id=account.account_id,
        test_mode=snapshot.invoice.test_mode,
    )
    if existing := await existing_one():
        return existing, False
    decide = await _requested(platform, account, snapshot, requested, refund_id=refund_id, by=by)
    try:
        after = await changing.change_from(platform, account, snapshot, decide)
    except ReferenceTaken:
        found = await existing_one()
    else:
        found = after.refund(refund_id)
    if found is None:
        raise NotFound
    return found, found.refund_id == refund_id


async def _requested(
    platform: Platform, account: Account, snapshot: Snapshot, requested: RefundRequest, *, refund_id: str, by: str
) -> Decide:
    invoice = snapshot.invoice
    service = await platform.accounts.service(account.account_id, invoice.service)
    fee = conversion.worth(invoice, service.refund_fee_fix) if service else 0

    def decide(current: Snapshot) -> Change:
        if requested.reference_id and any(each.reference_id == requested.reference_id for each in current.requested):
            raise ReferenceTaken
        return rules.request(
            current,
            refund_id=refund_id,
            reference_id=requested.reference_id or "",
            amount=requested.amount,
            description=requested.description,
            fee=fee,
            by=by,
            now=platform.clock.now(test_mode=invoice.test_mode),
        )

    return decide


async def send(platform: Platform, refund: Refund) -> Snapshot:
    """Ask for the money of a refund that has just begun, and return the invoice as it then is.

    A provider that gives no good answer leaves the refund pending, to be polled: it is never asked for the money again.
    """
    if not in_time(refund.created_at, now=platform.clock.now(test_mode=refund.test_mode)):
        return await apply_result(platform, refund, Pending())
    payment = await _payment(platform, refund)
    return await _ask(platform, refund, payment, lambda provider, *about: provider.refund(*about))


async def poll(platform: Platform, refund: Refund) -> None:
    """Poll for a refund, when it is its turn with its provider; silence and garbage leave it waiting.

    One that no merchant asked for is sent by its first poll; to ask again under its id returns what became of it.
    """
    payment = await _payment(platform, refund)
    await platform.rate_limits.polls.wait(payment.provider)
    if refund.pending and not refund.requested:
        await _ask(platform, refund, payment, lambda provider, *about: provider.refund(*about))
    else:
        await _ask(platform, refund, payment, lambda provider, *about: provider.status(*about))


async def apply_result(platform: Platform, refund: Refund, outcome: Outcome) -> Snapshot:
    """Apply what a provider answered about a refund, and return the invoice as it then is."""
    account = await platform.accounts.by_id(refund.account_id)
    snapshot = await changing.read(platform.pool, account, refund.invoice_id, payment_id=refund.payment_id)

    def decide(current: Snapshot) -> Change | None:
        now = platform.clock.now(test_mode=refund.test_mode)
        return rules.apply(current, refund.refund_id, outcome, asked=refund.status, now=now)

    after = await changing.change_from(platform, account, snapshot, decide, payment_id=refund.payment_id)
    _alarm(snapshot, after, refund.refund_id)
    if after is snapshot:
        await _reschedule(platform, account, snapshot, refund, outcome)
    return after


def _alarm(before: Snapshot, after: Snapshot, refund_id: str) -> None:
    """Log what should not happen: money that should have gone back has not, or not as it should."""
    was, now = before.refund(refund_id), after.refund(refund_id)
    if was is None or now is None or was.status is now.status:
        return
    wrong = now.status is RefundStatus.REFUND_ERROR or (
        now.status is RefundStatus.REFUND_FAILED and (not now.requested or now.reversed_at is not None)
    )
    if wrong or (after.invoice.moderation_required and not before.invoice.moderation_required):
        _log.error("a refund went wrong", refund_id=refund_id, status=now.status, reason=now.reason)


@unit_of_work
async def _reschedule(
    platform: Platform, account: Account, snapshot: Snapshot, refund: Refund, outcome: Outcome
) -> None:
    current = snapshot.refund(refund.refund_id)
    now = platform.clock.now(test_mode=snapshot.invoice.test_mode)
    due_at = rules.reschedule(snapshot, refund.refund_id, outcome, asked=refund.status, now=now)
    if current is not None and due_at != current.due_at:
        await refunds.reschedule(platform.pool, current, account_id=account.account_id, due_at=due_at)


async def _payment(platform: Platform, refund: Refund) -> Payment:
    payment = await payments.by_id(platform.pool, refund.payment_id, account_id=refund.account_id)
    if payment is None:
        raise NotFound
    return payment


async def _ask(platform: Platform, refund: Refund, payment: Payment, verb: _Verb) -> Snapshot:
    asked_at = platform.clock.now(test_mode=refund.test_mode)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await _answer(platform, refund, payment, verb)
        outcome = believed(answer, refund.created_at, asked_at=asked_at)
    except (ProviderSilent, ProviderGarbled, NotFound, TimeoutError) as error:
        _log.info("provider did not answer about a refund", refund_id=refund.refund_id, error=type(error).__name__)
        outcome = Pending()
    return await apply_result(platform, refund, outcome)


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


class RefundPolling:
    """The worker's job: refunds that are due."""

    queue: Final = REFUNDS

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def read(self, row: Row) -> Refund:
        """Return a refund that was taken."""
        return refunds.from_row(row)

    async def run(self, claim: Refund) -> None:
        """Poll for one refund."""
        await poll(self._platform, claim)
