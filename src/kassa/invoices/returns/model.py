"""How much of an invoice may go back to its payer, and what its status is after some of it went.

What refunds have given back, or may still give back, and what the payer's bank has charged back never is more than what
was taken (P5). The bank alone may break that, and then a person is called.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from kassa import money
from kassa.errors import AmountRefused, Invalid, Message
from kassa.invoices import conversion
from kassa.invoices.model import Invoice, Status, give_back, next_update
from kassa.invoices.reserve.model import draw, refill
from kassa.payments.model import Payment, PaymentStatus
from kassa.refunds.model import Refund, RefundStatus, claimed, claimed_at_provider, sent_back

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


def left(invoice: Invoice, refunds: list[Refund]) -> int:
    """Return how much may still be refunded, in minor units."""
    if invoice.status not in REFUNDABLE:
        return 0
    charged_back = invoice.charged_back_amount or 0
    return max((invoice.processed_amount or 0) - charged_back - claimed(refunds), 0)


def wanted(invoice: Invoice, refunds: list[Refund], amount: Decimal | None) -> int:
    """Return what a refund that is asked for comes to in minor units: the amount, or all that is left.

    Raises ``Invalid`` for an amount that cannot be paid, and for more than is left.
    """
    most = left(invoice, refunds)
    try:
        minor = most if amount is None else money.to_minor(amount, invoice.currency)
    except AmountRefused as error:
        raise Invalid({"amount": error.detail}) from None
    if most == 0 and invoice.processed_amount is None:
        raise Invalid({"amount": Message("This invoice is not paid, so there is nothing to refund.")})
    if most == 0:
        raise Invalid({"amount": Message("There is nothing to refund.")})
    if minor > most:
        told = Message("This value should be %(most)s or less.", most=money.to_text(most, invoice.currency))
        raise Invalid({"amount": told})
    return minor


def merchants(invoice: Invoice, payment: Payment, *, currency: str) -> bool:
    """Tell whether what a provider took in a currency by an attempt is what paid the invoice."""
    paid_by_it = payment.status is PaymentStatus.PROCESSED and invoice.processed_amount is not None
    return paid_by_it and currency == invoice.service_currency


def provider_amount(invoice: Invoice, payment: Payment, refunds: list[Refund], amount: int) -> tuple[int, str]:
    """Return what a provider is asked to send back for an amount of an invoice, and its currency.

    It is what all comes to that has gone back then, less what went before: however it is cut, parts sum to the whole.
    Raises ``Invalid`` for an amount that comes to nothing there.
    """
    gone = claimed(refunds) + (invoice.charged_back_amount or 0)
    gone_there = claimed_at_provider(refunds) + (invoice.charged_back_service_amount or 0)
    back = conversion.to_provider(invoice, payment, gone + amount) - gone_there
    if back <= 0:
        raise Invalid(
            {"amount": Message("This value comes to nothing in %(currency)s.", currency=invoice.service_currency)}
        )
    return back, invoice.service_currency


def begun(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice with one more refund about to be asked for."""
    return give_back(invoice, Status.REFUNDING, resolution="ok", now=now)


def followed(invoice: Invoice, refund: Refund, refunds: Iterable[Refund], *, now: datetime) -> Invoice:
    """Return the invoice after an answer about one of its refunds; ``refunds`` are all as they are now.

    While others are under way it waits with them, and the last to end gives the status.
    """
    of_now = list(refunds)
    wrong = refund.status is RefundStatus.REFUND_ERROR or _exceeded(invoice, of_now)
    if not any(each.under_way for each in of_now):
        status = _ended(invoice, of_now)
    elif refund.under_way and invoice.status is Status.REFUNDING:
        status = Status.REFUND_PENDING
    else:
        status = invoice.status
    flagged = invoice.moderation_required or wrong
    return give_back(invoice, status, resolution=refund.resolution, now=now, moderation_required=flagged)


def came_to(invoice: Invoice, payment: Payment, refunds: list[Refund], wrong: Refund) -> int:
    """Return what of an invoice one of its refunds has given back that was not made as asked, in minor units.

    Nothing tells what money in another currency is of the invoice: it stands for what was asked for.
    """
    amount, currency = wrong.at_provider
    if currency != wrong.provider_currency:
        return wrong.amount
    others = [each for each in refunds if each.refund_id != wrong.refund_id]
    gone = claimed(others) + (invoice.charged_back_amount or 0)
    gone_there = claimed_at_provider(others) + (invoice.charged_back_service_amount or 0)
    return max(_share(invoice, payment, amount, gone=gone, gone_there=gone_there), 0)


