"""What an invoice is and what may happen to it: statuses, the table of transitions, the verbs that walk it. Pure.

``settling``, ``refund``, ``dispute``, ``review`` and ``reserve`` make whole changes of them. See contract#statuses.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec.structs import replace

from kassa.errors import InvoiceNotPayable, TransitionRefused
from kassa.fees.model import reserve
from kassa.rates.model import convert
from kassa.values import Value

LIFETIME_MIN: Final = timedelta(minutes=14)
LIFETIME_MAX: Final = timedelta(days=2)
CHALLENGE_LIMIT: Final = timedelta(minutes=30)
"""How long a payer has for 3-D Secure (contract#card-gate)."""
REJECTED: Final = "customer_blocked"
"""The resolution of an invoice that was rejected in review: money that still comes for it is sent back."""


class Status(StrEnum):
    """The statuses that an invoice can have (contract#statuses); three more that it lists are never reached."""

    CREATED = "created"
    PROCESS_PENDING = "process_pending"
    PROCESS_ERROR = "process_error"
    PROCESSED = "processed"
    PARTIALLY_PROCESSED = "partially_processed"
    PROCESS_FAILED = "process_failed"
    VERIFIED = "verified"
    VERIFY_FAILED = "verify_failed"
    REFUNDING = "refunding"
    REFUND_PENDING = "refund_pending"
    REFUND_ERROR = "refund_error"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    CHARGED_BACK = "charged_back"
    PARTIALLY_CHARGED_BACK = "partially_charged_back"


FINAL: Final = frozenset(
    {
        Status.PROCESSED,
        Status.PARTIALLY_PROCESSED,
        Status.PROCESS_FAILED,
        Status.VERIFIED,
        Status.VERIFY_FAILED,
        Status.PARTIALLY_REFUNDED,
        Status.REFUNDED,
        Status.REFUND_FAILED,
        Status.CHARGED_BACK,
        Status.PARTIALLY_CHARGED_BACK,
    }
)
"""Statuses that a merchant may act on: their callbacks are never dropped for a newer one."""

OPEN: Final = frozenset({Status.CREATED, Status.PROCESS_PENDING})
"""Statuses that end by themselves when the invoice expires."""

_PAID: Final = frozenset({Status.PROCESSED, Status.PARTIALLY_PROCESSED})
_GONE_BACK: Final = frozenset({Status.REFUNDED, Status.PARTIALLY_REFUNDED, Status.REFUND_FAILED, Status.REFUND_ERROR})
_DISPUTED: Final = frozenset({Status.CHARGED_BACK, Status.PARTIALLY_CHARGED_BACK})

TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    Status.CREATED: frozenset(
        {
            Status.PROCESS_PENDING,
            Status.PROCESSED,
            Status.PROCESS_FAILED,
            Status.PROCESS_ERROR,
            Status.VERIFIED,
            Status.VERIFY_FAILED,
        }
    ),
    Status.PROCESS_PENDING: frozenset(
        {Status.PROCESSED, Status.PROCESS_FAILED, Status.PROCESS_ERROR, Status.VERIFIED, Status.VERIFY_FAILED}
    ),
    Status.PROCESS_ERROR: frozenset({*_PAID, Status.PROCESS_FAILED, Status.VERIFIED, Status.VERIFY_FAILED}),
    # A provider's late success is never dropped.
    Status.PROCESS_FAILED: frozenset({Status.PROCESSED, Status.PROCESS_ERROR}),
    Status.VERIFY_FAILED: frozenset({Status.VERIFIED, Status.PROCESS_ERROR}),
    Status.VERIFIED: frozenset(),
    Status.PROCESSED: frozenset({Status.REFUNDING, *_DISPUTED}),
    Status.PARTIALLY_PROCESSED: frozenset({Status.REFUNDING, *_DISPUTED}),
    Status.REFUNDING: frozenset({Status.REFUND_PENDING, *_GONE_BACK, *_DISPUTED}),
    Status.REFUND_PENDING: frozenset({Status.REFUNDING, *_GONE_BACK, *_DISPUTED}),
    # What the provider says of a refund after it had ended, or the payer's bank of a dispute, leads to any of these.
    Status.REFUND_ERROR: frozenset({*_GONE_BACK, *_DISPUTED}),
    Status.REFUND_FAILED: frozenset({Status.REFUNDING, *_GONE_BACK, *_DISPUTED}),
    Status.PARTIALLY_REFUNDED: frozenset({Status.REFUNDING, *_GONE_BACK, *_DISPUTED}),
    Status.REFUNDED: frozenset({*_GONE_BACK, *_DISPUTED}),
    Status.PARTIALLY_CHARGED_BACK: frozenset({Status.REFUNDING, *_PAID, *_GONE_BACK, *_DISPUTED}),
    Status.CHARGED_BACK: frozenset({*_PAID, Status.REFUNDING, *_GONE_BACK, Status.PARTIALLY_CHARGED_BACK}),
}
"""The only changes of status there are (P6)."""


