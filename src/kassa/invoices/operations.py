"""What follows when an invoice is created, attempted, settled or expires: the only code that changes invoices.

Each change is the same steps in one transaction: **lock** the invoice, **decide** (``model``, pure), **save** with the
status that was decided on as a guard, **book** what the money did (``booking``), **tell** the merchant (a callback row
with the document's bytes). A provider is only ever spoken to between two such transactions: ``begin`` writes what will
be asked, ``settle`` what was answered.
"""

from datetime import datetime
from functools import partial

import asyncpg
import msgspec
import structlog

from kassa import failpoints, ids
from kassa.accounts.model import Account, Route
from kassa.callbacks.listeners import queries as listeners
from kassa.db.pool import transaction, unit_of_work
from kassa.errors import InvoiceNotPayable, NotFound, TransitionRefused
from kassa.failpoints import Point
from kassa.invoices import booking, document, events, model, notifying, queries, settling
from kassa.invoices.model import Invoice, Status
from kassa.invoices.queries import View
from kassa.invoices.screening import screened
from kassa.ledger import operations as ledger
from kassa.observability import about
from kassa.payments import model as payment_model
from kassa.payments import queries as payment_queries
from kassa.payments.model import CardFacts, Payment, PaymentStatus
from kassa.platform import Platform
from kassa.providers.protocol import Outcome

_log = structlog.get_logger(__name__)


async def create(platform: Platform, account: Account, drawn: View) -> tuple[View, bool]:
    """Write a new invoice with its customer and first callback in one statement, and return it with True.

    An invoice whose provider has to be asked for its page comes with that attempt, is written with it, and is told of
    only when the page is there. Returns the invoice that stands, with False, when this ``reference_id`` is taken: then
    nothing was written (P3).
    """
    failpoints.reach(Point.DRAWN)
    if await _insert(platform, account, drawn):
        failpoints.reach(Point.CREATED)
        events.invoice_created(drawn.invoice, drawn.payment)
        return drawn, True
    invoice = drawn.invoice
    standing = await queries.by_reference(
        platform.pool, invoice.reference_id, account_id=account.account_id, test_mode=invoice.test_mode
    )
    if standing is None:
        raise NotFound
    about(invoice_id=standing.invoice.invoice_id)
    return standing, False


@unit_of_work
async def _insert(platform: Platform, account: Account, drawn: View) -> bool:
    insert = partial(queries.create, invoice=drawn.invoice, account_id=account.account_id, customer=drawn.customer)
    invoice, payment = drawn.invoice, drawn.payment
    first = notifying.first(platform, account, drawn) if payment is None else None
    listened = await platform.accounts.is_listened(account.account_id, test_mode=invoice.test_mode)
    if payment is None and not listened:
        return await insert(platform.pool, callback=first)
    async with transaction(platform.pool) as connection:
        created = await insert(connection, callback=first)
        if created and payment is not None:
            await payment_queries.insert(connection, payment)
        elif created and notifying.is_due(account, invoice):
            await listeners.copy(
                connection,
                account_id=account.account_id,
                test_mode=invoice.test_mode,
                callback_id=first.callback_id if first else ids.new_id("msg", account.tag),
                invoice_id=invoice.invoice_id,
                invoice_status=invoice.status,
                body=first.body if first else document.callback_body(platform, account, drawn),
            )
    return created


@unit_of_work
async def begin(
    platform: Platform,
    invoice: Invoice,
    *,
    number: int,
    card: CardFacts | None,
    client_ip: str,
    route: Route,
    payer_network: str | None = None,
    hushed: bool = False,
) -> Payment:
    """Write down that the provider is about to be asked for the money, and return the attempt.

    Raises ``InvoiceNotPayable`` when the invoice takes no attempt of this ``number`` any more: then nobody may ask. Of
    any number of callers with the same number exactly one returns (P1).
    """
    account = await platform.accounts.by_id(invoice.account_id)
    now = platform.clock.now(test_mode=invoice.test_mode)
    payment_id = ids.new_id("pay", account.tag)
    async with transaction(platform.pool) as connection:
        view = await _locked(connection, invoice.invoice_id, account_id=account.account_id)
        if view.payment is not None and view.payment.live:
            raise InvoiceNotPayable("An attempt is under way.")
        begun = model.attempt(view.invoice, number=number, payment_id=payment_id, now=now)
        payment = settling.attempt(
            begun, route, status=PaymentStatus.PROCESS_PENDING, card=card, client_ip=client_ip, now=now
        )
        payment = msgspec.structs.replace(payment, payer_network=payer_network, hushed=hushed)
        await payment_queries.insert(connection, payment)
        await _save(connection, begun, was=view.invoice.status, payment=payment)
        events.attempt_started(begun, payment)
        failpoints.reach(Point.BEGINNING)
    failpoints.reach(Point.BEGUN)
    return payment


