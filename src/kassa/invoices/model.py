"""What an invoice is and what may happen to it: statuses, the table of changes, the verbs that walk it.

    (create) ──> created ──offer──> process_pending               a wallet: once the provider has given its page
    (create) ──> process_pending ──succeed──> processed          money of a charge
                   │    │    │  └──succeed──> verified           a card that was only checked
                   │    │    └─────suspend──> process_error      taken, but waits for a person:
                   │    │                       │   └──approve──> processed, partially_processed
                   │    │                       └──reject──> process_failed      and the money goes back
                   │    └──fail | expire───> process_failed      verify_failed for a verification
                   └ attempt (stays)            │
                                                └──succeed──> processed     a provider's late success after expiry

    processed ──> refunding ──┬──> refunded | partially_refunded | refund_failed
       ^             │  ^     └──> refund_error               sent back, but not as asked: waits for a person
       │             v  │
       │         refund_pending      a provider that has not answered is asked; ends as refunding does
       └ whatever is not given back yet of it, and of partially_refunded, refund_failed and partially_charged_back,
         may be refunded; several refunds of one invoice may be under way, and the last to end gives the status
    processed, and all below it ──> charged_back | partially_charged_back      the payer's bank has taken it back

Every verb is pure: it takes an invoice and the moment, and returns the invoice as it will be or raises. What follows
from a verb (locks, rows, callbacks) is told in ``operations``; nothing else changes an invoice. What a person decides
is in ``decisions/model``, and what money that goes back makes of it in ``returns/model``, both by the verbs here.

See contract#statuses.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from kassa.errors import InvoiceNotPayable, TransitionRefused
from kassa.fees.model import reserve
from kassa.providers.protocol import Value
from kassa.rates.model import convert

LIFETIME_MIN: Final = timedelta(minutes=14)
LIFETIME_MAX: Final = timedelta(days=2)
CHALLENGE_LIMIT: Final = timedelta(minutes=30)
"""How long a payer has for 3-D Secure (contract#card-gate)."""
REJECTED: Final = "customer_blocked"
"""The resolution of what a person has rejected: money that still comes for it is not wanted."""


class Status(StrEnum):
    """The status of an invoice.

    See contract#statuses.
    """

    CREATED = "created"
    EXPIRED = "expired"
    TERMINATED = "terminated"
    PROCESSING = "processing"
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
        Status.EXPIRED,
        Status.TERMINATED,
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

_SENT_BACK: Final = {Status.REFUNDED, Status.PARTIALLY_REFUNDED, Status.REFUND_ERROR}
"""What refunds lead to; after they had ended, too, by a success that the provider tells of late."""

_CHARGED_BACK: Final = {Status.CHARGED_BACK, Status.PARTIALLY_CHARGED_BACK}

TRANSITIONS: Final = {
    Status.CREATED: {
        Status.PROCESS_PENDING,
        Status.PROCESSED,
        Status.PROCESS_FAILED,
        Status.PROCESS_ERROR,
        Status.VERIFIED,
        Status.VERIFY_FAILED,
        Status.TERMINATED,
    },
    Status.PROCESSING: {Status.PROCESS_PENDING, Status.PROCESSED, Status.PROCESS_FAILED},
    Status.PROCESS_PENDING: {
        Status.PROCESSED,
        Status.PARTIALLY_PROCESSED,
        Status.PROCESS_FAILED,
        Status.PROCESS_ERROR,
        Status.VERIFIED,
        Status.VERIFY_FAILED,
        Status.TERMINATED,
    },
    Status.PROCESS_ERROR: {
        Status.PROCESSED,
        Status.PARTIALLY_PROCESSED,
        Status.PROCESS_FAILED,
        Status.VERIFIED,
        Status.VERIFY_FAILED,
    },
    Status.PROCESS_FAILED: {Status.PROCESSED, Status.PARTIALLY_PROCESSED, Status.PROCESS_ERROR},
    Status.VERIFY_FAILED: {Status.VERIFIED, Status.PROCESS_ERROR},
    Status.PROCESSED: {Status.REFUNDING, *_CHARGED_BACK},
    Status.PARTIALLY_PROCESSED: {Status.REFUNDING, *_CHARGED_BACK},
    Status.REFUNDING: {Status.REFUND_PENDING, Status.REFUND_FAILED, *_SENT_BACK, *_CHARGED_BACK},
    Status.REFUND_PENDING: {Status.REFUNDING, Status.REFUND_FAILED, *_SENT_BACK, *_CHARGED_BACK},
    Status.REFUND_ERROR: {Status.REFUND_FAILED, *_SENT_BACK, *_CHARGED_BACK},
    Status.REFUND_FAILED: {Status.REFUNDING, *_SENT_BACK, *_CHARGED_BACK},
    Status.PARTIALLY_REFUNDED: {Status.REFUNDING, *_SENT_BACK, *_CHARGED_BACK},
    Status.PARTIALLY_CHARGED_BACK: {Status.REFUNDING, *_SENT_BACK, *_CHARGED_BACK},
    Status.REFUNDED: {Status.CHARGED_BACK},
    Status.CHARGED_BACK: set[Status](),
    Status.EXPIRED: set[Status](),
    Status.TERMINATED: set[Status](),
    Status.VERIFIED: set[Status](),
}
"""The only changes of status there are (P6)."""


class Invoice(Value, frozen=True, kw_only=True):
    """One order that a payer is asked to pay. Amounts are minor units of ``currency``; JSON is kept as text."""

    account_id: str
    invoice_id: str
    test_mode: bool
    reference_id: str
    source: str
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
    """What is still held of it: neither drawn by a refund or charge-back nor released."""
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
    charged_back_amount: int | None = None
    """What the payer's bank has taken back in all."""
    charged_back_service_amount: int | None = None
    """The same as the bank tells it, in ``service_currency``."""
    payment_id: str | None = None
    """The latest attempt."""
    attempts: int = 0
    attempts_max: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    exchange_rate: Decimal = Decimal(1)
    """How much of ``service_currency`` one unit of ``currency`` is, as it was when the invoice was created."""
    processed_at: datetime | None = None
    failed_at: datetime | None = None
    charged_back_at: datetime | None = None
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


def attempt(invoice: Invoice, *, number: int, payment_id: str, now: datetime) -> Invoice:
    """Return the invoice with one more attempt begun; its status stays.

    Raises ``InvoiceNotPayable`` when it has ended or expired, when no attempt is left, or when ``number`` is not the
    next one, which is how a second click, another tab and a reloaded form are told from an honest retry.
    """
    if invoice.status is not Status.PROCESS_PENDING:
        raise InvoiceNotPayable(f"The invoice is {invoice.status}.")
    if now >= invoice.expires_at:
        raise InvoiceNotPayable("The invoice has expired.")
    if invoice.attempts_left <= 0:
        raise InvoiceNotPayable("No attempt is left.")
    if number != invoice.attempts + 1:
        raise InvoiceNotPayable("This attempt has been made already.")
    return msgspec.structs.replace(
        invoice, attempts=number, payment_id=payment_id, updated_at=max(now, invoice.updated_at)
    )


def offer(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice waiting for its payer, who now has a page to pay on; its expiry stays due."""
    return _move(invoice, Status.PROCESS_PENDING, "ok", now, due_at=invoice.due_at)


def succeed(invoice: Invoice, *, amount: int, payment_id: str, now: datetime) -> Invoice:
    """Return the invoice paid by an attempt: ``amount`` was taken, the fee is final, the reserve is held.

    A verification takes nothing. A failed invoice can still succeed: a provider's late success is never dropped (P2).
    Only what a person has approved can be less than was asked for, or more; the fee is the one that was agreed on, but
    never more than that.
    """
    if invoice.payment_flow == "verify":
        return _move(invoice, Status.VERIFIED, "ok", now, payment_id=payment_id)
    fee = min(invoice.fee, amount)
    held = reserve(amount, amount - fee, rate=invoice.reserve_rate) if invoice.reserve_lifetime else 0
    reserve_expires_at = now + timedelta(minutes=invoice.reserve_lifetime) if held else None
    return _move(
        invoice,
        Status.PROCESSED if amount >= invoice.payment_amount else Status.PARTIALLY_PROCESSED,
        "ok",
        now,
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
    return _move(invoice, status, resolution, now, failed_at=now)


def expire(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice given up because its time is over. Raises ``TransitionRefused`` before that time."""
    if now < invoice.expires_at:
        raise TransitionRefused("The invoice has not expired yet.")
    return fail(invoice, resolution="expired", now=now)


def suspend(invoice: Invoice, *, resolution: str, payment_id: str, now: datetime) -> Invoice:
    """Return the invoice waiting for a person: what an attempt took is not what was asked for, or a rule holds it."""
    return _move(invoice, Status.PROCESS_ERROR, resolution, now, payment_id=payment_id, moderation_required=True)


def unwanted(invoice: Invoice, *, late_success: str) -> bool:
    """Whether the money of a success that comes now has to go back (P1, contract#statuses).

    It has to where another attempt has brought money already, where a person has rejected the invoice, and where the
    account wants no late success.
    """
    if invoice.payment_flow == "verify" or invoice.status in OPEN:
        return False
    if invoice.resolution == REJECTED:
        return True
    return late_success == "refund" or invoice.status not in (Status.PROCESS_FAILED, Status.EXPIRED)


def give_back(invoice: Invoice, status: Status, *, resolution: str, now: datetime, **changes: object) -> Invoice:
    """Return the invoice after money has gone back to the payer, or set out to; what else it waits for stays due."""
    if status is invoice.status:
        return msgspec.structs.replace(touch(invoice, now=now), **changes)
    return _move(invoice, status, resolution, now, due_at=invoice.due_at, **changes)


def flag(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice with its status, and waiting for a person: money that should have gone back has not."""
    return msgspec.structs.replace(touch(invoice, now=now), moderation_required=True)


def touch(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice with its document changed but not its status: ``updated`` moves, nobody is told."""
    return msgspec.structs.replace(invoice, updated_at=max(now, invoice.updated_at))


def _move(invoice: Invoice, status: Status, resolution: str, now: datetime, **changes: object) -> Invoice:
    if status not in TRANSITIONS[invoice.status]:
        raise TransitionRefused(f"An invoice does not go from {invoice.status} to {status}.")
    changes.setdefault("due_at", invoice.release_at)
    return msgspec.structs.replace(
        invoice, status=status, resolution=resolution, updated_at=next_update(invoice.updated_at, now), **changes
    )


def next_update(last: datetime, now: datetime) -> datetime:
    """Return ``updated`` for a change of status: now, but a whole second past the last, so that it orders callbacks."""
    return max(now, last + timedelta(seconds=1))