class Invoice(Value, frozen=True, kw_only=True):
    """One order that a payer is asked to pay. Amounts are minor units of ``currency``; JSON is kept as text."""

    account_id: str
    invoice_id: str
    test_mode: bool
    reference_id: str
    source: str
    version: int = 1
    """How many changes it has seen, its creation included: each writes the event of this number."""
    status: Status
    resolution: str
    moderation_required: bool = False
    service: str
    service_method: str
    service_flow: str
    service_currency: str
    payment_flow: str
    currency: str
    amount: int
    payment_amount: int
    fee: int
    deposit: int
    processed_amount: int | None = None
    processed_fee: int | None = None
    processed_deposit: int | None = None
    reserve_rate: Decimal = Decimal(0)
    """Percent."""
    reserve_lifetime: int = 0
    """Minutes."""
    reserved_amount: int | None = None
    """What was held back when it was paid."""
    reserve_left: int = 0
    """What is still held of it: neither used by a refund or dispute nor released."""
    reserve_expires_at: datetime | None = None
    unreserved_at: datetime | None = None
    """When what was left was released."""
    description: str | None = None
    descriptor: str | None = None
    metadata: str = "{}"
    service_fields: str | None = None
    gateway_options: str | None = None
    customer_id: str | None = None
    callback_url: str | None = None
    return_url: str | None = None
    return_urls: str | None = None
    locale: str | None = None
    session_id: str | None = None
    token: str | None = None
    """What opens the card page by script, signed once (contract#card-gate)."""
    payment_id: str | None = None
    """The latest attempt, or the one that paid it."""
    attempts: int = 0
    attempts_max: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    exchange_rate: Decimal = Decimal(1)
    """How much of ``service_currency`` one unit of ``currency`` is, as it was when the invoice was created."""
    processed_at: datetime | None = None
    failed_at: datetime | None = None
    due_at: datetime | None = None
    """When the worker has to look at it: at its expiry until it has ended, then at its reserve's while one is held."""

    @property
    def final(self) -> bool:
        """Whether the status is one that a merchant may act on."""
        return self.status in FINAL

    @property
    def converted(self) -> bool:
        """Whether the payer pays in another currency than the invoice's."""
        return self.currency != self.service_currency

    @property
    def service_amount(self) -> int:
        """What the payer is asked for: ``payment_amount`` in minor units of ``service_currency``."""
        return convert(self.payment_amount, self.exchange_rate, self.currency, self.service_currency)

    @property
    def attempts_left(self) -> int:
        """How many more times the payer may try."""
        return self.attempts_max - self.attempts

    @property
    def release_at(self) -> datetime | None:
        """When what is left of the reserve is released; None where nothing is held."""
        return self.reserve_expires_at if self.reserve_left else None


def begin_attempt(invoice: Invoice, *, attempt_number: int, payment_id: str, now: datetime) -> Invoice:
    """Return the invoice with one more attempt begun; its status stays.

    Raises ``InvoiceNotPayable`` when it has ended or expired, when no attempt is left, or when ``attempt_number`` is
    not the next one, which is how a second click, another tab and a reloaded form differ from an honest retry.
    """
    if invoice.status is not Status.PROCESS_PENDING:
        raise InvoiceNotPayable(f"The invoice is {invoice.status}.")
    if now >= invoice.expires_at:
        raise InvoiceNotPayable("The invoice has expired.")
    if invoice.attempts_left <= 0:
        raise InvoiceNotPayable("No attempt is left.")
    if attempt_number != invoice.attempts + 1:
        raise InvoiceNotPayable("This attempt has been made already.")
    return replace(touch(invoice, now=now), attempts=attempt_number, payment_id=payment_id)


