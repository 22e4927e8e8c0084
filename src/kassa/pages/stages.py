"""The stage of an invoice for its payer, which decides which page is shown. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from kassa.catalogue.fields import TEST_FLOW
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice, Status

EXPIRED = "expired"
USUAL_WAIT = timedelta(seconds=20)
"""Where an answer takes longer than this, the page says so."""


class Stage(StrEnum):
    """What the payer can do, or how the payment ended."""

    PAYABLE = "payable"
    CONFIRM = "confirm"
    """The payer has to visit a page: their bank's for 3-D Secure, or the payment service's."""
    PENDING = "pending"
    """The provider was sent the payment, and its answer is not known."""
    REVIEW = "review"
    """The payment is held for a person's review."""
    PAID = "paid"
    RETURNED = "returned"
    FAILED = "failed"
    EXPIRED = "expired"


def stage(invoice: Invoice, payment: Payment | None, *, now: datetime) -> Stage:
    """Return the stage; ``payment`` is the latest attempt."""
    match invoice.status:
        case Status.CREATED | Status.PROCESS_PENDING:
            return _open(invoice, payment, now=now)
        case Status.PROCESS_ERROR:
            return Stage.REVIEW
        case Status.PROCESS_FAILED | Status.VERIFY_FAILED:
            return Stage.EXPIRED if invoice.resolution == EXPIRED else Stage.FAILED
        case Status.REFUNDED | Status.CHARGED_BACK:
            return Stage.RETURNED
        case _:
            return Stage.PAID


def _open(invoice: Invoice, payment: Payment | None, *, now: datetime) -> Stage:
    if payment is not None and payment.live:
        # The test service has no page for the payer: its action leads to our own.
        return Stage.CONFIRM if payment.action and invoice.service_flow != TEST_FLOW else Stage.PENDING
    if now >= invoice.expires_at:
        return Stage.EXPIRED
    return Stage.PAYABLE if invoice.attempts_left > 0 else Stage.FAILED


def unsettled(current: Stage, payment: Payment | None) -> bool:
    """Return whether the page may change by itself, so that its script should poll."""
    late = current is Stage.EXPIRED and payment is not None and payment.live
    return late or current in {Stage.CONFIRM, Stage.PENDING, Stage.REVIEW}


def overdue(current: Stage, payment: Payment | None, *, now: datetime) -> bool:
    """Return whether the provider's answer takes longer than usual."""
    return current is Stage.PENDING and payment is not None and now - payment.updated_at >= USUAL_WAIT
