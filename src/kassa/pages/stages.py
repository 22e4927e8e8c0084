"""Where a payer stands with an invoice: the one word that decides which page is shown."""

from datetime import datetime, timedelta
from enum import StrEnum

from kassa.catalogue.fields import TEST_FLOW
from kassa.invoices.model import Invoice, Status
from kassa.payments.model import Payment

EXPIRED = "expired"
USUAL_WAIT = timedelta(seconds=20)
"""An answer that takes longer than this is worth a word to the payer."""


class Stage(StrEnum):
    """What the payer can do, or what has become of it."""

    PAYABLE = "payable"
    CONFIRM = "confirm"
    """The payer has to visit a page: his bank's for 3-D Secure, or the payment service's."""
    PENDING = "pending"
    """The provider has been asked and the answer is not known."""
    REVIEW = "review"
    """Something else was taken than was asked for: a person looks at it."""
    PAID = "paid"
    RETURNED = "returned"
    FAILED = "failed"
    EXPIRED = "expired"


USUAL_WAIT = timedelta(seconds=20)
"""An answer that takes longer than this is worth a word to the payer."""


def stage(invoice: Invoice, payment: Payment | None, *, now: datetime) -> Stage:
    """Return where the payer stands; ``payment`` is the latest attempt."""
    match invoice.status:
        case Status.CREATED | Status.PROCESSING | Status.PROCESS_PENDING:
            return _open(invoice, payment, now=now)
        case Status.PROCESS_ERROR:
            return Stage.REVIEW
        case Status.PROCESS_FAILED | Status.VERIFY_FAILED:
            return Stage.EXPIRED if invoice.resolution == EXPIRED else Stage.FAILED
        case Status.EXPIRED:
            return Stage.EXPIRED
        case Status.TERMINATED:
            return Stage.FAILED
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
    """Tell whether the page may change by itself, so that its script should look again."""
    late = current is Stage.EXPIRED and payment is not None and payment.live
    return late or current in {Stage.CONFIRM, Stage.PENDING, Stage.REVIEW}


def overdue(current: Stage, payment: Payment | None, *, now: datetime) -> bool:
    """Tell whether the payer has waited for the provider's answer longer than usual."""
    return current is Stage.PENDING and payment is not None and now - payment.updated_at >= USUAL_WAIT