def offer(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice waiting for its payer, who now has a page to pay on; its expiry stays due."""
    return replace(move(invoice, Status.PROCESS_PENDING, "ok", now=now), due_at=invoice.due_at)


def succeed(invoice: Invoice, *, amount: int, payment_id: str, now: datetime) -> Invoice:
    """Return the invoice paid by an attempt: ``amount`` was taken, the fee is final, the reserve is held.

    A verification takes nothing. A failed invoice can still succeed: a provider's late success is never dropped (P2).
    Only what was approved in review can be less than was asked for, or more; the fee is the one that was agreed on, but
    never more than that.
    """
    if invoice.payment_flow == "verify":
        return replace(move(invoice, Status.VERIFIED, "ok", now=now), payment_id=payment_id)
    fee = min(invoice.fee, amount)
    held = reserve(amount, amount - fee, rate=invoice.reserve_rate) if invoice.reserve_lifetime else 0
    reserve_expires_at = now + timedelta(minutes=invoice.reserve_lifetime) if held else None
    status = Status.PROCESSED if amount >= invoice.payment_amount else Status.PARTIALLY_PROCESSED
    return replace(
        move(invoice, status, "ok", now=now),
        payment_id=payment_id,
        processed_at=now,
        processed_amount=amount,
        processed_fee=fee,
        processed_deposit=amount - fee,
        reserved_amount=held or None,
        reserve_left=held,
        reserve_expires_at=reserve_expires_at,
        failed_at=None,
        due_at=reserve_expires_at,
    )


def fail(invoice: Invoice, *, resolution: str, now: datetime) -> Invoice:
    """Return the invoice given up: no money was taken and no attempt is left."""
    status = Status.VERIFY_FAILED if invoice.payment_flow == "verify" else Status.PROCESS_FAILED
    return replace(move(invoice, status, resolution, now=now), failed_at=now)


def expire(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice given up because its time is over. Raises ``TransitionRefused`` before that time."""
    if now < invoice.expires_at:
        raise TransitionRefused("The invoice has not expired yet.")
    return fail(invoice, resolution="expired", now=now)


def hold(invoice: Invoice, *, resolution: str, payment_id: str, now: datetime) -> Invoice:
    """Return the invoice held for review: what an attempt took is not what was asked for, or a rule holds it."""
    held = move(invoice, Status.PROCESS_ERROR, resolution, now=now)
    return replace(held, payment_id=payment_id, moderation_required=True)


def go_back(invoice: Invoice, status: Status, *, resolution: str, now: datetime) -> Invoice:
    """Return the invoice after money has gone back to the payer, or set out to; what it waits for stays due."""
    if status is invoice.status:
        return touch(invoice, now=now)
    return replace(move(invoice, status, resolution, now=now), due_at=invoice.due_at)


def flag(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice with its status, and flagged for review: money is not where it should be."""
    return replace(touch(invoice, now=now), moderation_required=True)


def touch(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice with its document changed but not its status: ``updated`` moves, no callback is sent."""
    return replace(invoice, updated_at=max(now, invoice.updated_at))


def move(invoice: Invoice, status: Status, resolution: str, *, now: datetime) -> Invoice:
    """Return the invoice in another status, due for nothing but its reserve.

    Raises ``TransitionRefused`` where the table does not lead there.
    """
    if status not in TRANSITIONS[invoice.status]:
        raise TransitionRefused(f"An invoice does not go from {invoice.status} to {status}.")
    return replace(
        invoice,
        status=status,
        resolution=resolution,
        updated_at=next_update(invoice.updated_at, now),
        due_at=invoice.release_at,
    )


def next_update(last: datetime, now: datetime) -> datetime:
    """Return ``updated`` for a change of status: now, but a whole second past the last, so that it orders callbacks."""
    return max(now, last + timedelta(seconds=1))
