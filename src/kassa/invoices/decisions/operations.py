"""What follows when a person decides: on money that is held, on money that did not go back, on what went wrong."""

from datetime import datetime

from kassa import ids
from kassa.accounts.model import Account
from kassa.db.pool import Connection, transaction, unit_of_work
from kassa.errors import NotFound, NothingToDecide
from kassa.invoices import conversion, events, model, queries
from kassa.invoices.decisions import model as decisions
from kassa.invoices.operations import apply, give_back
from kassa.invoices.queries import View
from kassa.invoices.returns import operations as returns
from kassa.moderation import operations as moderation
from kassa.moderation import queries as moderation_queries
from kassa.moderation.model import Decision, Verdict
from kassa.payments import model as payments
from kassa.payments import queries as payment_queries
from kassa.payments import returning
from kassa.payments.model import Payment, PaymentStatus
from kassa.platform import Platform


@unit_of_work
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
    back. ``by`` and ``note`` are kept beside the decision for ever, under ``decision_id`` or a new id. What else of the
    invoice waits for a person waits on.
    Of any number who decide at once exactly one does; the others get ``NothingToDecide``. Raises ``NotFound``, and
    ``NotApprovable`` for the approval of money in another currency.
    """
    async with transaction(platform.pool) as connection:
        view = await _locked(connection, invoice_id, account_id=account.account_id)
        held = view.payment
        if held is None:
            raise NothingToDecide
        now = platform.clock.now(test_mode=view.invoice.test_mode)
        if verdict is Verdict.APPROVED:
            amount, _ = conversion.taken(view.invoice, held)
            invoice = decisions.approve(view.invoice, held, amount=amount, now=now)
            payment = payments.approve(held, now=now)
        else:
            invoice = decisions.reject(view.invoice, held, now=now)
            payment = payments.reject(held, resolution=invoice.resolution, now=now)
        if await _refused(connection, view):
            invoice = model.flag(invoice, now=now)
        await _record(connection, account, held, verdict, by=by, note=note, now=now, decision_id=decision_id)
        events.reviewed(invoice, held, verdict, by=by)
        return await apply(connection, platform, account, view, invoice=invoice, current=held, payment=payment, now=now)


@unit_of_work
async def send_back(platform: Platform, account: Account, invoice_id: str, *, by: str, note: str | None = None) -> View:
    """Let what a provider would not send back of an invoice go back once more, under another name.

    Raises ``NotFound``, and ``NothingToDecide`` where no provider has refused, or where it is on its way already.
    """
    async with transaction(platform.pool) as connection:
        view = await _locked(connection, invoice_id, account_id=account.account_id)
        now = platform.clock.now(test_mode=view.invoice.test_mode)
        invoice = decisions.settle(view.invoice, now=now)
        failed = [each for each in await _refused(connection, view) if each.status is PaymentStatus.REFUND_FAILED]
        refused = [each for each in failed if each.returnable]
        if not refused:
            raise NothingToDecide
        for each in refused:
            await _record(connection, account, each, Verdict.RETURNED, by=by, note=note, now=now)
            events.reviewed(invoice, each, Verdict.RETURNED, by=by)
            view = await apply(
                connection,
                platform,
                account,
                view,
                invoice=invoice,
                current=each,
                payment=returning.return_again(each, now=now),
                now=now,
            )
    return view


@unit_of_work
async def settle(platform: Platform, account: Account, invoice_id: str, *, by: str, note: str) -> View:
    """Note that what an invoice waits for was put right elsewhere: nobody is waited for.

    What went back otherwise than asked is booked as it was sent; no other money moves.
    Raises ``NotFound``, and ``NothingToDecide`` where nobody is waited for, or for approval or rejection.
    """
    async with transaction(platform.pool) as connection:
        view = await _locked(connection, invoice_id, account_id=account.account_id)
        now = platform.clock.now(test_mode=view.invoice.test_mode)
        invoice = decisions.settle(view.invoice, now=now)
        shown = [view.payment] if view.payment else []
        refused = await _refused(connection, view)
        for each in refused or shown:
            await _record(connection, account, each, Verdict.SETTLED, by=by, note=note, now=now)
            events.reviewed(invoice, each, Verdict.SETTLED, by=by)
        for wrong in refused:
            if wrong.status is PaymentStatus.REFUND_ERROR:
                done = returning.settle(wrong, now=now)
                view = await apply(
                    connection, platform, account, view, invoice=invoice, current=wrong, payment=done, now=now
                )
        invoice = decisions.settled(await returns.finish(connection, view, invoice, now=now))
        return await give_back(connection, platform, account, view, invoice, now=now)


async def _refused(connection: Connection, view: View) -> list[Payment]:
    """Return an invoice's attempts whose money has not gone back as it should, and nobody has settled."""
    names = {"invoice_id": view.invoice.invoice_id, "account_id": view.invoice.account_id}
    decisions = await moderation_queries.decisions(connection, **names)
    settled = {each.payment_id for each in decisions if each.verdict is Verdict.SETTLED}
    refused = await payment_queries.not_returned(connection, **names)
    return [each for each in refused if each.payment_id not in settled]


async def _record(
    connection: Connection,
    account: Account,
    payment: Payment,
    verdict: Verdict,
    *,
    by: str,
    note: str | None,
    now: datetime,
    decision_id: str | None = None,
) -> None:
    decision = Decision(
        decision_id=decision_id or ids.new_id("dec", account.tag),
        invoice_id=payment.invoice_id,
        payment_id=payment.payment_id,
        verdict=verdict,
        decided_by=by,
        note=note,
        decided_at=now,
    )
    await moderation.record(connection, decision, account_id=account.account_id)


async def _locked(connection: Connection, invoice_id: str, *, account_id: str) -> View:
    view = await queries.lock(connection, invoice_id, account_id=account_id)
    if view is None:
        raise NotFound
    return view
