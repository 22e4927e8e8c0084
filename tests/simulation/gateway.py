"""Kassa as steps over the model store: the very rules of ``kassa.invoices``, under the same guard.

Each operation is what its namesake in ``invoices.operations`` is: it reads, decides and carries out, and does so again
where another change came first; between these, others have their turn. The bank is only spoken to between two changes.
A process may die at every step.
"""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from kassa.accounts.model import Route
from kassa.callbacks import model as callback_model
from kassa.callbacks.model import Answered, Delivered, Retry, Unanswered
from kassa.errors import Cause, InvoiceNotPayable
from kassa.invoices.rules import attempt, dispute, patience, reserve, settling
from kassa.invoices.rules.attempt import FAILED, TAKEN, UNDECIDED, Payment, PaymentStatus
from kassa.invoices.rules.invoice import begin_attempt
from kassa.invoices.rules.records import RefundStatus
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.moderation.model import Hold
from kassa.providers.protocol import Accepted, Credentials, Notice, Outcome, Pending
from tests.simulation.process import ASK_SECONDS
from tests.simulation.refunding import Refunding
from tests.simulation.reviewing import Reviewing
from tests.simulation.scheduler import Call, Steps, Wait
from tests.simulation.store import Broken, Callback

LEASE: Final = timedelta(seconds=60)
POLL_SECONDS: Final = 1.0
REST_SECONDS_MAX: Final = 600.0
LARGE: Final = 90_000
"""What a payment has to come to for a person to look at it."""
HOLD: Final = Hold(resolution="fraud_suspected", rule_ids=("rul_1",), reason="It is large.")
ROUTE: Final = Route(
    provider="bank",
    credentials=Credentials(provider_account_id="ma_1", merchant_id="shop", test_mode=True, secrets={}),
)


