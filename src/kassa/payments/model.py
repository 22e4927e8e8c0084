"""What a payment is: one attempt to take an invoice's money, and the statuses it may pass through (contract#statuses).

    process_pending ─────────────────┬──> processed ──> refund_pending ──> refunded
      ^                              │        ^ approved      ^ rejected  └──> refund_failed ──> refund_pending again
    invoke_pending ──> invoked ──────┼──> process_error   (taken, but a person has to look at it first)
          └──> invoke_failed         └──> process_failed      (what may become of ``refund_pending``: ``returning``)

A card begins at ``process_pending``, a wallet at ``invoke_pending``: both mean that the provider has been asked, or is
about to be, and until its answer is known nobody asks again (P1). ``invoked`` means that the payer has the provider's
page; a provider that has the order and no page for it leads from ``invoke_pending`` to ``process_pending``. A payment
that waits is due at ``due_at``; the worker then asks the provider what became of it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

import msgspec

from kassa.errors import TransitionRefused
from kassa.payments.patience import ABSENT_AFTER, CLOCKS_APART, RECHECK_AFTER, ask_delay
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending, Redirect, Value


class PaymentStatus(StrEnum):
    """The status of an attempt.

    See contract#statuses.
    """

    CREATED = "created"
    INVOKE_PENDING = "invoke_pending"
    INVOKE_FAILED = "invoke_failed"
    INVOKED = "invoked"
    PROCESS_PENDING = "process_pending"
    PROCESS_FAILED = "process_failed"
    PROCESS_ERROR = "process_error"
    PROCESSED = "processed"
    REFUND_PENDING = "refund_pending"
    REFUND_FAILED = "refund_failed"
    REFUND_ERROR = "refund_error"
    REFUNDED = "refunded"
    CHARGED_BACK = "charged_back"


UNDECIDED: Final = frozenset({PaymentStatus.INVOKE_PENDING, PaymentStatus.INVOKED, PaymentStatus.PROCESS_PENDING})
"""Statuses in which the provider has the word."""

FAILED: Final = frozenset({PaymentStatus.INVOKE_FAILED, PaymentStatus.PROCESS_FAILED})
"""Statuses in which no money is expected; a success that the provider reports all the same is never dropped (P2)."""

TAKEN: Final = frozenset(
    {
        PaymentStatus.PROCESSED,
        PaymentStatus.PROCESS_ERROR,
        PaymentStatus.REFUNDED,
        PaymentStatus.REFUND_FAILED,
        PaymentStatus.REFUND_ERROR,
    }
)
"""Statuses in which the provider has taken money and said so; the payer's bank may still charge it back."""

LIVE: Final = frozenset(
    {PaymentStatus.CREATED, PaymentStatus.PROCESS_ERROR, *UNDECIDED},
)
"""Statuses that may still end in success; at most one of an invoice's waits for its provider (a unique index)."""

_TAKEN: Final = {PaymentStatus.PROCESSED, PaymentStatus.PROCESS_ERROR, PaymentStatus.REFUND_PENDING}

