"""The bank's faults: what can go wrong at a bank, and which orders it goes wrong for. Pure.

A fault is injected by a request (``fault_injection``), or chosen by the expiry date of a good card, or by the exact
amount. It affects how the bank answers an order, how much it takes, or how it notifies the merchant later. The bank
writes its books before it answers and the books are always right: a later request for the order shows the truth.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kassa.bank import cards
from kassa.bank.instruments import CardData, Instrument


class Fault(StrEnum):
    """What goes wrong; see ``DESCRIPTIONS``."""

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


DESCRIPTIONS: Final[Mapping[Fault, str]] = MappingProxyType(
    {
        Fault.SILENT_BEFORE: "takes nothing and never answers",
        Fault.SILENT_AFTER: "takes the order and never answers",
        Fault.FAILS_BEFORE: "takes nothing and answers 503",
        Fault.FAILS_AFTER: "takes the order and answers 500",
        Fault.GARBAGE: "takes the order and answers with a page that says nothing",
        Fault.DRIP: "takes the order and answers one byte a second, for ever",
        Fault.HUGE: "takes the order and answers with 100 MB",
        Fault.OTHER_AMOUNT: "takes half of the amount",
        Fault.OTHER_CURRENCY: "takes the amount in another currency",
        Fault.LATE_TRUTH: "takes the money and answers that it was refused",
        Fault.NOTICE_REPEATED: "notifies ten times",
        Fault.NOTICE_LATE: "notifies three seconds late",
        Fault.NOTICE_REORDERED: "notifies of an older state after the last one",
        Fault.NOTICE_LOST: "does not notify",
        Fault.NOTICE_FORGED: "a third party notifies too, and claims a success",
        Fault.NOTICE_EARLY: "notifies before it answers",
    }
)
"""What the bank does for each fault."""

NOTHING_TAKEN: Final = frozenset({Fault.SILENT_BEFORE, Fault.FAILS_BEFORE})
"""Faults with which the order never reaches the books."""

ANSWERS: Final = NOTHING_TAKEN | {Fault.SILENT_AFTER, Fault.FAILS_AFTER, Fault.GARBAGE, Fault.DRIP, Fault.HUGE}
"""Faults of an answer, which refunds and cancellations can have as well as orders."""

_MONTHS: Final = 12

EXPIRIES: Final[Mapping[str, Fault]] = MappingProxyType(
    {f"{number % _MONTHS + 1:02d}/{66 + number // _MONTHS}": fault for number, fault in enumerate(Fault)}
)
"""The fault for each expiry date (MM/YY) of a good card: 01/66 is the first one (contract#test-cards)."""

AMOUNTS: Final[Mapping[int, Fault]] = MappingProxyType({66601 + number: fault for number, fault in enumerate(Fault)})
"""The fault for each amount in minor units, whatever the payment method: 666.01 is the first one."""


def triggered(instrument: Instrument, amount: int) -> Fault | None:
    """Return the fault that an order's own card or amount triggers, or None."""
    if (
        isinstance(instrument, CardData)
        and cards.issuer_answer(instrument.number, instrument.expiry).code == cards.APPROVED
    ):
        return EXPIRIES.get(instrument.expiry) or AMOUNTS.get(amount)
    return AMOUNTS.get(amount)


def amount_taken(fault: Fault | None, amount: int, currency: str) -> tuple[int, str]:
    """Return the amount in minor units, and the currency, that the bank takes for an order."""
    match fault:
        case Fault.OTHER_AMOUNT:
            return amount // 2 or amount + 1, currency
        case Fault.OTHER_CURRENCY:
            return amount, "EUR" if currency != "EUR" else "USD"
        case _:
            return amount, currency