class Gateway(Refunding, Reviewing):
    """All of Kassa's processes."""

    def live(self) -> None:
        """Run the worker for as long as there is time; it is started again after each death."""
        self.scheduler.reborn = self.live
        self.scheduler.start(self._work())

    def pay(self, invoice_id: str, attempt_number: int) -> Steps:
        """A payer's card arrives, for the attempt that their form had: ``cardgate.charge.pay``."""
        payment_id = self.id("pay")

        def begin(snapshot: Snapshot) -> Change:
            begun = begin_attempt(snapshot.invoice, attempt_number=attempt_number, payment_id=payment_id, now=self.now)
            payment = attempt.begin(
                begun, ROUTE, status=PaymentStatus.PROCESS_PENDING, card=None, client_ip="", now=self.now
            )
            return settling.begin(snapshot, begun, payment, now=self.now)

        try:
            snapshot, _ = yield from self.change(invoice_id, begin)
        except InvoiceNotPayable:
            return
        payment = snapshot.attempt(payment_id)
        assert payment is not None
        outcome: Outcome | None = None
        if patience.in_time(payment.created_at, now=self.now):
            outcome = yield Call(
                ask=lambda: self.bank.pay(payment_id, payment.amount), patience=float(patience.ANSWER_SECONDS)
            )
        yield from self.apply_result(payment, outcome or Pending())

    def poll(self, payment: Payment) -> Steps:
        """``operations.polling.poll``: the worker's, or the returning payer's."""
        asked_at = self.now
        outcome = yield Call(ask=lambda: self.bank.status(payment.payment_id), patience=ASK_SECONDS)
        outcome = patience.believed(outcome or Pending(), payment.created_at, asked_at=asked_at)
        if payment.status in TAKEN:
            yield from self.apply_disputes(payment, outcome)
        else:
            yield from self.apply_result(payment, outcome)

    def cancel(self, payment: Payment) -> Steps:
        """A payer who cannot confirm wants to use another card: ``operations.cancel.cancel``."""
        asked_at = self.now
        outcome = yield Call(ask=lambda: self.bank.cancel(payment.payment_id), patience=float(patience.ANSWER_SECONDS))
        outcome = patience.believed(outcome or Pending(), payment.created_at, asked_at=asked_at)
        yield from self.apply_result(payment, outcome)

    def apply_result(self, payment: Payment, outcome: Outcome) -> Steps:
        """``operations.pay.apply_result``."""
        refund_id, decision_id = self.id("ref"), self.id("dec")

        def answered(snapshot: Snapshot) -> tuple[Payment, Payment]:
            current = snapshot.attempt(payment.payment_id)
            assert current is not None
            late_success = self.account.late_success
            return current, settling.answered(snapshot, current, outcome, late_success=late_success, now=self.now)

        def decide(snapshot: Snapshot) -> Change | None:
            current, after = answered(snapshot)
            hold = HOLD if (after.processed_amount or 0) >= LARGE and current.status not in TAKEN else None
            return settling.apply(
                snapshot, current, after, hold=hold, refund_id=refund_id, decision_id=decision_id, now=self.now
            )

        snapshot, changed = yield from self.change(payment.invoice_id, decide, payment_id=payment.payment_id)
        if not changed:
            current, after = answered(snapshot)
            self.store.reschedule(current, after.due_at)

    def apply_disputes(self, payment: Payment, outcome: Outcome) -> Steps:
        """``operations.dispute.apply``."""
        if isinstance(outcome, Pending):
            snapshot = self.store.read(payment.invoice_id, payment.payment_id)
        elif isinstance(outcome, Accepted):
            snapshot = yield from self._apply_each(payment, outcome)
        else:
            raise Broken(f"{payment.payment_id} was taken, and the bank says {outcome}")
        current = snapshot.attempt(payment.payment_id)
        assert current is not None
        yield self.statement()
        if isinstance(outcome, Pending):
            due_at = attempt.wait(current, external_id=None, now=self.now).due_at
        else:
            due_at = attempt.woken(current, self.now) if current.due_at != payment.due_at else None
        self.store.reschedule(current, due_at)

    def _apply_each(self, payment: Payment, outcome: Accepted) -> Generator[Wait | Call, Any, Snapshot]:
        # What each opens, books, closes and moves: four changes are more than one dispute can make in one answer.
        for _ in range(4 * len(outcome.disputes) + 1):
            new_id = self.id("dis")

            def decide(snapshot: Snapshot, new_id: str = new_id) -> Change | None:
                current = snapshot.attempt(payment.payment_id)
                assert current is not None
                return dispute.apply(snapshot, current, outcome, fee=1_500, new_id=new_id, now=self.now)

            snapshot, changed = yield from self.change(payment.invoice_id, decide, payment_id=payment.payment_id)
            if not changed:
                return snapshot
        raise Broken(f"the disputes of {payment.payment_id} never end")

    def hear(self, notice: Notice) -> None:
        """A genuine notification: ``wake`` of ``tables.payments`` and ``tables.refunds``."""
        if notice.refund_id is not None:
            refund = self.store.refunds.get(notice.refund_id)
            open_ = refund is not None and refund.status is not RefundStatus.REFUND_ERROR and not refund.reversed_at
            if refund is not None and open_ and (refund.due_at is None or refund.due_at > self.now):
                self.store.refunds[refund.refund_id] = replace(refund, due_at=self.now)
            return
        payment = self.store.payments.get(notice.payment_id)
        if payment is None:
            return
        later = payment.due_at is not None and payment.due_at > self.now
        ended = payment.due_at is None and (payment.status in FAILED or notice.dispute)
        if later or ended:
            self.store.payments[payment.payment_id] = replace(payment, due_at=self.now)

    def _work(self) -> Steps:
        while True:
            for payment in [each for each in self.store.payments.values() if self._due(each.due_at)]:
                claimed = replace(payment, due_at=self.now + LEASE, polls=payment.polls + 1)
                self.store.payments[payment.payment_id] = claimed
                self.scheduler.start(self.poll(claimed))
            for refund in [each for each in self.store.refunds.values() if self._due(each.due_at)]:
                taken = replace(refund, due_at=self.now + LEASE, polls=refund.polls + 1)
                self.store.refunds[refund.refund_id] = taken
                self.scheduler.start(self.poll_refund(taken))
            for invoice in [each for each in self.store.invoices.values() if self._due(each.due_at)]:
                self.store.invoices[invoice.invoice_id] = replace(invoice, due_at=self.now + LEASE)
                self.scheduler.start(self._expire(invoice.invoice_id))
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

    def _expire(self, invoice_id: str) -> Steps:
        """``operations.expire``: end the invoice if it is still open, else release its reserve."""
        _, ended = yield from self.change(invoice_id, lambda snapshot: settling.expire(snapshot, now=self.now))
        if not ended:
            yield from self.change(invoice_id, self._release)

    def _release(self, snapshot: Snapshot) -> Change | None:
        at = snapshot.invoice.release_at
        return None if at is None or self.now < at else reserve.release(snapshot, now=self.now)

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


UNSETTLED: Final = UNDECIDED | {PaymentStatus.PROCESS_ERROR}
"""Statuses that nothing may rest in."""
