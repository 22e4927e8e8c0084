"""What follows when a refund begins, when a provider answers about it, and when the payer's bank charges money back.

As with payments, nothing is open while the provider is spoken to: ``begin`` writes what it will be asked for and sets
the money aside, ``settle`` applies what it answered. Both change the invoice as ``invoices.operations`` does: lock,
decide, save, book, tell.
"""

from datetime import datetime
from functools import partial
from itertools import accumulate

import msgspec
import structlog

from kassa import failpoints
from kassa.accounts.model import Account
from kassa.db.pool import Connection, transaction, unit_of_work
from kassa.errors import Invalid, Message, NotFound, TransitionRefused
from kassa.failpoints import Point
from kassa.invoices import conversion, events
from kassa.invoices import model as invoice_model
from kassa.invoices import operations as invoices
from kassa.invoices import queries as invoice_queries
from kassa.invoices.model import Invoice, Status
from kassa.invoices.queries import View
from kassa.invoices.reserve.model import draw
from kassa.invoices.returns import booking, model
from kassa.invoices.returns.asked import AskedRefund
from kassa.ledger import operations as ledger
from kassa.ledger.model import Entry
from kassa.payments import model as payment_model
from kassa.payments import queries as payment_queries
from kassa.payments import returning
from kassa.payments.model import Payment, PaymentStatus
from kassa.payments.patience import ASK_AFTER_BEGIN
from kassa.platform import Platform
from kassa.providers.protocol import Accepted, Outcome
from kassa.refunds import model as refund_model
from kassa.refunds import queries as refund_queries
from kassa.refunds.model import Refund, RefundStatus

_log = structlog.get_logger(__name__)


@unit_of_work
async def begin(
    platform: Platform, account: Account, invoice: Invoice, asked: AskedRefund, *, refund_id: str
) -> tuple[Refund, bool]:
    """Write down that the provider is about to be asked to send money back, and return the refund with True.

    Returns the refund that stands, with False, where its ``reference_id`` is taken in the invoice's mode; then nothing
    was written. Raises ``Invalid`` where the invoice has not as much: of any number of refunds side by side as many
    begin as fit (P5).
    """
    standing_in = partial(
        refund_queries.by_reference,
        reference_id=asked.reference_id or "",
        account_id=account.account_id,
        test_mode=invoice.test_mode,
    )
    now = platform.clock.now(test_mode=invoice.test_mode)
    service = await platform.accounts.service(account.account_id, invoice.service)
    async with transaction(platform.pool) as connection:
        view = await _locked(connection, invoice.invoice_id, account_id=account.account_id)
        if standing := await standing_in(connection):
            return standing, False
        amount = model.wanted(view.invoice, view.refunds, asked.amount)
        fee = conversion.worth(view.invoice, service.refund_fee_fix) if service else 0
        changed, reserve = draw(model.begun(view.invoice, now=now), amount)
        refund = _drawn_up(view, asked, refund_id, amount, fee=fee, reserve=reserve, now=now)
        if await refund_queries.insert(connection, refund):
            await _book(connection, booking.begun(refund), changed, now)
            await invoices.give_back(connection, platform, account, view, changed, now=now)
            events.refund_started(changed, refund)
            failpoints.reach(Point.REFUND_BEGINNING)
            return refund, True
    # Another invoice's refund has taken the name meanwhile.
    standing = await standing_in(platform.pool)
    if standing is None:
        raise NotFound
    return standing, False


def _drawn_up(
    view: View, asked: AskedRefund, refund_id: str, amount: int, *, fee: int, reserve: int, now: datetime
) -> Refund:
    invoice, payment = view.invoice, view.payment
    if payment is None or payment.status is not PaymentStatus.PROCESSED:
        raise Invalid({"amount": Message("There is nothing to refund.")})
    back, currency = model.provider_amount(invoice, payment, view.refunds, amount)
    return Refund(
        account_id=invoice.account_id,
        refund_id=refund_id,
        invoice_id=invoice.invoice_id,
        payment_id=payment.payment_id,
        test_mode=invoice.test_mode,
        reference_id=asked.reference_id or "",
        amount=amount,
        currency=invoice.currency,
        provider_amount=back,
        provider_currency=currency,
        fee=fee,
        reserve=reserve,
        description=asked.description,
        created_at=now,
        updated_at=now,
        due_at=now + ASK_AFTER_BEGIN,
    )


@unit_of_work
async def settle(platform: Platform, refund: Refund, outcome: Outcome) -> View:
    """Apply what a provider answered about a refund, and return the invoice as it then stands.

    Answers may come many times, in any order. A refund that was given up and has gone back all the same is booked, and
    called wrong if that makes more than was taken (P2).
    """
    account = await platform.accounts.by_id(refund.account_id)
    now = platform.clock.now(test_mode=refund.test_mode)
    async with transaction(platform.pool) as connection:
        view = await _locked(connection, refund.invoice_id, account_id=account.account_id)
        current = next((each for each in view.refunds if each.refund_id == refund.refund_id), None)
        if current is None:
            raise NotFound
        after = refund_model.answered(current, outcome, now=now)
        if after == current:
            return view
        unknown = after.under_way and view.invoice.status is Status.REFUNDING
        if after.status is current.status and not unknown:
            await _save(connection, after, was=current)
            return view
        changed = await _ended(connection, view.invoice, view.refunds, current, after, now=now)
        if changed.moderation_required and not view.invoice.moderation_required:
            _log.error("a refund went wrong", refund_id=after.refund_id, status=after.status)
        done = await invoices.give_back(connection, platform, account, view, changed, now=now)
        failpoints.reach(Point.REFUND_ENDING)
    return done


