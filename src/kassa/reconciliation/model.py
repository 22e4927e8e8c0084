"""What is compared, and what can be wrong: our books and the provider's, movement by movement.

A movement is money that was taken (``purchase``), given back (``refund``) or taken back by the payer's bank
(``charge_back``). By our books it is a transfer of the provider's purse (``BOOKED``); by the provider's it is a line of
its statement. Each difference is a case for a person; one that more asking may end wakes the question as well
(``askable``), and nothing else is changed.

A provider may have told us of several charge-backs by their sum, so one entry of ours may be several lines of a
statement. Both are named by what was charged back in all with them, and the two books agree where an entry ends with a
line.
"""

import re
import zlib
from array import array
from bisect import bisect_left
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

import msgspec

from kassa.errors import ProviderGarbled
from kassa.ids import Prefix
from kassa.payments.model import FAILED, TAKEN, UNDECIDED, PaymentStatus
from kassa.providers.protocol import Movement, StatementLine, Value
from kassa.refunds.model import RefundStatus

MARGIN: Final = timedelta(minutes=15)
"""How far apart the two books' times of one movement may be; what is younger than that is not compared yet."""

OVERLAP: Final = timedelta(days=2)
"""How much of what was compared before each night compares again: a case that has ended is closed so."""

FIRST: Final = timedelta(days=3)
"""How far back a provider account's first night goes."""

RETRY: Final = timedelta(minutes=15)
"""When a run comes again that the provider did not let end, and one that made us ask about payments."""

NIGHT_BEGINS: Final = timedelta(hours=2)
NIGHT_SECONDS: Final = 4 * 3600
"""Provider accounts take their turns from 2 to 6 o'clock, UTC."""

TEXT_LENGTH_MAX: Final = 255

BOOKED: Final[dict[str, tuple[Movement, Prefix, str]]] = {
    "processed": ("purchase", "pay", ""),
    "suspended": ("purchase", "pay", ""),
    "unwanted": ("purchase", "pay", ""),
    "returned": ("refund", "pay", "-late"),
    "returned_otherwise": ("refund", "pay", "-late"),
    "refunded": ("refund", "ref", ""),
    "refunded_otherwise": ("refund", "ref", ""),
    "refunded_late": ("refund", "ref", ""),
    "charged_back": ("charge_back", "pay", ""),
    "charged_back_unwanted": ("charge_back", "pay", ""),
}
"""The recipes by which money comes from a provider or goes back to it: the movement, whose id its entries have behind
the recipe's name, and what its ref has behind that."""

_CHARGE_BACK: Final = re.compile(r"(.+):([1-9][0-9]{0,17})")


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
    provider_account_id: str
    asked_at: datetime
    """When the payment or refund began: the provider cannot have booked anything of it before."""
    status: PaymentStatus | RefundStatus
    """The refund's, if it is one that a merchant asked for; else the payment's."""
    external_id: str | None
    """The provider's id of the movement, where we know it."""
    amount: int | None
    """What is booked, in minor units; None: nothing is."""
    currency: str | None
    booked_at: datetime | None


class Difference(Value, frozen=True, kw_only=True):
    """One movement that the two books tell differently."""

    kind: Kind
    ours: Ours | None
    line: StatementLine | None

    @property
    def named(self) -> Ours | StatementLine:
        """Whichever tells what it is about."""
        if self.line is not None:
            return self.line
        if self.ours is None:
            raise ValueError("A difference has at least one side.")
        return self.ours


class Period(Value, frozen=True, kw_only=True):
    """From a moment to before another."""

    since: datetime
    until: datetime


