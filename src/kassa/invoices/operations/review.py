"""What happens when a person reviews an invoice: held money, money that did not go back, and what else went wrong.

The rules are in ``rules.review``.
"""

from datetime import datetime

from kassa import ids
from kassa.accounts.model import Account
from kassa.errors import NothingToDecide
from kassa.invoices.operations import changing
from kassa.invoices.rules import refund, review
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.records import Refund, RefundStatus
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.moderation import queries as moderation
from kassa.moderation.model import Decision, Verdict
from kassa.platform import Platform


async def decide(
    platform: Platform,
    account: Account,
    invoice_id: str,
    verdict: Verdict,
    *,
    by: str,
    note: str | None = None,
    decision_id: str | None = None,
) -> Snapshot:
    """Approve or reject a held invoice, and return it as it then is.

    Approved, it is processed and its money booked to the merchant. Rejected, it has failed and its money is on its way
    back. ``by`` and ``note`` are kept beside the decision for ever, under ``decision_id`` or a new id. What else the
    invoice is flagged for stays so.
    Of any number who decide at once exactly one does; the others get ``NothingToDecide``. Raises ``NotFound``, and
    ``NotApprovable`` for the approval of money in another currency.
    """
    named = decision_id or ids.new_id("dec", account.tag)
    refund_id = ids.new_id("ref", account.tag)

    def decided(snapshot: Snapshot) -> Change:
        held = snapshot.payment
        if held is None:
            raise NothingToDecide
        now = platform.clock.now(test_mode=snapshot.invoice.test_mode)
        decision = Decision(
            decision_id=named,
            invoice_id=invoice_id,
            payment_id=held.payment_id,
            verdict=verdict,
            decided_by=by,
            note=note,
            decided_at=now,
        )
        if verdict is Verdict.APPROVED:
            return review.approve(snapshot, decision, now=now)
        return review.reject(snapshot, decision, refund_id=refund_id, now=now)

    return await changing.change(platform, account, invoice_id, decided)


async def send_back(
    platform: Platform, account: Account, invoice_id: str, *, by: str, note: str | None = None
) -> Snapshot:
    """Let what a provider would not send back of an invoice go back once more, under another id.

    Raises ``NotFound``, and ``NothingToDecide`` where no provider has refused, or where it is on its way already.
    """
    snapshot = await changing.read(platform.pool, account, invoice_id)
    refused = [each for each in await _stuck(platform, account, snapshot) if each.status is RefundStatus.REFUND_FAILED]
    sent = False
    for failed in refused:
        snapshot = await changing.read(platform.pool, account, invoice_id, payment_id=failed.payment_id)
        payment = snapshot.attempt(failed.payment_id)
        if payment is None or not snapshot.returnable(payment):
            continue
        more = failed is not refused[-1]
        snapshot = await _send_again(platform, account, snapshot, payment, by=by, note=note, flagged=more)
        sent = True
    if not sent:
        raise NothingToDecide
    return snapshot


async def _send_again(
    platform: Platform,
    account: Account,
    snapshot: Snapshot,
    payment: Payment,
    *,
    by: str,
    note: str | None,
    flagged: bool,
) -> Snapshot:
    decision_id, refund_id = ids.new_id("dec", account.tag), ids.new_id("ref", account.tag)

    def decided(current: Snapshot) -> Change:
        now = platform.clock.now(test_mode=payment.test_mode)
        decision = _decision(decision_id, payment.payment_id, Verdict.RETURNED, current, by=by, note=note, now=now)
        return review.send_again(current, payment, decision, refund_id=refund_id, flagged=flagged, now=now)

    return await changing.change_from(platform, account, snapshot, decided, payment_id=payment.payment_id)


async def settle(platform: Platform, account: Account, invoice_id: str, *, by: str, note: str) -> Snapshot:
    """Note that what an invoice was flagged for was put right elsewhere: it waits for no one any more.

    What went back in another amount or currency than asked is booked as it was sent; no other money moves.
    Raises ``NotFound``, and ``NothingToDecide`` where it is not flagged, or has to be approved or rejected.
    """
    snapshot = await changing.read(platform.pool, account, invoice_id)
    now = platform.clock.now(test_mode=snapshot.invoice.test_mode)
    review.check_flagged(snapshot)
    stuck = await _stuck(platform, account, snapshot)
    wrong = [each for each in snapshot.refunds if each.status is RefundStatus.REFUND_ERROR]
    for each in wrong:
        snapshot = await _settle_refund(platform, account, snapshot, each, by=by)
    about = {each.payment_id for each in stuck} or {snapshot.invoice.payment_id or ""}
    for payment_id in sorted(about):
        decision_id = ids.new_id("dec", account.tag)

        def decided(current: Snapshot, decision_id: str = decision_id, payment_id: str = payment_id) -> Change:
            decision = _decision(decision_id, payment_id, Verdict.SETTLED, current, by=by, note=note, now=now)
            return review.settle(current, decision, flagged=payment_id != max(about), now=now)

        snapshot = await changing.change_from(platform, account, snapshot, decided)
    return snapshot


async def _settle_refund(
    platform: Platform, account: Account, snapshot: Snapshot, wrong: Refund, *, by: str
) -> Snapshot:
    def decided(current: Snapshot) -> Change | None:
        found, payment = current.refund(wrong.refund_id), current.attempt(wrong.payment_id)
        if found is None or payment is None or found.status is not RefundStatus.REFUND_ERROR:
            return None
        now = platform.clock.now(test_mode=current.invoice.test_mode)
        return refund.settle(current, payment, found, by=by, now=now)

    return await changing.change(platform, account, snapshot.invoice.invoice_id, decided, payment_id=wrong.payment_id)


async def _stuck(platform: Platform, account: Account, snapshot: Snapshot) -> list[Refund]:
    """Return the refunds of unexpected money that have not gone as they should, and are not settled."""
    decisions = await moderation.decisions(platform.pool, snapshot.invoice.invoice_id, account_id=account.account_id)
    return review.stuck(snapshot, decisions)


def _decision(
    decision_id: str,
    payment_id: str,
    verdict: Verdict,
    snapshot: Snapshot,
    *,
    by: str,
    note: str | None,
    now: datetime,
) -> Decision:
    return Decision(
        decision_id=decision_id,
        invoice_id=snapshot.invoice.invoice_id,
        payment_id=payment_id,
        verdict=verdict,
        decided_by=by,
        note=note,
        decided_at=now,
    )
