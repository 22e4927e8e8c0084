"""A person's reviews over the model store: ``kassa.invoices.operations.review``."""

from kassa.errors import NothingToDecide
from kassa.invoices.rules import review
from kassa.invoices.rules.records import Refund, RefundStatus
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.moderation.model import Decision, Verdict
from tests.simulation.process import Process
from tests.simulation.scheduler import Steps


class Reviewing(Process):
    """What people decide on money that is held, or did not go back."""

    def review(self, invoice_id: str, *, approve: bool) -> Steps:
        """A person approves or rejects what is held: ``operations.review.decide``."""
        decision_id, refund_id = self.id("dec"), self.id("ref")
        verdict = Verdict.APPROVED if approve else Verdict.REJECTED

        def decide(snapshot: Snapshot) -> Change:
            payment_id = snapshot.payment.payment_id if snapshot.payment is not None else ""
            decision = self._decision(decision_id, invoice_id, payment_id, verdict)
            if approve:
                return review.approve(snapshot, decision, now=self.now)
            return review.reject(snapshot, decision, refund_id=refund_id, now=self.now)

        try:
            yield from self.change(invoice_id, decide)
        except NothingToDecide:
            return

    def send_again(self, invoice_id: str) -> Steps:
        """A person lets go back once more what the bank would not send: ``operations.review.send_back``."""
        stuck = review.stuck(self.store.read(invoice_id), [])
        refused = [each for each in stuck if each.status is RefundStatus.REFUND_FAILED]
        for failed in refused:
            decision_id, refund_id = self.id("dec"), self.id("ref")
            decision = self._decision(decision_id, invoice_id, failed.payment_id, Verdict.RETURNED)

            def decide(
                snapshot: Snapshot,
                failed: Refund = failed,
                decision: Decision = decision,
                refund_id: str = refund_id,
                more: bool = failed is not refused[-1],  # noqa: FBT001
            ) -> Change:
                payment = snapshot.attempt(failed.payment_id)
                assert payment is not None
                return review.send_again(snapshot, payment, decision, refund_id=refund_id, flagged=more, now=self.now)

            try:
                yield from self.change(invoice_id, decide, payment_id=failed.payment_id)
            except NothingToDecide:
                return

    def _decision(self, decision_id: str, invoice_id: str, payment_id: str, verdict: Verdict) -> Decision:
        return Decision(
            decision_id=decision_id,
            invoice_id=invoice_id,
            payment_id=payment_id,
            verdict=verdict,
            decided_by="Ann",
            note=None,
            decided_at=self.now,
        )