@unit_of_work
async def settle(platform: Platform, payment: Payment, outcome: Outcome) -> View:
    """Apply what a provider answered about an attempt, and return the invoice as it then stands.

    Answers may come many times, in any order, to any number of askers: an attempt that has ended stays as it is, but
    for one that was given up and turns out to have taken money. That money is booked, or goes back if the invoice has
    been paid by another attempt (P1, P2).
    """
    account = await platform.accounts.by_id(payment.account_id)
    rules = await platform.accounts.moderation_rules(payment.account_id)
    failpoints.reach(Point.ANSWERED)
    async with transaction(platform.pool) as connection:
        view = await _locked(connection, payment.invoice_id, account_id=account.account_id)
        # Not before the lock: whoever woke the attempt while we waited for it was earlier.
        now = platform.clock.now(test_mode=payment.test_mode)
        current = await _current(connection, view, payment.payment_id)
        if payment.return_number != current.return_number:
            return view  # It is about a return that was refused; another is under way.
        answered = settling.answered(account, view.invoice, current, outcome, asked=payment.status, now=now)
        if answered is None:
            return view
        _alarm(current, answered)
        answered = await screened(connection, rules, view, answered, now=now)
        invoice = settling.followed(view.invoice, current, answered, now=now)
        after = await apply(
            connection, platform, account, view, invoice=invoice, current=current, payment=answered, now=now
        )
    failpoints.reach(Point.SETTLED)
    return after


def _alarm(current: Payment, answered: Payment) -> None:
    """Tell the operator of what should not happen."""
    if current.status in payment_model.FAILED and answered.status not in payment_model.FAILED:
        _log.error("a payment that had failed has taken money", payment_id=current.payment_id)
    if answered.status in (PaymentStatus.REFUND_FAILED, PaymentStatus.REFUND_ERROR):
        _log.error("money that should have gone back has not", payment_id=answered.payment_id, status=answered.status)


async def apply(
    connection: asyncpg.Connection,
    platform: Platform,
    account: Account,
    view: View,
    *,
    invoice: Invoice,
    current: Payment,
    payment: Payment,
    now: datetime,
) -> View:
    """Save, book and tell what was decided on an attempt, ``current``, and on its locked invoice; return what stands.

    Raises ``TransitionRefused`` where they are no longer what was decided on.
    """
    if not await payment_queries.update(connection, payment, account_id=account.account_id, was=current.status):
        raise TransitionRefused
    events.attempt_changed(invoice, payment, was=current)
    failpoints.reach(Point.SETTLING)
    shown = payment if invoice.payment_id == payment.payment_id else view.payment
    after = msgspec.structs.replace(view, payment=shown, invoice=invoice)
    await _book(connection, invoice, payment, was=current.status, now=now)
    failpoints.reach(Point.BOOKED)
    if invoice is not view.invoice:
        await _save(connection, invoice, was=view.invoice.status, payment=payment)
        await notifying.enqueue(connection, platform, account, after, was=view.invoice.status, now=now)
    failpoints.reach(Point.TELLING)
    return after


async def _current(connection: asyncpg.Connection, view: View, payment_id: str) -> Payment:
    """Return the attempt that an answer is about, as it is under the invoice's lock; not always the latest."""
    if view.payment is not None and view.payment.payment_id == payment_id:
        return view.payment
    current = await payment_queries.by_id(connection, payment_id, account_id=view.invoice.account_id)
    if current is None:
        raise NotFound
    return current


@unit_of_work
async def expire(platform: Platform, invoice_id: str, *, account_id: str, test_mode: bool) -> bool:
    """End an invoice whose time is over, and tell whether it did.

    An attempt under way is still asked about, for a late success (P2).
    """
    account = await platform.accounts.by_id(account_id)
    now = platform.clock.now(test_mode=test_mode)
    async with transaction(platform.pool) as connection:
        view = await _locked(connection, invoice_id, account_id=account_id)
        if view.invoice.status not in model.OPEN or now < view.invoice.expires_at:
            return False
        after = msgspec.structs.replace(view, invoice=model.expire(view.invoice, now=now))
        await _save(connection, after.invoice, was=view.invoice.status, payment=view.payment)
        await notifying.enqueue(connection, platform, account, after, was=view.invoice.status, now=now)
        failpoints.reach(Point.EXPIRING)
    return True


async def _locked(connection: asyncpg.Connection, invoice_id: str, *, account_id: str) -> View:
    view = await queries.lock(connection, invoice_id, account_id=account_id)
    if view is None:
        raise NotFound
    return view


async def _save(connection: asyncpg.Connection, invoice: Invoice, *, was: Status, payment: Payment | None) -> None:
    if not await queries.update(connection, invoice, account_id=invoice.account_id, was=was):
        raise TransitionRefused(f"The invoice is no longer {was}.")
    events.invoice_changed(invoice, was=was, payment=payment)


async def _book(
    connection: asyncpg.Connection, invoice: Invoice, payment: Payment, *, was: PaymentStatus, now: datetime
) -> None:
    """Book what an attempt's change of status did with money, if anything (P4)."""
    if payment.status is was:
        return
    entry = booking.entry(invoice, payment, was=was)
    if entry is not None:
        await ledger.post(connection, entry, account_id=invoice.account_id, test_mode=invoice.test_mode, now=now)


async def give_back(
    connection: asyncpg.Connection,
    platform: Platform,
    account: Account,
    before: View,
    invoice: Invoice,
    *,
    now: datetime,
) -> View:
    """Save what a refund or a charge-back has made of a locked invoice, and tell of it if it has another status.

    A charge-back is told in any case: the merchant has not asked for it.
    """
    await _save(connection, invoice, was=before.invoice.status, payment=before.payment)
    after = await queries.by_id(connection, invoice.invoice_id, account_id=invoice.account_id)
    if after is None:
        raise NotFound
    charged_back = invoice.charged_back_service_amount != before.invoice.charged_back_service_amount
    was = None if charged_back else before.invoice.status
    await notifying.enqueue(connection, platform, account, after, was=was, now=now)
    return after
