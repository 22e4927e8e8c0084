"""Approving and rejecting: what follows when a person decides on money that is held."""

from kassa import ids
from kassa.accounts.model import Account
from kassa.db.pool import transaction
from kassa.errors import NotFound, NothingToDecide
from kassa.invoices import model, queries
from kassa.invoices.operations import apply
from kassa.invoices.queries import View
from kassa.moderation import operations as moderation
from kassa.moderation.model import Decision, Verdict
from kassa.payments import model as payments
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
) -> View:
    """Approve or reject a held invoice, and return it as it then stands.

    Approved, it is processed and its money booked to the merchant. Rejected, it has failed and its money is on its way
    back. ``by`` and ``note`` are kept beside the decision for ever, under ``decision_id`` or a new id.
    Of any number who decide at once exactly one does; the others get ``NothingToDecide``. Raises ``NotFound``, and
    ``NotApprovable`` for the approval of money in another currency.
    """
    async with transaction(platform.pool) as connection:
        view = await queries.lock(connection, invoice_id, account_id=account.account_id)
        if view is None:
            raise NotFound
        held = view.payment
        if held is None:
            raise NothingToDecide
        now = platform.clock.now(test_mode=view.invoice.test_mode)
        if verdict is Verdict.APPROVED:
            invoice = model.approve(view.invoice, held, now=now)
            payment = payments.approve(held, now=now)
        else:
            invoice = model.reject(view.invoice, held, now=now)
            payment = payments.reject(held, resolution=invoice.resolution, now=now)
        decision = Decision(
            decision_id=decision_id or ids.new_id("dec", account.tag),
            invoice_id=invoice_id,
            payment_id=held.payment_id,
            verdict=verdict,
            decided_by=by,
            note=note,
            decided_at=now,
        )
        await moderation.record(connection, decision, account_id=account.account_id)
        return await apply(connection, platform, account, view, invoice=invoice, current=held, payment=payment, now=now)
