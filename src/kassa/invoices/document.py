"""The invoice as merchants see it, made from what the database holds (contract#public-api, contract#private-api)."""

from datetime import datetime
from typing import Final

import msgspec

from kassa import money
from kassa.accounts.model import Account
from kassa.customers.document import json_map, resource
from kassa.invoices import conversion, wire
from kassa.invoices.model import Invoice, Status
from kassa.invoices.queries import CallbackLog, View
from kassa.payments.model import CardFacts, Payment, PaymentStatus
from kassa.platform import Platform
from kassa.rates.model import to_text
from kassa.refunds.model import Refund, RefundStatus, sent_back

NULL: Final = msgspec.Raw(b"null")
EMPTY: Final = msgspec.Raw(b"[]")


def private(platform: Platform, account: Account, view: View, *, include_customer: bool = False) -> wire.Document:
    """Return the private document of an invoice."""
    included = [resource(view.customer)] if view.customer and include_customer else []
    return wire.Document(
        data=_resource(platform, account, view), included=included if include_customer else msgspec.UNSET
    )


def callback_body(platform: Platform, account: Account, view: View) -> bytes:
    """Return the bytes of a callback: the document at this moment, without logs, with the customer.

    See contract#callbacks.
    """
    bare = msgspec.structs.replace(view, callbacks=[])
    return msgspec.json.encode(private(platform, account, bare, include_customer=True))


def public(platform: Platform, account: Account, view: View) -> wire.PublicDocument:
    """Return the public document of an invoice."""
    invoice = view.invoice
    return wire.PublicDocument(
        data=wire.PublicInvoice(
            id=invoice.invoice_id,
            serial_number=serial_number(invoice),
            created=unix(invoice.created_at),
            test_mode=invoice.test_mode,
            reference_id=invoice.reference_id,
            currency=invoice.currency,
            amount=_amount(invoice.amount, invoice.currency),
            payment_amount=_amount(invoice.payment_amount, invoice.currency),
            processed_amount=_amount(invoice.processed_amount, invoice.currency),
            refunded_amount=_amount(*_returned(view)),
            description=invoice.description,
            has_return_url=invoice.return_url is not None or invoice.return_urls is not None,
            status=invoice.status,
            resolution=_told_resolution(view).upper(),
            service=invoice.service,
            service_method=invoice.service_method,
            service_flow=invoice.service_flow,
            service_currency=invoice.service_currency,
            metadata=json_map(invoice.metadata),
            active_payment=_active_payment(platform, view),
        )
    )


def unix(moment: datetime) -> int:
    """Return a moment in whole unix seconds, as every answer writes times."""
    return int(moment.timestamp())


def serial_number(invoice: Invoice) -> str:
    """Return an invoice's id without its prefix."""
    return invoice.invoice_id.removeprefix("cpi_")


def _resource(platform: Platform, account: Account, view: View) -> wire.Resource:
    invoice = view.invoice
    return wire.Resource(
        id=invoice.invoice_id,
        attributes=_attributes(platform, account, view),
        relationships=wire.Relationships(
            payment_service=wire.Relation(data=wire.Reference(type="payment-services", id=invoice.service)),
            payment_method=wire.Relation(data=wire.Reference(type="payment-methods", id=invoice.service_method)),
            customer=wire.Relation(
                data=wire.Reference(type="customers", id=invoice.customer_id) if invoice.customer_id else None
            ),
        ),
        links=wire.Links(self=f"/api/payment-invoices/{invoice.invoice_id}"),
    )


def _attributes(platform: Platform, account: Account, view: View) -> wire.Attributes:
    invoice, payment, currency = view.invoice, view.payment, view.invoice.currency
    return wire.Attributes(
        serial_number=serial_number(invoice),
        status=invoice.status,
        resolution=invoice.resolution,
        moderation_required=invoice.moderation_required,
        amount=_amount(invoice.amount, currency),
        payment_amount=_amount(invoice.payment_amount, currency),
        currency=currency,
        service_currency=invoice.service_currency,
        reference_id=invoice.reference_id,
        test_mode=invoice.test_mode,
        fee=_amount(invoice.fee, currency),
        deposit=_amount(invoice.deposit, currency),
        processed=_unix_or_none(invoice.processed_at),
        processed_amount=_amount(invoice.processed_amount, currency),
        refunded_amount=_amount(*_returned(view)),
        processed_fee=_amount(invoice.processed_fee, currency),
        processed_deposit=_amount(invoice.processed_deposit, currency),
        metadata=json_map(invoice.metadata),
        flow_data=_form(platform, view),
        flow=invoice.service_flow,
        payment_flow=invoice.payment_flow,
        created=unix(invoice.created_at),
        updated=unix(invoice.updated_at),
        payload=_payload(payment),
        description=invoice.description,
        descriptor=invoice.descriptor,
        callback_url=invoice.callback_url,
        return_url=invoice.return_url,
        original_data=_original_data(account, invoice, payment),
        rrn=payment.rrn if payment else None,
        approval_code=payment.approval_code if payment else None,
        reserved_amount=_amount(invoice.reserved_amount, currency),
        reserve_expires=_unix_or_none(invoice.reserve_expires_at),
        unreserved=_unix_or_none(invoice.unreserved_at),
        source=invoice.source,
        callback_logs=_logs(view.callbacks),
        hpp_url=f"{platform.settings.base_url}/hpp/?cpi={invoice.invoice_id}",
        return_urls=json_map(invoice.return_urls),
        service_amount=_amount(invoice.service_amount, invoice.service_currency),
        payment_service_amount=_amount(invoice.service_amount, invoice.service_currency),
        exchange_rate=msgspec.Raw(to_text(invoice.exchange_rate).encode()),
        refunded=_unix_or_none(max(_went_back(view), default=None)),
        refunded_fee=_amount(_refunded_fee(view), currency),
        failed=_unix_or_none(invoice.failed_at),
        arn=None,
        charged_back_amount=_amount(invoice.charged_back_amount, currency),
        charged_back=_unix_or_none(invoice.charged_back_at),
        resolution_message=None,
        refunds=[_refund(refund) for refund in view.refunds],
        reserves=_reserves(invoice),
    )


