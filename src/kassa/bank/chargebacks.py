"""Chargebacks: money that a payer's bank has taken back, and what is decided on it. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from kassa.errors import Conflict

RESPONSE_LIFETIME = timedelta(days=14)
"""How long the merchant may contest a chargeback."""
REASONS = ("general", "fraudulent", "not_received", "not_as_described", "credit_not_processed")
"""Why a payer disputes a purchase."""


class Decision(StrEnum):
    """What became of a chargeback."""

    OPEN = "OPEN"
    WON = "WON"
    """The merchant has its money again."""
    LOST = "LOST"


class Chargeback(msgspec.Struct, frozen=True, kw_only=True):
    """Money that the payer's bank took back."""

    merchant_id: str
    order_ref: str
    transaction_id: str
    amount: int
    currency: str
    rrn: str
    created_at: datetime
    state: Decision = Decision.OPEN
    reason: str = REASONS[0]
    respond_by: datetime
    """Until when the merchant may contest it."""
    decided_at: datetime | None = None
    reversal_rrn: str | None = None
    """Under which the money came back to the merchant."""


def decided(chargeback: Chargeback, *, reversal_rrn: str | None, now: datetime) -> Chargeback:
    """Return a chargeback that the merchant has won, where its money is back under an rrn, or lost.

    Raises ``Conflict`` where it was decided before.
    """
    if chargeback.state is not Decision.OPEN:
        raise Conflict("This chargeback is decided.")
    state = Decision.LOST if reversal_rrn is None else Decision.WON
    return msgspec.structs.replace(chargeback, state=state, reversal_rrn=reversal_rrn, decided_at=now)
