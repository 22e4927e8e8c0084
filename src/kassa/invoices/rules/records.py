"""What is kept of money that goes back to a payer: refunds and disputes, each a row of its own.

A refund is money that Kassa asks a provider to send back: once, under the refund's id. A dispute (chargeback) is money
that the payer's bank has taken back by itself; what the merchant wins is booked back.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from kassa.values import Value


class Reason(StrEnum):
    """Why a refund exists. All but the first send back money that never was the merchant's (``attempt.Unexpected``)."""

    REQUESTED = "requested"
    """The merchant asked for it."""
    LATE = "late"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"


class RefundStatus(StrEnum):
    """The status of a refund.

    See contract#statuses.
    """

    REFUND_PENDING = "refund_pending"
    """The provider has been asked, or is about to be."""
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    REFUND_ERROR = "refund_error"
    """Sent back, but not the amount or currency that was asked for: it waits for review."""


REFUND_TRANSITIONS: Final[Mapping[RefundStatus, frozenset[RefundStatus]]] = {
    RefundStatus.REFUND_PENDING: frozenset(
        {RefundStatus.REFUNDED, RefundStatus.REFUND_FAILED, RefundStatus.REFUND_ERROR}
    ),
    # A success that the provider reports late.
    RefundStatus.REFUND_FAILED: frozenset({RefundStatus.REFUNDED, RefundStatus.REFUND_ERROR}),
    # A person has settled it.
    RefundStatus.REFUND_ERROR: frozenset({RefundStatus.REFUNDED}),
    # The money came back: the payer's bank could not deliver it.
    RefundStatus.REFUNDED: frozenset({RefundStatus.REFUND_FAILED}),
}
"""The only changes of a refund's status there are."""


class Refund(Value, frozen=True, kw_only=True):
    """One refund. ``amount`` and ``fee`` are minor units of ``currency``.

    That is the invoice's where a merchant has asked for it, and the provider's for money that never was theirs.
    """

    account_id: str
    refund_id: str
    """Also the provider's idempotency key."""
    invoice_id: str
    payment_id: str
    """The payment that the money came with."""
    test_mode: bool
    reason: Reason = Reason.REQUESTED
    reference_id: str | None = None
    """The merchant's own id, which names one refund for ever; None where no merchant asked."""
    amount: int
    currency: str
    provider_amount: int
    """What the provider is asked to send back, in minor units of ``provider_currency``."""
    provider_currency: str
    fee: int = 0
    """What the merchant pays for it once it is done."""
    reserve: int = 0
    """What of ``amount`` the invoice's reserve gave when it began."""
    status: RefundStatus = RefundStatus.REFUND_PENDING
    resolution: str = "ok"
    description: str | None = None
    external_id: str | None = None
    """The provider's own id of it."""
    returned_amount: int | None = None
    """What the provider has really sent back where that is not what it was asked for, in ``returned_currency``."""
    returned_currency: str | None = None
    settled_amount: int | None = None
    """What of the invoice that came to, in ``currency``, once it was settled in review."""
    reversed_at: datetime | None = None
    """When its money came back, after it had gone back to the payer; what the provider says later changes nothing."""
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None = None
    polls: int = 0
    traceparent: str | None = None
    """The trace that it began in, where there was one: the worker goes on in it."""

    @property
    def requested(self) -> bool:
        """Whether the merchant asked for it."""
        return self.reason is Reason.REQUESTED

    @property
    def pending(self) -> bool:
        """Whether the provider's answer is not known yet."""
        return self.status is RefundStatus.REFUND_PENDING

    @property
    def counted(self) -> int:
        """What has gone back by it, or may still go back, in ``currency``."""
        return self.amount if self.settled_amount is None else self.settled_amount

    @property
    def counted_at_provider(self) -> int:
        """The same in minor units of ``provider_currency``; another currency counts as what was asked for."""
        amount, currency = self.at_provider
        settled = self.settled_amount is not None and currency == self.provider_currency
        return amount if settled else self.provider_amount

    @property
    def at_provider(self) -> tuple[int, str]:
        """What the provider has sent back, as far as we know, or will: minor units and their currency."""
        if self.returned_amount is not None and self.returned_currency is not None:
            return self.returned_amount, self.returned_currency
        return self.provider_amount, self.provider_currency


class DisputeStatus(StrEnum):
    """The status of a dispute."""

    OPEN = "open"
    """The payer's bank has taken the money back; the merchant may still contest it."""
    WON = "won"
    """The money is the merchant's again."""
    LOST = "lost"


DISPUTE_TRANSITIONS: Final[Mapping[DisputeStatus, frozenset[DisputeStatus]]] = {
    DisputeStatus.OPEN: frozenset({DisputeStatus.WON, DisputeStatus.LOST}),
    # Its money is booked back: a person has to look at one that is taken back once more.
    DisputeStatus.WON: frozenset(),
    # The merchant has contested it after all.
    DisputeStatus.LOST: frozenset({DisputeStatus.OPEN, DisputeStatus.WON}),
}
"""The only changes of a dispute's status there are."""


class Dispute(Value, frozen=True, kw_only=True):
    """One dispute. ``amount``, ``fee`` and ``reserve`` are minor units of ``currency``.

    That is the invoice's where it is known what of the invoice was taken, else the provider's.
    """

    account_id: str
    dispute_id: str
    invoice_id: str
    payment_id: str
    """The payment whose money was taken back."""
    test_mode: bool
    position: int
    """1 for the first dispute of a payment that the provider lists."""
    external_id: str | None = None
    """The provider's own id of it, where it has one."""
    status: DisputeStatus = DisputeStatus.OPEN
    reason: str
    amount: int
    currency: str
    provider_amount: int
    provider_currency: str
    total: int
    """What had been taken back of the payment in all with it, as the provider's statement names it."""
    unexpected: bool
    """Whether the money was not the merchant's, but to be sent back anyway."""
    fee: int = 0
    """What the merchant has paid for it."""
    reserve: int = 0
    """What of ``amount`` the invoice's reserve gave."""
    held: int = 0
    """What of ``amount`` had not gone back to the payer yet, where the money was unexpected."""
    booked: bool = False
    """Whether it is in the ledger: not while its payment is held, or on its way back."""
    deadline: datetime | None = None
    """Until when the merchant may contest it."""
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None

    @property
    def counts(self) -> bool:
        """Whether its money is missing."""
        return self.status is not DisputeStatus.WON