def _form(platform: Platform, view: View) -> wire.Form | None:
    """Return where the payer goes: to the card gate's session, or to the provider's own page."""
    invoice, payment = view.invoice, view.payment
    if invoice.session_id is not None:
        token = platform.tokens.sign(invoice.session_id, invoice.expires_at)
        return wire.Form(
            action=f"{platform.settings.gate_url}/hpp/{invoice.session_id}",
            method="GET",
            params=EMPTY,
            metadata=msgspec.Raw(msgspec.json.encode({"sid": invoice.session_id, "token": token})),
        )
    if payment is None or payment.action is None or payment.action_method is None:
        return None
    return wire.Form(
        action=payment.action,
        method=payment.action_method,
        params=msgspec.Raw(msgspec.json.encode(payment.action_params)) if payment.action_params else EMPTY,
        metadata=EMPTY,
    )


def _told_resolution(view: View) -> str:
    """Return why an invoice stands where it does, as whoever pays may know it."""
    invoice, payment = view.invoice, view.payment
    of_payment = payment is not None and payment.resolution == invoice.resolution
    return payment.told_resolution if payment is not None and of_payment else invoice.resolution


def _active_payment(platform: Platform, view: View) -> wire.ActivePayment | None:
    form = _form(platform, view)
    if form is None:
        return None
    if view.payment is not None:
        status, resolution = view.payment.status, view.payment.told_resolution
    elif view.invoice.status is Status.PROCESS_PENDING:
        status, resolution = PaymentStatus.INVOKED, "ok"
    else:
        status, resolution = PaymentStatus.PROCESS_FAILED, view.invoice.resolution
    return wire.ActivePayment(payload=form, status=status, resolution=resolution.upper())


def _payload(payment: Payment | None) -> wire.Payload | None:
    if payment is None or payment.card is None:
        return None
    return wire.Payload(token=None, client_ip=payment.client_ip, payment_card=_card(payment.card))


def _card(card: CardFacts) -> wire.PaymentCard:
    return wire.PaymentCard(
        last=card.last,
        mask=card.mask,
        brand=card.brand,
        first=card.first,
        holder=card.holder,
        network=card.brand,
        expiry_year=f"{card.expiry_year % 100:02}",
        issuer_name=card.issuer_name,
        expiry_month=f"{card.expiry_month:02}",
        issuer_country=card.issuer_country,
    )


def _original_data(account: Account, invoice: Invoice, payment: Payment | None) -> wire.OriginalData:
    return wire.OriginalData(
        external_id=(invoice.session_id or payment.external_id) if payment else None,
        merchant_id=payment.merchant_id if payment else None,
        provider_id=payment.external_id if payment else None,
        external_mid=account.external_mid,
        provider_code=payment.provider if payment else None,
    )


def _logs(callbacks: list[CallbackLog]) -> msgspec.Raw:
    if not callbacks:
        return EMPTY
    entries = {
        str(log.logged_at): {
            "status": log.status,
            "processed": log.processed,
            "response_code": log.response_code,
            "transaction_status": log.transaction_status,
        }
        for log in callbacks
    }
    return msgspec.Raw(msgspec.json.encode(entries))


def _reserves(invoice: Invoice) -> list[wire.Reserve]:
    if invoice.reserved_amount is None or invoice.reserve_expires_at is None:
        return []
    return [
        wire.Reserve(
            amount=_amount(invoice.reserved_amount, invoice.currency),
            left=_amount(invoice.reserve_left, invoice.currency),
            expires=unix(invoice.reserve_expires_at),
            unreserved=_unix_or_none(invoice.unreserved_at),
        )
    ]


def _returned(view: View) -> tuple[int | None, str]:
    """Return what has gone back to the payer, and its currency: by refunds, or as money that nobody waited for."""
    payment = view.payment
    if payment is not None and payment.status is PaymentStatus.REFUNDED:
        return conversion.returned(view.invoice, payment)
    return sent_back(view.refunds) or None, view.invoice.currency


def _went_back(view: View) -> list[datetime]:
    """Return when money went back to the payer."""
    payment = view.payment
    late = [payment.updated_at] if payment and payment.status is PaymentStatus.REFUNDED else []
    return [*late, *(refund.updated_at for refund in view.refunds if refund.status is RefundStatus.REFUNDED)]


def _refunded_fee(view: View) -> int | None:
    fees = [refund.fee for refund in view.refunds if refund.status is RefundStatus.REFUNDED]
    return sum(fees) if fees else None


def _refund(refund: Refund) -> wire.Refund:
    done = refund.status is RefundStatus.REFUNDED
    return wire.Refund(
        id=refund.refund_id,
        reference_id=refund.reference_id,
        amount=_amount(refund.amount, refund.currency),
        currency=refund.currency,
        refunded_amount=_amount(refund.counted if done else None, refund.currency),
        fee=_amount(refund.fee if done else None, refund.currency),
        status=refund.status,
        resolution=refund.resolution,
        description=refund.description,
        created=unix(refund.created_at),
        updated=unix(refund.updated_at),
    )


def _amount(minor: int | None, currency: str) -> msgspec.Raw:
    return NULL if minor is None else msgspec.Raw(money.to_text(minor, currency).encode())


def _unix_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else unix(moment)
