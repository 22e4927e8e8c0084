"""What an attempt is (on the wire: a payment): one try to take an invoice's money, and the statuses it passes through.

A card begins at ``process_pending``, a wallet at ``invoke_pending``: both mean that the provider has been asked, or is
about to be, and until its answer is known no one asks again (P1). ``invoked`` means that the payer has the provider's
page; a provider that has the order and no page for it leads from ``invoke_pending`` to ``process_pending``. An attempt
that waits is due at ``due_at``; the worker then polls the provider. See contract#statuses.

Once a provider has taken money the attempt is ``processed``, whatever becomes of the money: where it cannot be kept, a
refund of the attempt says so (``rules.refund``). ``process_error``: taken, but held for review.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from msgspec.structs import replace

from kassa.accounts.model import Route
from kassa.errors import InvoiceNotPayable, TransitionRefused
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import (
    ABSENT_AFTER,
    CLOCKS_APART,
    POLL_AFTER_BEGIN,
    RECHECK_AFTER,
    poll_delay,
    recheck_at,
)
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending, Redirect
from kassa.values import Value


class PaymentStatus(StrEnum):
    """The status of an attempt.

    See contract#statuses.
    """

    INVOKE_PENDING = "invoke_pending"
    INVOKE_FAILED = "invoke_failed"
    INVOKED = "invoked"
    PROCESS_PENDING = "process_pending"
    PROCESS_FAILED = "process_failed"
    PROCESS_ERROR = "process_error"
    PROCESSED = "processed"


class Unexpected(StrEnum):
    """Why money that was taken is not the merchant's and has to go back."""

    LATE = "late"
    """It came after the invoice had ended, and the account wants no late success."""
    DUPLICATE = "duplicate"
    """Another attempt had paid the invoice already."""
    REJECTED = "rejected"
    """The payment was rejected in review."""


UNDECIDED: Final = frozenset({PaymentStatus.INVOKE_PENDING, PaymentStatus.INVOKED, PaymentStatus.PROCESS_PENDING})
"""Statuses in which the provider has to decide; at most one of an invoice's attempts is in them (a unique index)."""

FAILED: Final = frozenset({PaymentStatus.INVOKE_FAILED, PaymentStatus.PROCESS_FAILED})
"""Statuses in which no money is expected; a success that the provider reports all the same is never dropped (P2)."""

TAKEN: Final = frozenset({PaymentStatus.PROCESSED, PaymentStatus.PROCESS_ERROR})
"""Statuses in which the provider has taken money and said so; the payer's bank may still dispute it."""

LIVE: Final = UNDECIDED | {PaymentStatus.PROCESS_ERROR}
"""Statuses that may still end in success."""

TRANSITIONS: Final[Mapping[PaymentStatus, frozenset[PaymentStatus]]] = {
    PaymentStatus.INVOKE_PENDING: frozenset(
        {PaymentStatus.INVOKED, PaymentStatus.INVOKE_FAILED, PaymentStatus.PROCESS_PENDING, *TAKEN}
    ),
    PaymentStatus.INVOKE_FAILED: TAKEN,
    PaymentStatus.INVOKED: frozenset({PaymentStatus.PROCESS_FAILED, *TAKEN}),
    PaymentStatus.PROCESS_PENDING: frozenset({PaymentStatus.PROCESS_FAILED, *TAKEN}),
    PaymentStatus.PROCESS_FAILED: TAKEN,
    PaymentStatus.PROCESS_ERROR: frozenset({PaymentStatus.PROCESSED, PaymentStatus.PROCESS_FAILED}),
    PaymentStatus.PROCESSED: frozenset(),
}
"""The only changes of an attempt's status there are."""


