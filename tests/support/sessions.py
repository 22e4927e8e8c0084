"""Example visits to the card gate, for the pages that are pure functions of them."""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from kassa.accounts.model import Account
from kassa.cardgate.charge import Session
from kassa.invoices.rules.attempt import CardFacts, Payment, PaymentStatus
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.invoices.rules.records import Reason, Refund
from kassa.invoices.rules.snapshot import Snapshot

NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)

ACCOUNT: Final = Account(
    account_id="coma_abcd000000000000",
    tag="abcd",
    name="Northwind Books",
    currency="EUR",
    external_mid="org_abcd000000000000",
    created_at=NOW,
)
INVOICE: Final = Invoice(
    account_id=ACCOUNT.account_id,
    invoice_id="cpi_abcd000000000000",
    test_mode=True,
    reference_id="order-7",
    source="merchant_api",
    status=Status.PROCESS_PENDING,
    resolution="ok",
    service="payment_card_usd_hpp",
    service_method="payment_card",
    service_flow="hpp",
    service_currency="USD",
    payment_flow="charge",
    currency="USD",
    amount=12345,
    payment_amount=12345,
    fee=0,
    deposit=12345,
    description="Two notebooks",
    session_id="cgi_abcd000000000000",
    attempts_max=5,
    created_at=NOW,
    updated_at=NOW,
    expires_at=NOW + timedelta(minutes=30),
)
PAYMENT: Final = Payment(
    account_id=ACCOUNT.account_id,
    payment_id="pay_abcd000000000000",
    invoice_id=INVOICE.invoice_id,
    attempt_number=1,
    test_mode=True,
    status=PaymentStatus.PROCESS_PENDING,
    resolution="ok",
    provider="test",
    provider_account_id="ma_abcd000000000000",
    merchant_id="merchant",
    amount=12345,
    currency="USD",
    card=CardFacts(
        first="512381",
        last="4321",
        length=16,
        brand="mastercard",
        holder=None,
        expiry_month=12,
        expiry_year=2030,
        fingerprint=b"",
        issuer_name=None,
        issuer_country=None,
    ),
    created_at=NOW,
    updated_at=NOW,
)
LATE_REFUND: Final = Refund(
    account_id=ACCOUNT.account_id,
    refund_id="ref_abcd000000000000",
    invoice_id=INVOICE.invoice_id,
    payment_id=PAYMENT.payment_id,
    test_mode=True,
    reason=Reason.LATE,
    amount=12345,
    currency="USD",
    provider_amount=12345,
    provider_currency="USD",
    created_at=NOW,
    updated_at=NOW,
)


def invoice(**changes: object) -> Invoice:
    """Return the example invoice, changed."""
    return msgspec.structs.replace(INVOICE, **changes)


def payment(**changes: object) -> Payment:
    """Return the example attempt, changed."""
    return msgspec.structs.replace(PAYMENT, **changes)


def session(
    of: Invoice = INVOICE,
    attempt: Payment | None = None,
    *,
    refunds: tuple[Refund, ...] = (),
    now: datetime = NOW,
    cancellable: bool = True,
) -> Session:
    """Return a visit."""
    seen = Snapshot(invoice=of, payment=attempt, refunds=refunds)
    return Session(snapshot=seen, account=ACCOUNT, now=now, cancellable=cancellable)


def refund(**changes: object) -> Refund:
    """Return the refund of the example attempt's money, which came too late, changed."""
    return msgspec.structs.replace(LATE_REFUND, **changes)
