"""The bank's bad days: what can go wrong at a bank, and which order it goes wrong for. Pure.

A day is chosen by an admin's call (``badness``), else by the expiry date of a good card, else by the exact amount. It
spoils how the bank answers an order, what it takes, or what it tells later of its own accord. Its books are written
before it answers on any day, and they never lie: who asks what became of an order is told the truth.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kassa.bank import cards
from kassa.bank.instruments import CardData, Instrument


class Day(StrEnum):
    """What is wrong. ``WORDS`` says what each means."""

    SILENT_BEFORE = "silent_before"
    SILENT_AFTER = "silent_after"
    FAILS_BEFORE = "fails_before"
    FAILS_AFTER = "fails_after"
    GARBAGE = "garbage"
    DRIP = "drip"
    HUGE = "huge"
    OTHER_AMOUNT = "other_amount"
    OTHER_CURRENCY = "other_currency"
    LATE_TRUTH = "late_truth"
    NOTICE_REPEATED = "notice_repeated"
    NOTICE_LATE = "notice_late"
    NOTICE_REORDERED = "notice_reordered"
    NOTICE_LOST = "notice_lost"
    NOTICE_FORGED = "notice_forged"
    NOTICE_EARLY = "notice_early"


WORDS: Final[Mapping[Day, str]] = MappingProxyType(
    {
        Day.SILENT_BEFORE: "takes nothing and never answers",
        Day.SILENT_AFTER: "takes the order and never answers",
        Day.FAILS_BEFORE: "takes nothing and answers 503",
        Day.FAILS_AFTER: "takes the order and answers 500",
        Day.GARBAGE: "takes the order and answers with a page that says nothing",
        Day.DRIP: "takes the order and answers one byte a second, for ever",
        Day.HUGE: "takes the order and answers with 100 MB",
        Day.OTHER_AMOUNT: "takes half of the amount",
        Day.OTHER_CURRENCY: "takes the amount in another currency",
        Day.LATE_TRUTH: "takes the money and answers that it was refused",
        Day.NOTICE_REPEATED: "notifies ten times",
        Day.NOTICE_LATE: "notifies three seconds late",
        Day.NOTICE_REORDERED: "notifies of an older state after the last one",
        Day.NOTICE_LOST: "does not notify",
        Day.NOTICE_FORGED: "somebody else notifies too, and claims a success",
        Day.NOTICE_EARLY: "notifies before it answers",
    }
)
"""What the bank does on each day."""

NOTHING_TAKEN: Final = frozenset({Day.SILENT_BEFORE, Day.FAILS_BEFORE})
"""Days on which the order never reaches the books."""

ANSWERS: Final = NOTHING_TAKEN | {Day.SILENT_AFTER, Day.FAILS_AFTER, Day.GARBAGE, Day.DRIP, Day.HUGE}
"""Days that spoil an answer, whatever was asked for: a refund or a cancellation can have one of these."""

_MONTHS: Final = 12

EXPIRIES: Final[Mapping[str, Day]] = MappingProxyType(
    {f"{number % _MONTHS + 1:02d}/{66 + number // _MONTHS}": day for number, day in enumerate(Day)}
)
"""The day that a good card's expiry date (MM/YY) chooses: 01/66 the first one, and so on (see contract#test-cards)."""

AMOUNTS: Final[Mapping[int, Day]] = MappingProxyType({66601 + number: day for number, day in enumerate(Day)})
"""The day that an amount in minor units chooses, whatever pays: 666.01 the first one, and so on."""


def chosen(instrument: Instrument, amount: int) -> Day | None:
    """Return the day that an order chooses for itself, or None where all goes well."""
    if isinstance(instrument, CardData) and cards.verdict(instrument.number, instrument.expiry).code == cards.APPROVED:
        return EXPIRIES.get(instrument.expiry) or AMOUNTS.get(amount)
    return AMOUNTS.get(amount)


def taken(day: Day | None, amount: int, currency: str) -> tuple[int, str]:
    """Return what the bank takes where it is asked for an amount in a currency."""
    match day:
        case Day.OTHER_AMOUNT:
            return amount // 2 or amount + 1, currency
        case Day.OTHER_CURRENCY:
            return amount, "EUR" if currency != "EUR" else "USD"
        case _:
            return amount, currency
