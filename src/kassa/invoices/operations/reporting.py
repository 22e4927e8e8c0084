"""The business events of invoices, attempts, refunds, disputes and reviews: log lines for each change that was written.

All are made from the change; ``kassa.observability.events`` writes it after the commit.
"""

from functools import partial
from typing import Final

from kassa import money
from kassa.invoices.rules.attempt import FAILED, UNDECIDED, Payment, PaymentStatus
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.invoices.rules.records import Dispute, DisputeStatus, Refund, RefundStatus
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.moderation.model import Verdict
from kassa.observability import events, metrics

INVOICE_EVENTS: Final = {
    Status.PROCESS_PENDING: "invoice.ready",
    Status.PROCESSED: "invoice.paid",
    Status.PARTIALLY_PROCESSED: "invoice.paid",
    Status.PROCESS_ERROR: "review.held",
    Status.VERIFIED: "invoice.verified",
    Status.PROCESS_FAILED: "invoice.failed",
    Status.VERIFY_FAILED: "invoice.failed",
    Status.REFUND_PENDING: "refund.pending",
}
"""By the status that an invoice moves to. Refunds and chargebacks, which lead to the others, have their own lines."""

ATTEMPT_EVENTS: Final = {
    PaymentStatus.PROCESS_PENDING: "attempt.pending",
    PaymentStatus.INVOKED: "attempt.redirected",
    PaymentStatus.INVOKE_FAILED: "attempt.declined",
    PaymentStatus.PROCESS_FAILED: "attempt.declined",
    PaymentStatus.PROCESSED: "attempt.succeeded",
    PaymentStatus.PROCESS_ERROR: "attempt.held",
}
"""By the status that an attempt moves to."""

# A refund that no merchant asked for is a ``return``.
REFUND_EVENTS: Final = {
    RefundStatus.REFUNDED: "refund.succeeded",
    RefundStatus.REFUND_FAILED: "refund.failed",
    RefundStatus.REFUND_ERROR: "refund.mismatched",
}

_REVIEW_EVENTS: Final = {
    Verdict.APPROVED: "review.approved",
    Verdict.REJECTED: "review.rejected",
    Verdict.RETURNED: "review.returned",
    Verdict.SETTLED: "review.settled",
}
_WARNINGS: Final = frozenset(
    {"review.held", "refund.failed", "refund.mismatched", "refund.reversed"}
    | {"return.failed", "return.mismatched", "return.reversed"}
)
"""What a person may have to look at."""


def report(change: Change) -> None:
    """Write the lines of a change that was carried out."""
    before, after = change.before, change.after
    invoice = after.invoice
    if before is None:
        _of_invoice("invoice.created", invoice)
    if change.review is not None and change.review.verdict in _REVIEW_EVENTS:
        _of_invoice(_REVIEW_EVENTS[change.review.verdict], invoice, payment=after.payment, by=change.review.decided_by)
    for payment in (after.payment, after.earlier):
        if payment is not None:
            _report_attempt(invoice, before.attempt(payment.payment_id) if before else None, payment)
    for refund in after.refunds:
        _report_refund(invoice, before.refund(refund.refund_id) if before else None, refund)
    if before is not None:
        _report_invoice(invoice, before.invoice, after.payment)
        _report_disputes(before, after)


def _report_invoice(invoice: Invoice, before: Invoice, payment: Payment | None) -> None:
    if invoice.unreserved_at is not None and before.unreserved_at is None:
        _released(invoice, amount=before.reserve_left)
    name = INVOICE_EVENTS.get(invoice.status)
    # A dispute that was won leads back to a status that was reported when it was reached first.
    again = invoice.processed_at is not None and invoice.processed_at == before.processed_at and name == "invoice.paid"
    if invoice.status is before.status or name is None or again:
        return
    if name == "invoice.failed" and invoice.resolution == "expired":
        name = "invoice.expired"
    _of_invoice(name, invoice, payment=payment)


def _report_attempt(invoice: Invoice, before: Payment | None, payment: Payment) -> None:
    if before is None:
        _of_payment("attempt.started", invoice, payment)
        return
    challenged = payment.action is not None and before.action is None
    if payment.status is before.status:
        name = "attempt.redirected" if challenged else None
    elif before.status is PaymentStatus.PROCESS_ERROR and payment.unexpected:
        name = None  # It was rejected in review, which is reported as such.
    else:
        name = ATTEMPT_EVENTS.get(payment.status)
    if name is not None:
        _of_payment(name, invoice, payment, was=before.status)