class CardFacts(Value, frozen=True, kw_only=True):
    """What is kept of a card: enough to recognise it, too little to use it (P10)."""

    first: str
    """The first six digits."""
    last: str
    """The last four."""
    length: int
    brand: str
    holder: str | None
    expiry_month: int
    expiry_year: int
    """Four digits."""
    fingerprint: bytes
    """HMAC-SHA256 of the whole number under a key that is not in the database."""
    issuer_name: str | None
    issuer_country: str | None

    @property
    def mask(self) -> str:
        """The number as people may see it: ``512381******0000``."""
        return f"{self.first}{'*' * (self.length - len(self.first) - len(self.last))}{self.last}"


class Payment(Value, frozen=True, kw_only=True):
    """One attempt. ``amount`` is minor units of ``currency``, the service's."""

    account_id: str
    payment_id: str
    invoice_id: str
    attempt_number: int
    """1 for an invoice's first attempt; unique within the invoice, so it is also the form's one-time token."""
    test_mode: bool
    status: PaymentStatus
    resolution: str
    provider: str
    provider_account_id: str
    merchant_id: str
    external_id: str | None = None
    """The provider's own id, where it has given one."""
    amount: int
    currency: str
    processed_amount: int | None = None
    processed_currency: str | None = None
    unexpected: Unexpected | None = None
    """Why what was taken has to go back; None for the merchant's money."""
    card: CardFacts | None = None
    client_ip: str = ""
    payer_network: str | None = None
    """The network of the payer's address, None where only the merchant's server is known."""
    reason_hidden: bool = False
    """Made while the account was under attack: the payer is not shown why it failed."""
    action: str | None = None
    action_method: str | None = None
    action_params: dict[str, str] | None = None
    rrn: str | None = None
    approval_code: str | None = None
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None = None
    polls: int = 0
    """How often the worker has taken it to poll the provider."""
    traceparent: str | None = None
    """The trace in which it was made, as W3C writes it, for the worker to go on in; None where nothing is traced."""

    @property
    def live(self) -> bool:
        """Whether this attempt may still end in success."""
        return self.status in LIVE

    @property
    def public_resolution(self) -> str:
        """The reason for the status, as the payer may know it."""
        return "general_decline" if self.reason_hidden and self.status in FAILED else self.resolution


def begin(
    invoice: Invoice, route: Route, *, status: PaymentStatus, card: CardFacts | None, client_ip: str, now: datetime
) -> Payment:
    """Return the invoice's latest attempt, about to be asked for at the route's provider."""
    if invoice.payment_id is None:
        raise InvoiceNotPayable
    return Payment(
        account_id=invoice.account_id,
        payment_id=invoice.payment_id,
        invoice_id=invoice.invoice_id,
        attempt_number=invoice.attempts,
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
        due_at=now + POLL_AFTER_BEGIN,
    )


def apply(payment: Payment, outcome: Outcome, *, unexpected: Unexpected | None, now: datetime) -> Payment:
    """Return the attempt as it is after a provider's answer to ``pay``, ``resume``, ``cancel`` or ``status``.

    ``unexpected``: why money that it has taken could not be kept now. A failed attempt follows nothing but a success.
    """
    if payment.status in FAILED and not isinstance(outcome, Accepted | Pending):
        return replace(payment, due_at=woken(payment, now) or recheck_at(payment.updated_at, now=now))
    match outcome:
        case Redirect():
            return _invoked(payment, outcome, now=now)
        case Pending(external_id=str()) if payment.status is PaymentStatus.INVOKE_PENDING:
            waiting = wait(payment, external_id=outcome.external_id, now=now)
            moved = move(waiting, PaymentStatus.PROCESS_PENDING, "ok", now=now)
            return replace(moved, due_at=waiting.due_at)
        case Pending(external_id=str()):
            # The provider has the order and no page for the payer any more: they have been there.
            waiting = wait(payment, external_id=outcome.external_id, now=now)
            return replace(waiting, action=None, action_method=None, action_params=None)
        case Pending():
            return wait(payment, external_id=None, now=now)
        case Absent() if payment.external_id is not None or now < payment.created_at + ABSENT_AFTER:
            # A provider that has given it an id has heard of it, whatever one answer says.
            return wait(payment, external_id=None, now=now)
        case Absent():
            return _failed(payment, "provider_error", None, now=now)
        case Declined():
            return _failed(payment, outcome.resolution, outcome.external_id, now=now)
        case Accepted():
            return _taken(payment, outcome, unexpected=unexpected, now=now)
        case _:
            assert_never(outcome)


