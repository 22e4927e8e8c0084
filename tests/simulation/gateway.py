"""Kassa as steps over the model store: the same decisions as in ``kassa.invoices``, made by the same functions.

Each operation is what its namesake in ``operations.py`` is: decide under the lock, commit, speak to the bank between
two commits and never inside one. A process may die at every step.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

from msgspec.structs import replace

from kassa.accounts.model import Account, Route
from kassa.callbacks import model as callback_model
from kassa.callbacks.model import Answered, Delivered, Retry, Unanswered
from kassa.errors import Cause, InvoiceNotPayable
from kassa.invoices import booking, conversion, model, settling
from kassa.invoices.decisions import model as decisions
from kassa.invoices.model import Invoice, Status
from kassa.invoices.reserve.model import draw, release
from kassa.invoices.returns import booking as return_booking
from kassa.invoices.returns import model as returns
from kassa.ledger import recipes
from kassa.payments import model as payments
from kassa.payments import patience, returning
from kassa.payments.model import FAILED, TAKEN, UNDECIDED, Payment, PaymentStatus
from kassa.providers.protocol import Accepted, Credentials, Outcome, Pending
from kassa.refunds import model as refund_model
from kassa.refunds.model import Refund
from tests.simulation.bank import Bank
from tests.simulation.scheduler import Call, Scheduler, Steps, Wait
from tests.simulation.store import Callback, Change, Store

LEASE: Final = timedelta(seconds=60)
POLL_SECONDS: Final = 1.0
REST_SECONDS_MAX: Final = 600.0
ASK_SECONDS: Final = 10.0
ROUTE: Final = Route(
    provider="bank",
    credentials=Credentials(provider_account_id="ma_1", merchant_id="shop", test_mode=True, secrets={}),
)


@dataclass(kw_only=True)
class Endpoint:
    """The merchant's: what he has heard."""

    scheduler: Scheduler
    deaf: float = 0.0
    """How likely it takes nothing."""
    heard: dict[str, set[Status]] = field(default_factory=dict)

    def take(self, callback: Callback) -> int | None:
        """Answer a callback with a status, or with nothing."""
        if self.scheduler.chance(self.deaf):
            return self.scheduler.dice.choice((500, 503, None))
        self.heard.setdefault(callback.invoice_id, set()).add(callback.status)
        return 200


