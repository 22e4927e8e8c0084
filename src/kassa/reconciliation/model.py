"""What is compared, and what can be wrong: our books and the provider's, movement by movement.

A movement is money that was taken (``purchase``), refunded (``refund``) or taken back by the payer's bank
(``charge_back``), and what undoes the latter two. By our books it is a transfer of the ledger account ``provider``
(``BOOKED``); by the provider's it is a line of its statement. Each difference is a discrepancy for an operator. One
that the provider's answer may end (``askable``) makes the payment or refund due as well; nothing else is changed.

A provider may have reported several chargebacks by their sum, so one entry of ours may be several lines of a statement.
Both are named by what was charged back in all with them, and the two books agree where an entry ends with a line.
"""

import re
import zlib
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from kassa.errors import ProviderGarbled
from kassa.invoices.rules.attempt import FAILED, TAKEN, UNDECIDED, PaymentStatus
from kassa.invoices.rules.records import RefundStatus
from kassa.providers.protocol import Movement, StatementLine
from kassa.values import Value

MARGIN: Final = timedelta(minutes=15)
"""How far apart the two books' times of one movement may be; what is younger than that is not compared yet."""

OVERLAP: Final = timedelta(days=2)
"""How much of what was compared before each night compares again: a discrepancy that has ended is closed so."""

FIRST: Final = timedelta(days=3)
"""How far back a provider account's first night goes."""

RETRY: Final = timedelta(minutes=15)
"""When a run comes again that the provider did not let end, and one that made payments due to be synced."""

NIGHT_BEGINS: Final = timedelta(hours=2)
NIGHT_SECONDS: Final = 4 * 3600
"""Provider accounts take their turns from 2 to 6 o'clock, UTC."""

TEXT_LENGTH_MAX: Final = 255

BOOKED: Final[dict[str, Movement]] = {
    "processed": "purchase",
    "suspended": "purchase",
    "unexpected": "purchase",
    "refund_sent": "refund",
    "refund_mismatched": "refund",
    "refund_sent_after_failure": "refund",
    "refund_failed_after_success": "refund_reversal",
    "charged_back": "charge_back",
    "charged_back_unexpected": "charge_back",
    "dispute_won": "chargeback_reversal",
    "dispute_won_unexpected": "chargeback_reversal",
}
"""The recipes by which money comes from a provider or goes back to it, and the movement that its statement calls it."""

INWARDS: Final[frozenset[Movement]] = frozenset({"purchase", "refund_reversal", "chargeback_reversal"})
"""Movements by which a provider holds more of our money; by the others it holds less."""

OF_REFUNDS: Final[frozenset[Movement]] = frozenset({"refund", "refund_reversal"})
"""Movements whose ref is a refund's id."""

OF_CHARGEBACKS: Final[frozenset[Movement]] = frozenset({"charge_back", "chargeback_reversal"})
"""Movements whose ref is the payment's id and what was charged back of it in all."""

_CHARGEBACK: Final = re.compile(r"(.+):([1-9][0-9]{0,17})")


class Kind(StrEnum):
    """How the books differ."""

    MISSING_THERE = "missing_there"
    """We have booked it; it is not on the statement."""
    MISSING_HERE = "missing_here"
    """It is on the statement; we know nothing of it."""
    STATUS = "status"
    """It is on the statement; we know it, and have booked no money."""
    AMOUNT = "amount"
    """Both have it, with another amount or currency."""
    TRANSACTION = "transaction"
    """Both have it, and the statement has another transaction under its name: taken twice, or mixed up."""


class Ours(Value, frozen=True, kw_only=True):
    """One movement as we know it, whether its money is in our books or not."""

    movement: Movement
    ref: str
    payment_id: str
    """Empty where an entry names no payment."""
    asked_at: datetime
    """When the payment or refund began: the provider cannot have booked anything of it before."""
    status: PaymentStatus | RefundStatus | None
    """The refund's, if the movement is one's; else the payment's. None for an entry whose payment does not exist."""
    external_id: str | None
    """The provider's id of the movement, where we know it."""
    amount: int | None
    """What is booked, in minor units; None: nothing is."""
    currency: str | None
    booked_at: datetime | None


class Difference(Value, frozen=True, kw_only=True):
    """One movement that the two books show differently."""

    kind: Kind
    ours: Ours | None
    line: StatementLine | None
    booked_at: datetime
    """When the later of the two sides booked it."""

    @property
    def named(self) -> Ours | StatementLine:
        """Whichever side says what it is about."""
        if self.line is not None:
            return self.line
        if self.ours is None:
            raise ValueError("A difference has at least one side.")
        return self.ours


class Period(Value, frozen=True, kw_only=True):
    """From a moment to before another."""

    since: datetime
    until: datetime


def askable(difference: Difference) -> bool:
    """Return whether the provider's answer about the payment or refund may end a difference."""
    if difference.kind is not Kind.STATUS or difference.ours is None:
        return False
    status = difference.ours.status
    match difference.ours.movement:
        case "purchase":
            return status in UNDECIDED | FAILED
        case "refund" if isinstance(status, RefundStatus):
            return status in (RefundStatus.REFUND_PENDING, RefundStatus.REFUND_FAILED)
        case "refund":
            return False
        case "charge_back" | "chargeback_reversal":
            return status in TAKEN | UNDECIDED | FAILED
        case "refund_reversal":
            return status is RefundStatus.REFUNDED
        case _:
            assert_never(difference.ours.movement)


def check(line: StatementLine) -> StatementLine:
    """Return a line that can be kept. Raises ``ProviderGarbled``."""
    for text in (line.ref, line.payment_id, line.external_id, line.currency):
        if not 0 < len(text) <= TEXT_LENGTH_MAX or not text.isprintable():
            raise ProviderGarbled("The statement has a line that cannot be read.")
    if line.amount < 0 or line.booked_at.tzinfo is None:
        raise ProviderGarbled("The statement has a line that cannot be read.")
    total = charged_back_total(line)
    if line.movement in OF_CHARGEBACKS and (total is None or total < line.amount):
        raise ProviderGarbled("The statement has a chargeback that cannot be read.")
    return line


def charged_back_total(line: StatementLine) -> int | None:
    """Return what was charged back of a payment in all with a line, in minor units; None for other movements."""
    named = _CHARGEBACK.fullmatch(line.ref) if line.movement in OF_CHARGEBACKS else None
    return int(named[2]) if named is not None and named[1] == line.payment_id else None


def next_night(provider_account_id: str, now: datetime) -> datetime:
    """Return when a provider account's turn is next: every night at the same time, which its id decides."""
    spread = timedelta(seconds=zlib.crc32(provider_account_id.encode()) % NIGHT_SECONDS)
    tonight = now.replace(hour=0, minute=0, second=0, microsecond=0) + NIGHT_BEGINS + spread
    return tonight if tonight > now else tonight + timedelta(days=1)
