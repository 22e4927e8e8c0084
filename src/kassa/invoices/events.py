"""The business events of invoices, attempts, refunds and reviews: one log line for each change that is saved.

Called where the change is saved; ``kassa.observability.events`` writes it after the commit.
"""

from functools import partial
from typing import Final

from kassa import money
from kassa.invoices.model import Invoice, Status
from kassa.moderation.model import Verdict
from kassa.observability import events, metrics
from kassa.payments.model import FAILED, UNDECIDED, Payment, PaymentStatus
from kassa.refunds.model import Refund, RefundStatus

INVOICE_EVENTS: Final = {
    Status.PROCESS_PENDING: "invoice.ready",
    Status.PROCESSING: "invoice.processing",
    Status.PROCESSED: "invoice.paid",
    Status.PARTIALLY_PROCESSED: "invoice.paid",
    Status.PROCESS_ERROR: "review.held",
    Status.VERIFIED: "invoice.verified",
    Status.PROCESS_FAILED: "invoice.failed",
    Status.VERIFY_FAILED: "invoice.failed",
    Status.TERMINATED: "invoice.cancelled",
    Status.EXPIRED: "invoice.expired",
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
    PaymentStatus.REFUND_PENDING: "return.started",
    PaymentStatus.REFUNDED: "return.succeeded",
    PaymentStatus.REFUND_FAILED: "return.failed",
    PaymentStatus.REFUND_ERROR: "return.mismatched",
}
"""By the status that an attempt moves to. A return is money that goes back although no merchant asked for it."""

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
    {"review.held", "refund.failed", "refund.mismatched", "return.failed", "return.mismatched"}
)
"""What a person may have to look at."""


def invoice_created(invoice: Invoice, payment: Payment | None) -> None:
    """A merchant or a browser has made an invoice; a wallet's comes with its first attempt."""
    _of_invoice("invoice.created", invoice)
    if payment is not None:
        attempt_started(invoice, payment)


def invoice_changed(invoice: Invoice, *, was: Status, payment: Payment | None) -> None:
    """An invoice has another status; nothing is written where it has not."""
    name = INVOICE_EVENTS.get(invoice.status)
    if invoice.status is was or name is None:
        return
    if name == "invoice.failed" and invoice.resolution == "expired":
        name = "invoice.expired"
    _of_invoice(name, invoice, payment=payment)


def attempt_started(invoice: Invoice, payment: Payment) -> None:
    """A provider is about to be asked for the money."""
    _of_payment("attempt.started", invoice, payment)


def attempt_changed(invoice: Invoice, payment: Payment, *, was: Payment) -> None:
    """An attempt has another status, or a card's payer a page to visit; nothing is written where neither is so."""
    challenged = payment.action is not None and was.action is None
    if payment.status is was.status:
        name = "attempt.redirected" if challenged else None
    else:
        name = ATTEMPT_EVENTS.get(payment.status)
    if name is not None:
        _of_payment(name, invoice, payment, was=was.status)


def refund_started(invoice: Invoice, refund: Refund) -> None:
    """A merchant has asked for a refund."""
    _of_refund("refund.started", invoice, refund)


def refund_changed(invoice: Invoice, refund: Refund, *, was: RefundStatus) -> None:
    """A refund has another status; nothing is written where it has not."""
    name = REFUND_EVENTS.get(refund.status)
    if refund.status is not was and name is not None:
        _of_refund(name, invoice, refund)


def charged_back(invoice: Invoice, payment: Payment, *, amount: int, currency: str) -> None:
    """The payer's bank has taken money back: ``amount`` by this chargeback."""
    events.record(
        "chargeback.received",
        account_id=invoice.account_id,
        invoice_id=invoice.invoice_id,
        warning=True,
        payment_id=payment.payment_id,
        amount=money.to_text(amount, currency),
        currency=currency,
        status=invoice.status,
        service=invoice.service,
        provider=payment.provider,
    )


def reviewed(invoice: Invoice, payment: Payment, verdict: Verdict, *, by: str) -> None:
    """A person has decided."""
    name = _REVIEW_EVENTS.get(verdict)
    if name is not None:
        _of_invoice(name, invoice, payment=payment, by=by)


def reserve_released(invoice: Invoice, *, amount: int) -> None:
    """What was left of a reserve is the merchant's."""
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
        attempt=payment.number,
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