@dataclass(kw_only=True)
class Gateway:
    """All of Kassa's processes."""

    scheduler: Scheduler
    store: Store
    bank: Bank
    endpoint: Endpoint
    account: Account

    @property
    def now(self) -> datetime:
        """The platform's clock."""
        return self.scheduler.now

    def live(self) -> None:
        """Run the worker for as long as there is time; it is started again after each death."""
        self.scheduler.reborn = self.live
        self.scheduler.start(self._work())

    def pay(self, invoice_id: str, number: int) -> Steps:
        """A payer's card arrives, for the attempt that his form had."""
        yield Wait()
        was = self.store.invoices[invoice_id]
        latest = self.store.payments.get(was.payment_id or "")
        if latest is not None and latest.live:
            return
        payment_id = f"pay-{invoice_id}-{number}"
        try:
            begun = model.attempt(was, number=number, payment_id=payment_id, now=self.now)
        except InvoiceNotPayable:
            return
        payment = settling.attempt(
            begun, ROUTE, status=PaymentStatus.PROCESS_PENDING, card=None, client_ip="", now=self.now
        )
        self.store.commit(Change(invoice=begun, was=was, payment=payment))
        yield Wait()
        outcome = yield Call(
            ask=lambda: self.bank.pay(payment_id, payment.amount), patience=float(patience.ANSWER_SECONDS)
        )
        yield Wait()
        self.settle(payment, outcome or Pending())
        yield Wait()

    def ask(self, payment: Payment) -> Steps:
        """The worker's question, or the returning payer's."""
        if payment.status is PaymentStatus.REFUND_PENDING:
            amount = payment.returnable
            call = Call(
                ask=lambda: self.bank.refund(f"{payment.payment_id}-late", payment.payment_id, amount),
                patience=ASK_SECONDS,
            )
        else:
            call = Call(ask=lambda: self.bank.status(payment.payment_id), patience=ASK_SECONDS)
        outcome = yield call
        yield Wait()
        if payment.status in TAKEN:
            self.charge_back(payment, outcome or Pending())
        else:
            self.settle(payment, outcome or Pending())

    def cancel(self, payment: Payment) -> Steps:
        """A payer who cannot confirm wants to use another card: ``invoices.cancelling.cancel``."""
        yield Wait()
        outcome = yield Call(ask=lambda: self.bank.cancel(payment.payment_id), patience=float(patience.ANSWER_SECONDS))
        yield Wait()
        self.settle(payment, outcome or Pending())

    def settle(self, payment: Payment, outcome: Outcome) -> None:
        """``invoices.operations.settle``."""
        was, current = self.store.invoices[payment.invoice_id], self.store.payments[payment.payment_id]
        answered = settling.answered(self.account, was, current, outcome, asked=payment.status, now=self.now)
        if answered is None:
            return
        invoice = settling.followed(was, current, answered, now=self.now)
        moved = answered.status is not current.status
        entry = booking.entry(invoice, answered, was=current.status) if moved else None
        self.store.commit(Change(invoice=invoice, was=was, payment=answered, payment_was=current, entry=entry))

    def decide(self, invoice_id: str, *, approve: bool) -> None:
        """A person's word on what is held: ``invoices.decisions.operations.decide``."""
        was = self.store.invoices[invoice_id]
        held = self.store.payments[was.payment_id or ""]
        if approve:
            amount, _ = conversion.taken(was, held)
            invoice = decisions.approve(was, held, amount=amount, now=self.now)
            payment = payments.approve(held, now=self.now)
        else:
            invoice = decisions.reject(was, held, now=self.now)
            payment = payments.reject(held, resolution=invoice.resolution, now=self.now)
        entry = booking.entry(invoice, payment, was=held.status)
        self.store.commit(Change(invoice=invoice, was=was, payment=payment, payment_was=held, entry=entry))

    def refund(self, invoice_id: str, reference: str, amount: int) -> Steps:
        """A merchant's refund: ``invoices.returns`` ``begin`` and ``send``."""
        yield Wait()
        was = self.store.invoices[invoice_id]
        payment = self.store.payments.get(was.payment_id or "")
        refund_id = f"ref-{reference}"
        left = returns.left(was, self.store.refunds_of(invoice_id))
        if payment is None or payment.status is not PaymentStatus.PROCESSED or not 0 < amount <= left:
            return
        if refund_id in self.store.refunds:
            return
        invoice, reserve = draw(returns.begun(was, now=self.now), amount)
        refund = Refund(
            account_id=was.account_id,
            refund_id=refund_id,
            invoice_id=invoice_id,
            payment_id=payment.payment_id,
            test_mode=True,
            reference_id=reference,
            amount=amount,
            currency="USD",
            provider_amount=amount,
            provider_currency="USD",
            fee=50,
            reserve=reserve,
            created_at=self.now,
            updated_at=self.now,
            due_at=self.now + patience.ASK_AFTER_BEGIN,
        )
        entry = return_booking.begun(refund)
        self.store.commit(Change(invoice=invoice, was=was, refund=refund, entry=entry))
        yield Wait()
        outcome = yield Call(
            ask=lambda: self.bank.refund(refund_id, payment.payment_id, amount),
            patience=float(patience.ANSWER_SECONDS),
        )
        yield Wait()
        self.settle_refund(refund, outcome or Pending())

    def ask_about_refund(self, refund: Refund) -> Steps:
        """The worker's question about a refund."""
        outcome = yield Call(
            ask=lambda: self.bank.refund_status(refund.refund_id, refund.payment_id), patience=ASK_SECONDS
        )
        yield Wait()
        self.settle_refund(refund, outcome or Pending())

    def settle_refund(self, refund: Refund, outcome: Outcome) -> None:
        """``invoices.returns.operations.settle``."""
        was, current = self.store.invoices[refund.invoice_id], self.store.refunds[refund.refund_id]
        after = refund_model.answered(current, outcome, now=self.now)
        if after == current:
            return
        unknown = after.under_way and was.status is Status.REFUNDING
        if after.status is current.status and not unknown:
            self.store.refunds[after.refund_id] = after
            return
        of_now = [after if each is current else each for each in self.store.refunds_of(refund.invoice_id)]
        invoice = returns.followed(was, after, of_now, now=self.now)
        invoice, reserve = returns.reserve_moved(invoice, after, was=current.status, now=self.now)
        entry = return_booking.ended(after, was=current.status, reserve=reserve)
        self.store.commit(Change(invoice=invoice, was=was, refund=after, entry=entry))

    def charge_back(self, payment: Payment, outcome: Outcome) -> None:
        """``invoices.returns.operations.charge_back``."""
        was, current = self.store.invoices[payment.invoice_id], self.store.payments[payment.payment_id]
        heard = returning.heard(current, outcome, now=self.now)
        self.store.payments[payment.payment_id] = heard
        for total in accumulate(outcome.charge_backs) if isinstance(outcome, Accepted) else ():
            was, heard = self.store.invoices[payment.invoice_id], self.store.payments[payment.payment_id]
            if not returns.merchants(was, heard, currency="USD"):
                self._charge_back_unwanted(was, heard, total)
            elif total > (was.charged_back_service_amount or 0):
                refunds = self.store.refunds_of(was.invoice_id)
                after = returns.charged_back(was, heard, refunds, total, now=self.now)
                invoice, reserve = draw(after, (after.charged_back_amount or 0) - (was.charged_back_amount or 0))
                entry = return_booking.charged_back(was, invoice, heard, fee=1_500, reserve=reserve)
                self.store.commit(Change(invoice=invoice, was=was, entry=entry, told=True))

    def _charge_back_unwanted(self, was: Invoice, heard: Payment, total: int) -> None:
        after, amount = returning.charge_back(heard, total=total, currency="USD")
        if amount or total > heard.charged_back_amount:
            entry = return_booking.charged_back_unwanted(heard, after, amount) if amount else None
            invoice = model.flag(was, now=self.now)
            self.store.commit(Change(invoice=invoice, was=was, payment=after, payment_was=heard, entry=entry))

    def hear(self, payment_id: str, charge_back: bool) -> None:  # noqa: FBT001
        """A genuine notification: ``payments.queries.wake``."""
        payment = self.store.payments.get(payment_id)
        if payment is None:
            return
        later = payment.due_at is not None and payment.due_at > self.now
        ended = payment.due_at is None and (payment.status in FAILED or (charge_back and payment.status in TAKEN))
        if later or ended:
            self.store.payments[payment_id] = replace(payment, due_at=self.now)

    def _work(self) -> Steps:
        while True:
            for payment in [each for each in self.store.payments.values() if self._due(each.due_at)]:
                claimed = replace(payment, due_at=self.now + LEASE, asks=payment.asks + 1)
                self.store.payments[payment.payment_id] = claimed
                self.scheduler.start(self.ask(claimed))
            for refund in [each for each in self.store.refunds.values() if self._due(each.due_at)]:
                taken = replace(refund, due_at=self.now + LEASE, asks=refund.asks + 1)
                self.store.refunds[refund.refund_id] = taken
                self.scheduler.start(self.ask_about_refund(taken))
            for invoice in [each for each in self.store.invoices.values() if self._due(each.due_at)]:
                self._look_at(invoice)
                yield Wait()
            for callback in [each for each in self.store.callbacks if self._due(each.due_at)]:
                callback.due_at, callback.tries = self.now + LEASE, callback.tries + 1
                self.scheduler.start(self._deliver(callback))
            yield Wait(seconds=self._rest())

    def _rest(self) -> float:
        """Return how long the worker looks for nothing new: until something is due, and not for ever."""
        store = self.store
        due = [
            *(payment.due_at for payment in store.payments.values() if payment.due_at),
            *(refund.due_at for refund in store.refunds.values() if refund.due_at),
            *(invoice.due_at for invoice in store.invoices.values() if invoice.due_at),
            *(callback.due_at for callback in store.callbacks if callback.due_at),
        ]
        nearest = (min(due) - self.now).total_seconds() if due else REST_SECONDS_MAX
        return min(max(nearest, POLL_SECONDS), self.scheduler.dice.uniform(POLL_SECONDS, REST_SECONDS_MAX))

    def _due(self, due_at: datetime | None) -> bool:
        return due_at is not None and due_at <= self.now

    def _look_at(self, was: Invoice) -> None:
        if was.status in model.OPEN and self.now >= was.expires_at:
            self.store.commit(Change(invoice=model.expire(was, now=self.now), was=was))
        elif was.release_at is not None and self.now >= was.release_at:
            entry = recipes.released(invoice_id=was.invoice_id, currency="USD", reserve=was.reserve_left)
            self.store.commit(Change(invoice=release(was, now=self.now), was=was, entry=entry))

    def _deliver(self, callback: Callback) -> Steps:
        tries = callback.tries
        code = yield Call(ask=lambda: self.endpoint.take(callback), patience=callback_model.TEST_TRY_SECONDS)
        yield Wait()
        if callback.tries != tries or callback.dropped:
            return
        result = Answered(response_code=code) if code else Unanswered(cause=Cause.TIMEOUT)
        match callback_model.judge(result, tries=tries, retries_max=100, now=self.now):
            case Delivered():
                callback.due_at = None
            case Retry(due_at=due_at):
                callback.due_at = due_at
            case _:
                callback.due_at = None


UNSETTLED: Final = UNDECIDED | {PaymentStatus.REFUND_PENDING}
