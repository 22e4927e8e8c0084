"""How much of an invoice may go back to its payer, and what its status is after some of it went. Pure.

What refunds have given back, or may still give back, and what the payer's bank has disputed never is more than what was
taken (P5). The bank alone may break that, and then the invoice is flagged for review.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from kassa import money
from kassa.errors import AmountRefused, Invalid, Message
from kassa.invoices.rules import conversion
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Status
from kassa.invoices.rules.records import Refund, RefundStatus
from kassa.invoices.rules.snapshot import Snapshot

REFUNDS_MAX: Final = 100
"""How many refunds a merchant may ask for of one invoice: all of them are in its document and in each callback."""

REFUNDABLE: Final = frozenset(
    {
        Status.PROCESSED,
        Status.PARTIALLY_PROCESSED,
        Status.REFUNDING,
        Status.REFUND_PENDING,
        Status.PARTIALLY_REFUNDED,
        Status.REFUND_FAILED,
        Status.PARTIALLY_CHARGED_BACK,
    }
)
"""Statuses in which a refund may begin."""


def sent_back(refunds: Iterable[Refund]) -> int:
    """Return what refunds have given back, in minor units."""
    return sum(refund.counted for refund in refunds if refund.status is RefundStatus.REFUNDED)


def claimed(refunds: Iterable[Refund]) -> int:
    """Return what refunds have given back or may still give back: all but those that failed, in minor units."""
    return sum(refund.counted for refund in refunds if refund.status is not RefundStatus.REFUND_FAILED)


def claimed_at_provider(refunds: Iterable[Refund]) -> int:
    """Return the same in minor units of the provider's currency."""
    return sum(refund.counted_at_provider for refund in refunds if refund.status is not RefundStatus.REFUND_FAILED)


def left(snapshot: Snapshot) -> int:
    """Return how much may still be refunded, in minor units."""
    if snapshot.invoice.status not in REFUNDABLE:
        return 0
    gone = snapshot.charged_back_amount + claimed(snapshot.requested)
    return max((snapshot.invoice.processed_amount or 0) - gone, 0)


def check_amount(snapshot: Snapshot, amount: Decimal | None) -> int:
    """Return what a refund that is asked for comes to in minor units: the amount, or all that is left.

    Raises ``Invalid`` for an amount that cannot be paid, for more than is left, and for one refund too many.
    """
    invoice, most = snapshot.invoice, left(snapshot)
    try:
        minor = most if amount is None else money.to_minor(amount, invoice.currency)
    except AmountRefused as error:
        raise Invalid({"amount": error.detail}) from None
    if most == 0 and invoice.processed_amount is None:
        raise Invalid({"amount": Message("This invoice is not paid, so there is nothing to refund.")})
    if most == 0:
        raise Invalid({"amount": Message("There is nothing to refund.")})
    if minor > most:
        detail = Message("This value should be %(most)s or less.", most=money.to_text(most, invoice.currency))
        raise Invalid({"amount": detail})
    if len(snapshot.requested) >= REFUNDS_MAX:
        raise Invalid({"amount": Message("This invoice has been refunded %(most)s times already.", most=REFUNDS_MAX)})
    return minor


def provider_amount(snapshot: Snapshot, payment: Payment, amount: int) -> int:
    """Return what a provider is asked to send back for an amount of an invoice, in the service's currency.

    It is what everything comes to that has gone back then, less what went before: however it is cut, the parts sum to
    the whole. Raises ``Invalid`` for an amount that comes to nothing there.
    """
    invoice = snapshot.invoice
    gone = claimed(snapshot.requested) + snapshot.charged_back_amount
    gone_there = claimed_at_provider(snapshot.requested) + snapshot.charged_back_service_amount
    back = conversion.to_provider(invoice, payment, gone + amount) - gone_there
    if back <= 0:
        detail = Message("This value comes to nothing in %(currency)s.", currency=invoice.service_currency)
        raise Invalid({"amount": detail})
    return back


def came_to(snapshot: Snapshot, payment: Payment, wrong: Refund) -> int:
    """Return what of an invoice one of its refunds has given back that was not made as asked, in minor units.

    What money in another currency is of the invoice cannot be known: it counts as what was asked for.
    """
    amount, currency = wrong.at_provider
    if currency != wrong.provider_currency:
        return wrong.amount
    others = [each for each in snapshot.requested if each.refund_id != wrong.refund_id]
    gone = claimed(others) + snapshot.charged_back_amount
    gone_there = claimed_at_provider(others) + snapshot.charged_back_service_amount
    return max(conversion.share(snapshot.invoice, payment, amount, gone=gone, gone_there=gone_there), 0)


def ended_status(snapshot: Snapshot) -> Status:
    """Return the status of a paid invoice none of whose refunds is pending."""
    invoice, refunds = snapshot.invoice, snapshot.requested
    gone, taken = sent_back(refunds), snapshot.charged_back_amount
    whole = gone + taken >= (invoice.processed_amount or 0)
    if taken and invoice.status is Status.CHARGED_BACK:
        return Status.CHARGED_BACK
    if any(refund.status is RefundStatus.REFUND_ERROR for refund in refunds):
        return Status.REFUND_ERROR
    if gone:
        return Status.REFUNDED if whole else Status.PARTIALLY_REFUNDED
    return Status.PARTIALLY_CHARGED_BACK if taken else Status.REFUND_FAILED


def exceeds(snapshot: Snapshot) -> bool:
    """Return whether more has gone back than was taken."""
    return sent_back(snapshot.requested) + snapshot.charged_back_amount > (snapshot.invoice.processed_amount or 0)
