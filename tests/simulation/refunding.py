"""Refunds over the model store: ``kassa.invoices.operations.refund``."""

from decimal import Decimal

from kassa.errors import Invalid
from kassa.invoices.rules import patience
from kassa.invoices.rules import refund as refunds
from kassa.invoices.rules.records import Refund
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.invoices.tables.carrying import ReferenceTaken
from kassa.providers.protocol import Outcome, Pending
from tests.simulation.process import ASK_SECONDS, Process
from tests.simulation.scheduler import Call, Steps


class Refunding(Process):
    """Money that a merchant sends back, or that never was theirs."""

    def refund(self, invoice_id: str, reference: str, amount: int) -> Steps:
        """A merchant's refund: ``operations.refund`` ``request`` and ``send``."""
        refund_id = self.id("ref")

        def begin(snapshot: Snapshot) -> Change:
            return refunds.request(
                snapshot,
                refund_id=refund_id,
                reference_id=reference,
                amount=Decimal(amount) / 100,
                description=None,
                fee=50,
                by="merchant",
                now=self.now,
            )

        try:
            snapshot, _ = yield from self.change(invoice_id, begin)
        except (Invalid, ReferenceTaken):
            return
        refund = snapshot.refund(refund_id)
        assert refund is not None
        if patience.in_time(refund.created_at, now=self.now):
            yield from self._ask_for(refund, patience_seconds=float(patience.ANSWER_SECONDS))
        else:
            yield from self.apply_refund(refund, Pending())

    def poll_refund(self, refund: Refund) -> Steps:
        """``operations.refund.poll``: one that no merchant asked for is sent by its first poll."""
        if refund.pending and not refund.requested:
            yield from self._ask_for(refund, patience_seconds=ASK_SECONDS)
            return
        asked_at = self.now
        outcome = yield Call(
            ask=lambda: self.bank.refund_status(refund.refund_id, refund.payment_id), patience=ASK_SECONDS
        )
        yield from self.apply_refund(
            refund, patience.believed(outcome or Pending(), refund.created_at, asked_at=asked_at)
        )

    def _ask_for(self, refund: Refund, *, patience_seconds: float) -> Steps:
        asked_at = self.now
        outcome = yield Call(
            ask=lambda: self.bank.refund(refund.refund_id, refund.payment_id, refund.provider_amount),
            patience=patience_seconds,
        )
        yield from self.apply_refund(
            refund, patience.believed(outcome or Pending(), refund.created_at, asked_at=asked_at)
        )

    def apply_refund(self, refund: Refund, outcome: Outcome) -> Steps:
        """``operations.refund.apply_result``."""

        def decide(snapshot: Snapshot) -> Change | None:
            return refunds.apply(snapshot, refund.refund_id, outcome, asked=refund.status, now=self.now)

        snapshot, changed = yield from self.change(refund.invoice_id, decide, payment_id=refund.payment_id)
        if not changed:
            current = snapshot.refund(refund.refund_id)
            assert current is not None
            self.store.reschedule(
                current, refunds.reschedule(snapshot, refund.refund_id, outcome, asked=refund.status, now=self.now)
            )
