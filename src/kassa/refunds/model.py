"""What a refund is: money of an invoice that the merchant sends back, once, and where it stands.

    (begin) ──> refund_pending ──┬──> refunded
                                 ├──> refund_error ──> refunded     sent back, but not as asked: a person settles it
                                 └──> refund_failed ──> refunded | refund_error    a success that is told of late

``refund_pending`` means that the provider has been asked, or is about to be. It is never asked for the same money
again: until its answer is known, the worker asks what became of it, at ``due_at``.

See contract#private-api, contract#statuses.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

import msgspec

from kassa.errors import TransitionRefused
from kassa.payments.patience import ABSENT_AFTER, RECHECK_AFTER, ask_delay
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending, Redirect, Value


class RefundStatus(StrEnum):
    """The status of a refund.

    See contract#statuses.
    """

    REFUND_PENDING = "refund_pending"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    REFUND_ERROR = "refund_error"


TRANSITIONS: Final = {
    RefundStatus.REFUND_PENDING: {RefundStatus.REFUNDED, RefundStatus.REFUND_FAILED, RefundStatus.REFUND_ERROR},
    RefundStatus.REFUND_FAILED: {RefundStatus.REFUNDED, RefundStatus.REFUND_ERROR},
    RefundStatus.REFUNDED: set[RefundStatus](),
    RefundStatus.REFUND_ERROR: {RefundStatus.REFUNDED},
}


_ANSWERED: Final = {RefundStatus.REFUNDED, RefundStatus.REFUND_ERROR}
"""Statuses in which the provider has said all that it has to say."""


class Refund(Value, frozen=True, kw_only=True):
    """One refund. ``amount`` and ``fee`` are minor units of ``currency``, the invoice's."""

    account_id: str
    refund_id: str
    """Also the provider's idempotency key."""
    invoice_id: str
    payment_id: str
    """The payment that the money came with."""
    test_mode: bool
    reference_id: str
    """The merchant's own name for it, which stands for one refund for ever."""
    amount: int
    currency: str
    provider_amount: int
    """What the provider is asked to send back, in minor units of ``provider_currency``."""
    provider_currency: str
    fee: int
    """What the merchant pays for it once it is done."""
    reserve: int = 0
    """What of ``amount`` the invoice's reserve gave when it began."""
    status: RefundStatus = RefundStatus.REFUND_PENDING
    resolution: str = "ok"
    description: str | None = None
    external_id: str | None = None
    """The provider's own name for it."""
    returned_amount: int | None = None
    """What the provider has really sent back where that is not what it was asked for, in ``returned_currency``."""
    returned_currency: str | None = None
    settled_amount: int | None = None
    """What of the invoice that came to, in ``currency``, once a person has settled it."""
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None = None
    asks: int = 0
    traceparent: str | None = None
    """The trace that it began in, where there was one: the worker goes on in it."""

    @property
    def under_way(self) -> bool:
        """Whether the provider has the word."""
        return self.status is RefundStatus.REFUND_PENDING

    @property
    def counted(self) -> int:
        """What of the invoice has gone back by it, or may still go back."""
        return self.amount if self.settled_amount is None else self.settled_amount

    @property
    def counted_at_provider(self) -> int:
        """The same in minor units of ``provider_currency``; another currency stands for what was asked for."""
        amount, currency = self.at_provider
        settled = self.settled_amount is not None and currency == self.provider_currency
        return amount if settled else self.provider_amount

    @property
    def at_provider(self) -> tuple[int, str]:
        """What the provider has sent back, as far as we know, or will: minor units and their currency."""
        if self.returned_amount is not None and self.returned_currency is not None:
            return self.returned_amount, self.returned_currency
        return self.provider_amount, self.provider_currency


def sent_back(refunds: list[Refund]) -> int:
    """Return what refunds have given back, in minor units."""
    return sum(refund.counted for refund in refunds if refund.status is RefundStatus.REFUNDED)


def claimed(refunds: list[Refund]) -> int:
    """Return what refunds have given back or may still give back: all but those that failed, in minor units."""
    return sum(refund.counted for refund in _claiming(refunds))


def claimed_at_provider(refunds: list[Refund]) -> int:
    """Return the same in minor units of the provider's currency."""
    return sum(refund.counted_at_provider for refund in _claiming(refunds))


def _claiming(refunds: list[Refund]) -> Iterator[Refund]:
    return (refund for refund in refunds if refund.status is not RefundStatus.REFUND_FAILED)


def answered(refund: Refund, outcome: Outcome, *, now: datetime) -> Refund:
    """Return the refund as it is after a provider's answer to ``refund`` or ``status``.

    One that failed hears of nothing but a success, and one that is done of nothing at all.
    """
    match outcome:
        case _ if refund.status in _ANSWERED:
            return refund
        case Accepted() if (outcome.amount, outcome.currency) != (refund.provider_amount, refund.provider_currency):
            wrong = _move(refund, RefundStatus.REFUND_ERROR, "invalid_amount", outcome.external_id, now=now)
            return msgspec.structs.replace(wrong, returned_amount=outcome.amount, returned_currency=outcome.currency)
        case Accepted():
            return _move(refund, RefundStatus.REFUNDED, "ok", outcome.external_id, now=now)
        case Pending():
            return _wait(refund, outcome.external_id, now=now)
        case _ if not refund.under_way:
            return msgspec.structs.replace(refund, due_at=None)
        case Declined():
            return _move(refund, RefundStatus.REFUND_FAILED, outcome.resolution, outcome.external_id, now=now)
        case Absent() if refund.external_id is None and now >= refund.created_at + ABSENT_AFTER:
            failed = _move(refund, RefundStatus.REFUND_FAILED, "provider_error", None, now=now)
            return msgspec.structs.replace(failed, due_at=now + RECHECK_AFTER)
        case Absent() | Redirect():
            return _wait(refund, None, now=now)
        case _:
            assert_never(outcome)


def settle(refund: Refund, *, amount: int, now: datetime) -> Refund:
    """Return a refund that went back otherwise than asked as done: ``amount`` is what that came to of the invoice.

    Raises ``TransitionRefused`` for any other.
    """
    if refund.status is not RefundStatus.REFUND_ERROR:
        raise TransitionRefused("The refund has not gone back otherwise than asked.")
    return msgspec.structs.replace(_move(refund, RefundStatus.REFUNDED, "ok", None, now=now), settled_amount=amount)


def _move(refund: Refund, status: RefundStatus, resolution: str, external_id: str | None, *, now: datetime) -> Refund:
    if status not in TRANSITIONS[refund.status]:
        raise TransitionRefused(f"A refund does not go from {refund.status} to {status}.")
    return msgspec.structs.replace(
        refund,
        status=status,
        resolution=resolution,
        external_id=external_id or refund.external_id,
        updated_at=max(now, refund.updated_at),
        due_at=None,
    )


def _wait(refund: Refund, external_id: str | None, *, now: datetime) -> Refund:
    return msgspec.structs.replace(
        refund, external_id=external_id or refund.external_id, due_at=now + ask_delay(refund.asks)
    )