def reserve_moved(invoice: Invoice, refund: Refund, *, was: RefundStatus, now: datetime) -> tuple[Invoice, int]:
    """Return the invoice with its reserve as a refund's new status leaves it, and how much moved into it or out of it.

    What a refund that failed had drawn is held again; one that the provider tells of late draws anew. One that is
    settled draws for what more went back than asked, and holds again what less did: that is told as less than nothing.
    """
    match was, refund.status:
        case (RefundStatus.REFUND_PENDING, RefundStatus.REFUND_FAILED):
            return refill(invoice, refund.reserve, now=now)
        case (RefundStatus.REFUND_FAILED, RefundStatus.REFUNDED | RefundStatus.REFUND_ERROR):
            return draw(invoice, refund.amount)
        case (RefundStatus.REFUND_ERROR, RefundStatus.REFUNDED) if refund.counted > refund.amount:
            return draw(invoice, refund.counted - refund.amount)
        case (RefundStatus.REFUND_ERROR, RefundStatus.REFUNDED):
            after, held = refill(invoice, min(refund.amount - refund.counted, refund.reserve), now=now)
            return after, -held
        case _:
            return invoice, 0


def charged_back(
    invoice: Invoice, payment: Payment, refunds: list[Refund], service_total: int, *, now: datetime
) -> Invoice:
    """Return the invoice after the payer's bank took money back, ``service_total`` with what it took before.

    A bank that takes more than there was, because some had gone back already, is believed and a person called.
    """
    total = _charged_back(invoice, payment, refunds, service_total)
    after = msgspec.structs.replace(
        invoice, charged_back_amount=total, charged_back_service_amount=service_total, charged_back_at=now
    )
    everything = sent_back(refunds) + total >= (invoice.processed_amount or 0)
    status = Status.CHARGED_BACK if everything else Status.PARTIALLY_CHARGED_BACK
    flagged = invoice.moderation_required or _exceeded(after, refunds)
    moved = give_back(after, status, resolution="ok", now=now, moderation_required=flagged)
    return msgspec.structs.replace(moved, updated_at=next_update(invoice.updated_at, now))


def _charged_back(invoice: Invoice, payment: Payment, refunds: list[Refund], service_total: int) -> int:
    """Return what charge-backs come to in the invoice's currency: never less than before, and never nothing.

    As with refunds, together with these, so that parts sum to the whole; alone where the bank took more than is left.
    """
    gone, gone_there = claimed(refunds), claimed_at_provider(refunds)
    total = _share(invoice, payment, service_total, gone=gone, gone_there=gone_there)
    return max(total, invoice.charged_back_amount or 1)


def _share(invoice: Invoice, payment: Payment, minor: int, *, gone: int, gone_there: int) -> int:
    """Return what an amount at the provider is of an invoice of which ``gone`` went back before."""
    if gone_there + minor <= (payment.processed_amount or 0):
        return conversion.from_provider(invoice, payment, gone_there + minor) - gone
    return conversion.from_provider(invoice, payment, minor)


def _exceeded(invoice: Invoice, refunds: list[Refund]) -> bool:
    return sent_back(refunds) + (invoice.charged_back_amount or 0) > (invoice.processed_amount or 0)


def _ended(invoice: Invoice, refunds: list[Refund]) -> Status:
    """Return the status of an invoice none of whose refunds is under way."""
    gone, taken = sent_back(refunds), invoice.charged_back_amount or 0
    if invoice.status in (Status.CHARGED_BACK, Status.REFUNDED):
        return invoice.status
    if any(refund.status is RefundStatus.REFUND_ERROR for refund in refunds):
        return Status.REFUND_ERROR
    if gone:
        return Status.REFUNDED if gone + taken >= (invoice.processed_amount or 0) else Status.PARTIALLY_REFUNDED
    return Status.PARTIALLY_CHARGED_BACK if taken else Status.REFUND_FAILED