async def finish(connection: Connection, view: View, invoice: Invoice, *, now: datetime) -> Invoice:
    """Book what refunds of a locked invoice sent back otherwise than asked, and return the invoice after it."""
    refunds = view.refunds
    for wrong in [each for each in refunds if each.status is RefundStatus.REFUND_ERROR]:
        payment = await payment_queries.by_id(connection, wrong.payment_id, account_id=invoice.account_id)
        if payment is None:
            raise NotFound
        amount = model.came_to(invoice, payment, refunds, wrong)
        done = refund_model.settle(wrong, amount=amount, now=now)
        invoice = await _ended(connection, invoice, refunds, wrong, done, now=now)
        refunds = [done if each is wrong else each for each in refunds]
    return invoice


async def _ended(
    connection: Connection, invoice: Invoice, refunds: list[Refund], current: Refund, after: Refund, *, now: datetime
) -> Invoice:
    """Save and book a refund's new status, and return its invoice as that leaves it."""
    of_now = [after if each is current else each for each in refunds]
    changed = model.followed(invoice, after, of_now, now=now)
    changed, reserve = model.reserve_moved(changed, after, was=current.status, now=now)
    if after.status is RefundStatus.REFUND_ERROR and current.status is RefundStatus.REFUND_FAILED:
        after = msgspec.structs.replace(after, reserve=reserve)
    await _save(connection, after, was=current)
    events.refund_changed(changed, after, was=current.status)
    await _book(connection, booking.ended(after, was=current.status, reserve=reserve), changed, now)
    return changed


@unit_of_work
async def charge_back(platform: Platform, payment: Payment, outcome: Outcome) -> None:
    """Apply what a provider answered about an attempt that has taken money: what was charged back of it.

    Each charge-back is booked, costs and is told by itself, however many are heard of together. What was taken back of
    money that is not the merchant's is for a person as well, and costs nothing.
    """
    account = await platform.accounts.by_id(payment.account_id)
    fee = await _charge_back_fee(platform, payment)
    now = platform.clock.now(test_mode=payment.test_mode)
    async with transaction(platform.pool) as connection:
        view = await _locked(connection, payment.invoice_id, account_id=account.account_id)
        current = await payment_queries.by_id(connection, payment.payment_id, account_id=account.account_id)
        if current is None or current.status not in payment_model.TAKEN:
            return
        heard = returning.heard(current, outcome, now=now)
        if heard != current:
            await payment_queries.update(connection, heard, account_id=account.account_id, was=current.status)
        if not isinstance(outcome, Accepted) or not outcome.charge_backs:
            return
        wanted = model.merchants(view.invoice, heard, currency=outcome.currency)
        for total in accumulate(outcome.charge_backs):
            if wanted:
                changed = await _taken(connection, view, heard, total, fee=fee, now=now)
            else:
                heard, changed = await _taken_unwanted(
                    connection, view.invoice, heard, (total, outcome.currency), now=now
                )
            if changed is not view.invoice:
                view = await invoices.give_back(connection, platform, account, view, changed, now=now)
                failpoints.reach(Point.CHARGED_BACK)


async def _charge_back_fee(platform: Platform, payment: Payment) -> int:
    view = await invoice_queries.by_id(platform.pool, payment.invoice_id, account_id=payment.account_id)
    if view is None:
        raise NotFound
    service = await platform.accounts.service(payment.account_id, view.invoice.service)
    return conversion.worth(view.invoice, service.charge_back_fee_fix) if service else 0


async def _taken(
    connection: Connection, view: View, payment: Payment, total: int, *, fee: int, now: datetime
) -> Invoice:
    """Book a charge-back, ``total`` in the provider's currency with those before it; return the invoice after it."""
    before = view.invoice
    if total <= (before.charged_back_service_amount or 0):
        return before
    after = model.charged_back(before, payment, view.refunds, total, now=now)
    changed, reserve = draw(after, (after.charged_back_amount or 0) - (before.charged_back_amount or 0))
    await _book(connection, booking.charged_back(before, changed, payment, fee=fee, reserve=reserve), changed, now)
    taken = (after.charged_back_amount or 0) - (before.charged_back_amount or 0)
    events.charged_back(changed, payment, amount=taken, currency=changed.currency)
    return changed


async def _taken_unwanted(
    connection: Connection, invoice: Invoice, payment: Payment, total: tuple[int, str], *, now: datetime
) -> tuple[Payment, Invoice]:
    """Book a charge-back of money that is not the merchant's, and return the attempt and the invoice after it.

    ``total`` is as the provider tells it. What is still held for a decision is booked once that has been made.
    """
    after, amount = returning.charge_back(payment, total=total[0], currency=total[1])
    if not amount and total[0] <= payment.charged_back_amount:
        return payment, invoice
    _log.error("money that is not the merchant's was charged back", payment_id=payment.payment_id)
    changed = invoice_model.flag(invoice, now=now)
    events.charged_back(changed, payment, amount=total[0] - payment.charged_back_amount, currency=total[1])
    if amount:
        await payment_queries.update(connection, after, account_id=invoice.account_id, was=payment.status)
        await _book(connection, booking.charged_back_unwanted(payment, after, amount), changed, now)
    return after, changed


async def _locked(connection: Connection, invoice_id: str, *, account_id: str) -> View:
    view = await invoice_queries.lock(connection, invoice_id, account_id=account_id)
    if view is None:
        raise NotFound
    return view


async def _save(connection: Connection, refund: Refund, *, was: Refund) -> None:
    if not await refund_queries.update(connection, refund, account_id=refund.account_id, was=was.status):
        raise TransitionRefused


async def _book(connection: Connection, entry: Entry | None, invoice: Invoice, now: datetime) -> None:
    if entry is not None:
        await ledger.post(connection, entry, account_id=invoice.account_id, test_mode=invoice.test_mode, now=now)