def _report_refund(invoice: Invoice, before: Refund | None, refund: Refund) -> None:
    name = "refund.started" if before is None else REFUND_EVENTS.get(refund.status)
    if name is None or (before is not None and before.status is refund.status):
        return
    if refund.reversed_at is not None:
        name = "refund.reversed"
    _of_refund(name if refund.requested else name.replace("refund.", "return."), invoice, refund)


def _report_disputes(before: Snapshot, after: Snapshot) -> None:
    known = {each.dispute_id: each for each in before.disputes}
    for dispute in after.disputes:
        was = known.get(dispute.dispute_id)
        if was is None:
            _of_dispute("dispute.opened", after.invoice, dispute)
        elif was.status is not dispute.status:
            _of_dispute(f"dispute.{dispute.status}", after.invoice, dispute)


def _of_dispute(name: str, invoice: Invoice, dispute: Dispute) -> None:
    events.record(
        name,
        account_id=invoice.account_id,
        invoice_id=invoice.invoice_id,
        warning=dispute.status is not DisputeStatus.WON,
        dispute_id=dispute.dispute_id,
        payment_id=dispute.payment_id,
        amount=money.to_text(dispute.amount, dispute.currency),
        currency=dispute.currency,
        status=invoice.status,
        service=invoice.service,
    )


def _released(invoice: Invoice, *, amount: int) -> None:
    events.record(
        "reserve.released",
        account_id=invoice.account_id,
        invoice_id=invoice.invoice_id,
        amount=money.to_text(amount, invoice.currency),
        currency=invoice.currency,
        service=invoice.service,
    )


def _of_invoice(name: str, invoice: Invoice, *, payment: Payment | None = None, by: str | None = None) -> None:
    paid = invoice.processed_amount if name == "invoice.paid" else None
    amount = invoice.payment_amount if paid is None else paid
    events.record(
        name,
        account_id=invoice.account_id,
        invoice_id=invoice.invoice_id,
        warning=name in _WARNINGS,
        amount=money.to_text(amount, invoice.currency),
        currency=invoice.currency,
        status=invoice.status,
        resolution=invoice.resolution,
        service=invoice.service,
        provider=payment.provider if payment else None,
        payment_id=payment.payment_id if payment else None,
        by=by,
    )


def _of_payment(name: str, invoice: Invoice, payment: Payment, *, was: PaymentStatus | None = None) -> None:
    taken = payment.processed_amount is not None and payment.processed_currency is not None
    amount, currency = (
        (payment.processed_amount or 0, payment.processed_currency or "")
        if taken
        else (payment.amount, payment.currency)
    )
    outcome = name.partition(".")[2]
    decided = was is None or was in UNDECIDED | FAILED or payment.status in FAILED
    events.record(
        name,
        account_id=invoice.account_id,
        invoice_id=invoice.invoice_id,
        warning=name in _WARNINGS,
        count=partial(_count, invoice, payment, outcome) if decided else None,
        payment_id=payment.payment_id,
        attempt=payment.attempt_number,
        amount=money.to_text(amount, currency),
        currency=currency,
        status=payment.status,
        resolution=payment.resolution,
        service=invoice.service,
        provider=payment.provider,
    )


def _of_refund(name: str, invoice: Invoice, refund: Refund) -> None:
    events.record(
        name,
        account_id=invoice.account_id,
        invoice_id=invoice.invoice_id,
        warning=name in _WARNINGS,
        refund_id=refund.refund_id,
        payment_id=refund.payment_id,
        amount=money.to_text(refund.counted, refund.currency),
        currency=refund.currency,
        status=refund.status,
        resolution=refund.resolution,
        service=invoice.service,
    )


def _count(invoice: Invoice, payment: Payment, outcome: str) -> None:
    resolution, mode = metrics.resolution(payment.resolution), metrics.mode(test_mode=payment.test_mode)
    metrics.payments_total.labels(invoice.service, payment.provider, outcome, resolution, mode).inc()
