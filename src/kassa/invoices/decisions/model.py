"""What a person's decision makes of an invoice that waits for one. Pure."""

from datetime import datetime

import msgspec

from kassa.errors import NotApprovable, NothingToDecide
from kassa.invoices import model
from kassa.invoices.model import Invoice, Status
from kassa.payments.model import Payment, PaymentStatus


def approve(invoice: Invoice, payment: Payment, *, amount: int, now: datetime) -> Invoice:
    """Return a held invoice paid: ``amount`` is what was taken, in part if that is less than was asked for.

    Raises ``NothingToDecide`` when it is not held, ``NotApprovable`` when another currency was taken than asked for:
    nothing tells what of the invoice that has paid.
    """
    _check_held(invoice, payment)
    if payment.processed_currency != invoice.service_currency:
        raise NotApprovable
    return model.succeed(settled(invoice), amount=amount, payment_id=payment.payment_id, now=now)


def reject(invoice: Invoice, payment: Payment, *, now: datetime) -> Invoice:
    """Return a held invoice given up. Raises ``NothingToDecide`` when it is not held."""
    _check_held(invoice, payment)
    return model.fail(settled(invoice), resolution=model.REJECTED, now=now)


def settle(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice with its status, and waiting for nobody any more.

    Raises ``NothingToDecide`` where nobody is waited for, and for a held one: it is approved or rejected.
    """
    if not invoice.moderation_required or invoice.status is Status.PROCESS_ERROR:
        raise NothingToDecide
    return settled(model.touch(invoice, now=now))


def settled(invoice: Invoice) -> Invoice:
    """Return the invoice waiting for nobody, whatever has been booked of it by the word that settled it."""
    return msgspec.structs.replace(invoice, moderation_required=False)


def _check_held(invoice: Invoice, payment: Payment) -> None:
    if (invoice.status, payment.status) != (Status.PROCESS_ERROR, PaymentStatus.PROCESS_ERROR):
        raise NothingToDecide