TRANSITIONS: Final = {
    PaymentStatus.CREATED: {PaymentStatus.INVOKE_PENDING, PaymentStatus.PROCESS_PENDING},
    PaymentStatus.INVOKE_PENDING: {
        PaymentStatus.INVOKED,
        PaymentStatus.INVOKE_FAILED,
        PaymentStatus.PROCESS_PENDING,
        *_TAKEN,
    },
    PaymentStatus.INVOKE_FAILED: _TAKEN,
    PaymentStatus.INVOKED: {PaymentStatus.PROCESS_FAILED, *_TAKEN},
    PaymentStatus.PROCESS_PENDING: {PaymentStatus.PROCESS_FAILED, *_TAKEN},
    PaymentStatus.PROCESS_ERROR: {PaymentStatus.PROCESSED, PaymentStatus.PROCESS_FAILED, PaymentStatus.REFUND_PENDING},
    PaymentStatus.PROCESS_FAILED: _TAKEN,
    PaymentStatus.PROCESSED: {PaymentStatus.REFUND_PENDING, PaymentStatus.CHARGED_BACK},
    PaymentStatus.REFUND_PENDING: {PaymentStatus.REFUNDED, PaymentStatus.REFUND_FAILED, PaymentStatus.REFUND_ERROR},
    PaymentStatus.REFUND_FAILED: {PaymentStatus.REFUND_PENDING},
    PaymentStatus.REFUND_ERROR: {PaymentStatus.REFUND_PENDING, PaymentStatus.REFUNDED},
    PaymentStatus.REFUNDED: set[PaymentStatus](),
    PaymentStatus.CHARGED_BACK: set[PaymentStatus](),
}


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
    """One attempt."""

    account_id: str
    payment_id: str
    invoice_id: str
    number: int
    """1 for an invoice's first attempt; unique within the invoice, so it is also the form's one-time token."""
    test_mode: bool
    status: PaymentStatus
    resolution: str
    provider: str
    provider_account_id: str
    merchant_id: str
    external_id: str | None = None
    amount: int
    currency: str
    processed_amount: int | None = None
    processed_currency: str | None = None
    card: CardFacts | None = None
    client_ip: str = ""
    payer_network: str | None = None
    """Whose attempt it is: the network of the payer's address, None where only the merchant's server is known."""
    hushed: bool = False
    """Made while the account was under attack: who pays is not told why it failed."""
    action: str | None = None
    action_method: str | None = None
    action_params: dict[str, str] | None = None
    rrn: str | None = None
    approval_code: str | None = None
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None = None
    asks: int = 0
    returned_amount: int | None = None
    """What the provider has sent back where that is not all that it took, in ``returned_currency``."""
    returned_currency: str | None = None
    charged_back_amount: int = 0
    """What the payer's bank has taken back of it, in ``processed_currency``, when it was no merchant's money."""
    return_number: int = 1
    """Which return of its money it is that is asked for, if any: one that was refused is followed by another."""
    traceparent: str | None = None
    """The trace in which it was made, as W3C writes it, for the worker to go on in; None where nothing is traced."""

    @property
    def return_id(self) -> str:
        """The name under which its whole money goes back; it follows from its own, so that each exists once."""
        return f"{self.payment_id}-late" if self.return_number == 1 else f"{self.payment_id}-late-{self.return_number}"

    @property
    def returnable(self) -> int:
        """What the provider still has of it for the payer, in minor units of ``processed_currency``."""
        return max((self.processed_amount or 0) - self.charged_back_amount, 0)

    @property
    def live(self) -> bool:
        """Whether this attempt may still end in success."""
        return self.status in LIVE

    @property
    def told_resolution(self) -> str:
        """Why the attempt stands where it does, as whoever pays may know it."""
        return "general_decline" if self.hushed and self.status in FAILED else self.resolution


def move(payment: Payment, status: PaymentStatus, resolution: str, *, now: datetime, **changes: object) -> Payment:
    """Return the payment in another status, waiting for nothing unless ``due_at`` is given.

    Raises ``TransitionRefused`` where the table does not lead there.
    """
    if status not in TRANSITIONS[payment.status]:
        raise TransitionRefused(f"A payment does not go from {payment.status} to {status}.")
    changes.setdefault("due_at", None)
    return msgspec.structs.replace(
        payment, status=status, resolution=resolution, updated_at=max(now, payment.updated_at), **changes
    )


def answered(payment: Payment, outcome: Outcome, *, refund_late: bool, now: datetime) -> Payment:
    """Return the attempt as it is after a provider's answer to ``pay``, ``resume`` or ``status``.

    ``refund_late``: a success is no longer wanted, so the money is to go back. A failed attempt hears of nothing but a
    success.
    """
    if payment.status in FAILED and not isinstance(outcome, Accepted | Pending):
        return msgspec.structs.replace(payment, due_at=woken(payment, now))
    match outcome:
        case Redirect():
            return _invoked(payment, outcome, now=now)
        case Pending(external_id=str()) if payment.status is PaymentStatus.INVOKE_PENDING:
            waiting = wait(payment, external_id=outcome.external_id, now=now)
            return move(waiting, PaymentStatus.PROCESS_PENDING, "ok", now=now, due_at=waiting.due_at)
        case Pending(external_id=str()):
            # The provider has the order and no page for the payer any more: he has been there.
            waiting = wait(payment, external_id=outcome.external_id, now=now)
            return msgspec.structs.replace(waiting, action=None, action_method=None, action_params=None)
        case Pending():
            return wait(payment, external_id=None, now=now)
        case Absent() if payment.external_id is not None or now < payment.created_at + ABSENT_AFTER:
            # Who has given it a name has heard of it, whatever one answer says.
            return wait(payment, external_id=None, now=now)
        case Absent():
            return _failed(payment, "provider_error", None, now=now, due_at=now + RECHECK_AFTER)
        case Declined():
            # A notification that came while this answer was on its way may know better (P2): it is asked about.
            external_id, due_at = outcome.external_id or payment.external_id, woken(payment, now)
            return _failed(payment, outcome.resolution, external_id, now=now, due_at=due_at)
        case Accepted():
            return _taken(payment, outcome, refund_late=refund_late, now=now)
        case _:
            assert_never(outcome)