def hold(success: Payment, *, resolution: str) -> Payment:
    """Return an attempt that has just succeeded as one that is held for review instead."""
    return replace(success, status=PaymentStatus.PROCESS_ERROR, resolution=resolution)


def move(payment: Payment, status: PaymentStatus, resolution: str, *, now: datetime) -> Payment:
    """Return the attempt in another status, due for nothing.

    Raises ``TransitionRefused`` where the table does not lead there.
    """
    if status not in TRANSITIONS[payment.status]:
        raise TransitionRefused(f"A payment does not go from {payment.status} to {status}.")
    return replace(payment, status=status, resolution=resolution, updated_at=max(now, payment.updated_at), due_at=None)


def wait(payment: Payment, *, external_id: str | None, now: datetime) -> Payment:
    """Return the attempt undecided, due for the next poll; at once if it was woken while it was polled."""
    due_at = woken(payment, now) or now + poll_delay(payment.polls)
    return replace(payment, external_id=external_id or payment.external_id, due_at=due_at)


def woken(payment: Payment, now: datetime) -> datetime | None:
    """Return since when an attempt is due again, if it was woken while it was polled.

    Another process may have woken it, by another clock; a poll too many does no harm, one too few may lose money.
    """
    return payment.due_at if payment.due_at is not None and payment.due_at <= now + CLOCKS_APART else None


def _invoked(payment: Payment, outcome: Redirect, *, now: datetime) -> Payment:
    """Return the attempt with the page that the payer has to visit: a wallet's, or an issuer's for 3-D Secure."""
    waiting = replace(
        wait(payment, external_id=outcome.external_id, now=now),
        action=outcome.action,
        action_method=outcome.method,
        action_params=dict(outcome.params),
    )
    if waiting.status is not PaymentStatus.INVOKE_PENDING:
        return waiting
    return replace(move(waiting, PaymentStatus.INVOKED, "ok", now=now), due_at=waiting.due_at)


def _failed(payment: Payment, resolution: str, external_id: str | None, *, now: datetime) -> Payment:
    """Return the attempt given up. The provider is polled once more: a refusal may have been a capture (P2)."""
    invoking = payment.status is PaymentStatus.INVOKE_PENDING
    status = PaymentStatus.INVOKE_FAILED if invoking else PaymentStatus.PROCESS_FAILED
    due_at = woken(payment, now) or now + RECHECK_AFTER
    failed = move(payment, status, resolution, now=now)
    return replace(failed, external_id=external_id or payment.external_id, due_at=due_at)


def _taken(payment: Payment, outcome: Accepted, *, unexpected: Unexpected | None, now: datetime) -> Payment:
    asked = (outcome.amount, outcome.currency) == (payment.amount, payment.currency)
    if unexpected is not None and outcome.amount > 0:
        status, resolution = PaymentStatus.PROCESSED, "expired"
    else:
        unexpected = None
        status, resolution = (
            (PaymentStatus.PROCESSED, "ok") if asked else (PaymentStatus.PROCESS_ERROR, "invalid_amount")
        )
    return replace(
        move(payment, status, resolution, now=now),
        external_id=outcome.external_id,
        processed_amount=outcome.amount,
        processed_currency=outcome.currency,
        unexpected=unexpected,
        rrn=outcome.rrn,
        approval_code=outcome.approval_code,
        # What was disputed before we knew that it was taken is applied by the next poll, as it is for any attempt.
        due_at=now if outcome.disputes else None,
    )
