"""What a provider's answer makes of an attempt and of its invoice. Pure: ``operations`` saves, books and tells."""

from datetime import datetime

from kassa.accounts.model import Account, Route
from kassa.errors import InvoiceNotPayable
from kassa.invoices import conversion, model
from kassa.invoices.model import Invoice, Status
from kassa.payments import model as payment_model
from kassa.payments import returning
from kassa.payments.model import CardFacts, Payment, PaymentStatus
from kassa.payments.patience import ASK_AFTER_BEGIN
from kassa.providers.protocol import Accepted, Declined, Outcome


def attempt(
    invoice: Invoice, route: Route, *, status: PaymentStatus, card: CardFacts | None, client_ip: str, now: datetime
) -> Payment:
    """Return the invoice's latest attempt, about to be asked for at the route's provider."""
    if invoice.payment_id is None:
        raise InvoiceNotPayable
    return Payment(
        account_id=invoice.account_id,
        payment_id=invoice.payment_id,
        invoice_id=invoice.invoice_id,
        number=invoice.attempts,
        test_mode=invoice.test_mode,
        status=status,
        resolution="ok",
        provider=route.provider,
        provider_account_id=route.credentials.provider_account_id,
        merchant_id=route.credentials.merchant_id,
        amount=invoice.service_amount,
        currency=invoice.service_currency,
        card=card,
        client_ip=client_ip,
        created_at=now,
        updated_at=now,
        due_at=now + ASK_AFTER_BEGIN,
    )


def answered(
    account: Account, invoice: Invoice, current: Payment, outcome: Outcome, *, asked: PaymentStatus, now: datetime
) -> Payment | None:
    """Return what an answer makes of an attempt, or None where it says nothing new.

    ``asked`` is the attempt's status when the provider was asked.
    """
    if current.status is PaymentStatus.REFUND_PENDING:
        # An answer to an older question, about the payment, says nothing of the refund.
        return returning.refund_answered(current, outcome, now=now) if asked is current.status else None
    if current.status not in payment_model.UNDECIDED | payment_model.FAILED:
        return None
    if isinstance(outcome, Accepted) and invoice.status is Status.VERIFIED:
        # Verified twice: nothing was taken, so there is nothing to keep.
        outcome = Declined(external_id=outcome.external_id, resolution="duplicated_transaction")
    refund_late = model.unwanted(invoice, late_success=account.late_success)
    after = payment_model.answered(current, outcome, refund_late=refund_late, now=now)
    return None if after == current else after


def followed(invoice: Invoice, before: Payment, payment: Payment, *, now: datetime) -> Invoice:
    """Return what an attempt's new status makes of its invoice. Only the card gate has a page to try again on."""
    retries = invoice.attempts_left > 0 and invoice.session_id is not None
    match payment.status:
        case status if status is before.status:
            # What the provider calls it is in the document; when we ask next is not.
            return invoice if payment.external_id == before.external_id else model.touch(invoice, now=now)
        case PaymentStatus.PROCESSED:
            amount, _ = conversion.taken(invoice, payment)
            return model.succeed(invoice, amount=amount, payment_id=payment.payment_id, now=now)
        case PaymentStatus.PROCESS_ERROR:
            return model.suspend(invoice, resolution=payment.resolution, payment_id=payment.payment_id, now=now)
        case PaymentStatus.PROCESS_FAILED | PaymentStatus.INVOKE_FAILED if invoice.status in model.OPEN and not retries:
            if now >= invoice.expires_at:
                return model.expire(invoice, now=now)
            return model.fail(invoice, resolution=payment.resolution, now=now)
        case PaymentStatus.INVOKED | PaymentStatus.PROCESS_PENDING if invoice.status is Status.CREATED:
            return model.offer(invoice, now=now)
        case PaymentStatus.REFUND_FAILED | PaymentStatus.REFUND_ERROR:
            return model.flag(invoice, now=now)
        case _:
            return model.touch(invoice, now=now)