class Seen:
    """Which movements a statement had, in 8 bytes each: millions of them fit, and one is as good as never mistaken."""

    def __init__(self) -> None:
        self._marks = array("q")
        self._sorted = True

    def add(self, movement: Movement, ref: str) -> None:
        """Note a movement."""
        self._marks.append(hash((movement, ref)))
        self._sorted = False

    def has(self, movement: Movement, ref: str) -> bool:
        """Tell whether a movement was noted."""
        if not self._sorted:
            self._marks = array("q", sorted(self._marks))
            self._sorted = True
        mark = hash((movement, ref))
        place = bisect_left(self._marks, mark)
        return place < len(self._marks) and self._marks[place] == mark


def counterpart(known: list[Ours], line: StatementLine) -> Ours | None:
    """Return what we know of a line's movement, out of all that we know of its payment."""
    alike = [ours for ours in known if ours.movement == line.movement]
    found = next((ours for ours in alike if ours.ref == line.ref), None)
    if found is not None or line.movement != "charge_back" or not alike:
        return found
    begins, ends = _stretch(line.ref, line.amount)
    for ours in alike:
        began, ended = _stretch(ours.ref, ours.amount) if ours.amount is not None else (0, 0)
        if began < ends < ended or began == begins < ended:
            return ours
    return msgspec.structs.replace(alike[0], ref=line.ref, amount=None, currency=None, booked_at=None)


def _stretch(ref: str, amount: int) -> tuple[int, int]:
    """Return what was charged back in all before a charge-back, and with it."""
    total = int(ref.rpartition(":")[2])
    return total - amount, total


def compare(ours: Ours | None, line: StatementLine) -> Kind | None:
    """Return how a line of the statement differs from what we know, or None where it does not."""
    if ours is None:
        return Kind.MISSING_HERE
    if ours.booked_at is None:
        return Kind.STATUS
    if ours.external_id not in (None, line.external_id):
        return Kind.TRANSACTION
    if ours.currency != line.currency or _differ(ours, line):
        return Kind.AMOUNT
    return None


def _differ(ours: Ours, line: StatementLine) -> bool:
    if ours.amount is None or line.movement != "charge_back":
        return ours.amount != line.amount
    # It may be one of several that we booked together: their last tells whether they were as much.
    return _stretch(line.ref, line.amount)[1] > _stretch(ours.ref, ours.amount)[1]


def askable(difference: Difference) -> bool:
    """Tell whether the provider's answer about the payment or refund may end a difference."""
    if difference.kind is not Kind.STATUS or difference.ours is None:
        return False
    status = difference.ours.status
    match difference.ours.movement:
        case "purchase":
            return status in UNDECIDED | FAILED
        case "refund" if isinstance(status, RefundStatus):
            return status in (RefundStatus.REFUND_PENDING, RefundStatus.REFUND_FAILED)
        case "refund":
            return status is PaymentStatus.REFUND_PENDING
        case "charge_back":
            return status in TAKEN | UNDECIDED | FAILED
        case _:
            assert_never(difference.ours.movement)


def check(line: StatementLine) -> StatementLine:
    """Return a line that can be kept. Raises ``ProviderGarbled``."""
    for text in (line.ref, line.payment_id, line.external_id, line.currency):
        if not 0 < len(text) <= TEXT_LENGTH_MAX or not text.isprintable():
            raise ProviderGarbled("The statement has a line that cannot be read.")
    if line.amount < 0 or line.booked_at.tzinfo is None:
        raise ProviderGarbled("The statement has a line that cannot be read.")
    named = _CHARGE_BACK.fullmatch(line.ref)
    if line.movement == "charge_back" and (named is None or named[1] != line.payment_id or int(named[2]) < line.amount):
        raise ProviderGarbled("The statement has a charge-back that cannot be read.")
    return line


def next_night(provider_account_id: str, now: datetime) -> datetime:
    """Return when a provider account's turn is next: every night at the same time, which its id decides."""
    spread = timedelta(seconds=zlib.crc32(provider_account_id.encode()) % NIGHT_SECONDS)
    tonight = now.replace(hour=0, minute=0, second=0, microsecond=0) + NIGHT_BEGINS + spread
    return tonight if tonight > now else tonight + timedelta(days=1)