def hold(success: Payment, *, resolution: str) -> Payment:
    """Return a payment that has just succeeded as one that waits for a person instead."""
    return msgspec.structs.replace(success, status=PaymentStatus.PROCESS_ERROR, resolution=resolution)


def approve(payment: Payment, *, now: datetime) -> Payment:
    """Return a held payment taken after all; what was charged back while it was nobody's is asked about at once."""
    return move(payment, PaymentStatus.PROCESSED, "ok", now=now, due_at=now)


def reject(payment: Payment, *, resolution: str, now: datetime) -> Payment:
    """Return a held payment on its way back to the payer, at once; where nothing was taken it has failed."""
    if not payment.processed_amount:
        return move(payment, PaymentStatus.PROCESS_FAILED, resolution, now=now)
    return move(payment, PaymentStatus.REFUND_PENDING, resolution, now=now, due_at=now)


def wait(payment: Payment, *, external_id: str | None, now: datetime) -> Payment:
    """Return the attempt undecided, due for the next question; at once if it was woken while this one was asked."""
    due_at = woken(payment, now) or now + ask_delay(payment.asks)
    return msgspec.structs.replace(payment, external_id=external_id or payment.external_id, due_at=due_at)


def woken(payment: Payment, now: datetime) -> datetime | None:
    """Return since when an attempt is due again, if it was woken while it was asked about.

    Whoever woke it may have another clock; a question too many does no harm, one too few may lose money.
    """
    return payment.due_at if payment.due_at is not None and payment.due_at <= now + CLOCKS_APART else None


def _invoked(payment: Payment, outcome: Redirect, *, now: datetime) -> Payment:
    """Return the attempt with the page that the payer has to visit: a wallet's, or an issuer's for 3-D Secure."""
    waiting = msgspec.structs.replace(
        wait(payment, external_id=outcome.external_id, now=now),
        action=outcome.action,
        action_method=outcome.method,
        action_params=dict(outcome.params),
    )
    if waiting.status is not PaymentStatus.INVOKE_PENDING:
        return waiting
    return move(waiting, PaymentStatus.INVOKED, "ok", now=now, due_at=waiting.due_at)


def _failed(
    payment: Payment, resolution: str, external_id: str | None, *, now: datetime, due_at: datetime | None = None
) -> Payment:
    invoking = payment.status is PaymentStatus.INVOKE_PENDING
    status = PaymentStatus.INVOKE_FAILED if invoking else PaymentStatus.PROCESS_FAILED
    return move(payment, status, resolution, now=now, external_id=external_id, due_at=due_at)


def _taken(payment: Payment, outcome: Accepted, *, refund_late: bool, now: datetime) -> Payment:
    facts = {
        "external_id": outcome.external_id,
        "processed_amount": outcome.amount,
        "processed_currency": outcome.currency,
        "rrn": outcome.rrn,
        "approval_code": outcome.approval_code,
    }
    if refund_late and outcome.amount > 0:
        return move(payment, PaymentStatus.REFUND_PENDING, "expired", now=now, due_at=now, **facts)
    if (outcome.amount, outcome.currency) != (payment.amount, payment.currency):
        return move(payment, PaymentStatus.PROCESS_ERROR, "invalid_amount", now=now, **facts)
    # What was charged back before we knew that it was taken is asked about once more, as it is of any other payment.
    due_at = now if outcome.charge_backs else None
    return move(payment, PaymentStatus.PROCESSED, "ok", now=now, due_at=due_at, **facts)
