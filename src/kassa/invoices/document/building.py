"""The invoice as merchants see it, made from what the database holds (contract#public-api, contract#private-api)."""

from datetime import datetime
from typing import Any, Final

import msgspec

from kassa import money
from kassa.accounts.model import Account
from kassa.customers.document import json_map, resource
from kassa.invoices.document import instruments, wire
from kassa.invoices.document.shapes import Links, Reference, Relation
from kassa.invoices.document.statuses import PaymentStatus, Status
from kassa.invoices.rules import conversion
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.invoice import Status as InvoiceStatus
from kassa.invoices.rules.records import Refund, RefundStatus
from kassa.invoices.rules.refundable import sent_back
from kassa.invoices.rules.snapshot import CallbackLog, Snapshot
from kassa.platform import Platform
from kassa.rates.model import to_text

NULL: Final = msgspec.Raw(b"null")
EMPTY: Final = msgspec.Raw(b"[]")


def private(
    platform: Platform, account: Account, snapshot: Snapshot, *, include_customer: bool = False
) -> wire.Document:
    """Return the private document of an invoice."""
    included = [resource(snapshot.customer)] if snapshot.customer and include_customer else []
    return wire.Document(
        data=_resource(platform, account, snapshot), included=included if include_customer else msgspec.UNSET
    )


def callback_body(platform: Platform, account: Account, snapshot: Snapshot) -> bytes:
    """Return the bytes of a callback: the document at this moment, without logs, with the customer.

    See contract#callbacks.
    """
    bare = msgspec.structs.replace(snapshot, callbacks=())
    return msgspec.json.encode(private(platform, account, bare, include_customer=True))


def public(platform: Platform, account: Account, snapshot: Snapshot) -> wire.PublicDocument:
    """Return the public document of an invoice."""
    invoice = snapshot.invoice
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
            refunded_amount=_amount(*_returned(snapshot)),
            description=invoice.description,
            has_return_url=invoice.return_url is not None or invoice.return_urls is not None,
            status=Status(invoice.status),
            resolution=_public_resolution(snapshot).upper(),
            service=invoice.service,
            service_method=invoice.service_method,
            service_flow=invoice.service_flow,
            service_currency=invoice.service_currency,
            metadata=json_map(invoice.metadata),
            active_payment=_active_payment(platform, snapshot),
        )
    )


def unix(moment: datetime) -> int:
    """Return a moment in whole unix seconds, as every answer writes times."""
    return int(moment.timestamp())


def serial_number(invoice: Invoice) -> str:
    """Return an invoice's id without its prefix."""
    return invoice.invoice_id.removeprefix("cpi_")


def _resource(platform: Platform, account: Account, snapshot: Snapshot) -> wire.Resource:
    invoice = snapshot.invoice
    return wire.Resource(
        id=invoice.invoice_id,
        attributes=_attributes(platform, account, snapshot),
        relationships=wire.Relationships(
            payment_service=Relation(data=Reference(type="payment-services", id=invoice.service)),
            payment_method=Relation(data=Reference(type="payment-methods", id=invoice.service_method)),
            customer=Relation(
                data=Reference(type="customers", id=invoice.customer_id) if invoice.customer_id else None
            ),
        ),
        links=Links(self=f"/api/payment-invoices/{invoice.invoice_id}"),
    )


def _attributes(platform: Platform, account: Account, snapshot: Snapshot) -> wire.Attributes:
    invoice, currency = snapshot.invoice, snapshot.invoice.currency
    return wire.Attributes(
        **_first_attributes(platform, account, snapshot),
        reserved_amount=_amount(invoice.reserved_amount, currency),
        reserve_expires=_unix_or_none(invoice.reserve_expires_at),
        unreserved=_unix_or_none(invoice.unreserved_at),
        source=invoice.source,
        callback_logs=_logs(snapshot.callbacks),
        hpp_url=f"{platform.settings.base_url}/hpp/?cpi={invoice.invoice_id}",
        return_urls=json_map(invoice.return_urls),
        service_amount=_amount(invoice.service_amount, invoice.service_currency),
        payment_service_amount=_amount(invoice.service_amount, invoice.service_currency),
        exchange_rate=msgspec.Raw(to_text(invoice.exchange_rate).encode()),
        refunded=_unix_or_none(max(_went_back(snapshot), default=None)),
        refunded_fee=_amount(_refunded_fee(snapshot), currency),
        failed=_unix_or_none(invoice.failed_at),
        arn=None,
        charged_back_amount=_amount(snapshot.charged_back_amount or None, currency),
        charged_back=_unix_or_none(max((each.opened_at for each in snapshot.chargebacks), default=None)),
        resolution_message=None,
        refunds=[_refund(refund) for refund in snapshot.requested],
        reserves=_reserves(invoice),
    )


def _first_attributes(platform: Platform, account: Account, snapshot: Snapshot) -> dict[str, Any]:
    """Return the members that the contract has had from the first."""
    invoice, payment, currency = snapshot.invoice, snapshot.payment, snapshot.invoice.currency
    return {
        "serial_number": serial_number(invoice),
        "status": Status(invoice.status),
        "resolution": invoice.resolution,
        "moderation_required": invoice.moderation_required,
        "amount": _amount(invoice.amount, currency),
        "payment_amount": _amount(invoice.payment_amount, currency),
        "currency": currency,
        "service_currency": invoice.service_currency,
        "reference_id": invoice.reference_id,
        "test_mode": invoice.test_mode,
        "fee": _amount(invoice.fee, currency),
        "deposit": _amount(invoice.deposit, currency),
        "processed": _unix_or_none(invoice.processed_at),
        "processed_amount": _amount(invoice.processed_amount, currency),
        "refunded_amount": _amount(*_returned(snapshot)),
        "processed_fee": _amount(invoice.processed_fee, currency),
        "processed_deposit": _amount(invoice.processed_deposit, currency),
        "metadata": json_map(invoice.metadata),
        "flow_data": _form(platform, snapshot),
        "flow": invoice.service_flow,
        "payment_flow": invoice.payment_flow,
        "created": unix(invoice.created_at),
        "updated": unix(invoice.updated_at),
        "payload": instruments.payload(payment),
        "description": invoice.description,
        "descriptor": invoice.descriptor,
        "callback_url": invoice.callback_url,
        "return_url": invoice.return_url,
        "original_data": instruments.original_data(account, invoice, payment),
        "rrn": payment.rrn if payment else None,
        "approval_code": payment.approval_code if payment else None,
    }


def _form(platform: Platform, snapshot: Snapshot) -> wire.Form | None:
    """Return where the payer goes: to the card gate's session, or to the provider's own page."""
    invoice, payment = snapshot.invoice, snapshot.payment
    if invoice.session_id is not None:
        return wire.Form(
            action=f"{platform.settings.gate_url}/hpp/{invoice.session_id}",
            method="GET",
            params=EMPTY,
            metadata=msgspec.Raw(msgspec.json.encode({"sid": invoice.session_id, "token": invoice.token})),
        )
    if payment is None or payment.action is None or payment.action_method is None:
        return None
    return wire.Form(
        action=payment.action,
        method=payment.action_method,
        params=msgspec.Raw(msgspec.json.encode(payment.action_params)) if payment.action_params else EMPTY,
        metadata=EMPTY,
    )


def _public_resolution(snapshot: Snapshot) -> str:
    """Return the reason for an invoice's status, as the payer may know it."""
    invoice, payment = snapshot.invoice, snapshot.payment
    of_payment = payment is not None and payment.resolution == invoice.resolution
    return payment.public_resolution if payment is not None and of_payment else invoice.resolution


def _active_payment(platform: Platform, snapshot: Snapshot) -> wire.ActivePayment | None:
    form = _form(platform, snapshot)
    if form is None:
        return None
    if snapshot.payment is not None:
        status, resolution = payment_status(snapshot, snapshot.payment), snapshot.payment.public_resolution
    elif snapshot.invoice.status is InvoiceStatus.PROCESS_PENDING:
        status, resolution = PaymentStatus.INVOKED, "ok"
    else:
        status, resolution = PaymentStatus.PROCESS_FAILED, snapshot.invoice.resolution
    return wire.ActivePayment(payload=form, status=status, resolution=resolution.upper())


def payment_status(snapshot: Snapshot, payment: Payment) -> PaymentStatus:
    """Return the contract's status of an attempt: where its money has to go back, that of the refund."""
    back = snapshot.gone_back(payment)
    return PaymentStatus(payment.status) if back is None else PaymentStatus(back.status)


def _logs(callbacks: tuple[CallbackLog, ...]) -> msgspec.Raw:
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


def _returned(snapshot: Snapshot) -> tuple[int | None, str]:
    """Return what has gone back to the payer, and its currency: by refunds, or as money that was not the merchant's."""
    payment, back = snapshot.payment, snapshot.gone_back(snapshot.payment)
    if payment is not None and back is not None and back.status is RefundStatus.REFUNDED:
        return conversion.of_attempt(snapshot.invoice, payment, *back.at_provider)
    return sent_back(snapshot.requested) or None, snapshot.invoice.currency


def _went_back(snapshot: Snapshot) -> list[datetime]:
    """Return when money went back to the payer."""
    back = snapshot.gone_back(snapshot.payment)
    refunds = snapshot.requested if back is None else (back, *snapshot.requested)
    return [refund.updated_at for refund in refunds if refund.status is RefundStatus.REFUNDED]


def _refunded_fee(snapshot: Snapshot) -> int | None:
    fees = [refund.fee for refund in snapshot.requested if refund.status is RefundStatus.REFUNDED]
    return sum(fees) if fees else None


def _refund(refund: Refund) -> wire.Refund:
    done = refund.status is RefundStatus.REFUNDED
    return wire.Refund(
        id=refund.refund_id,
        reference_id=refund.reference_id or "",
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
