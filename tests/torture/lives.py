"""The lives of a payment that the kill rig interrupts: who does what, and how it may end."""

from typing import Final

from kassa.bank.faults import EXPIRIES, Fault
from kassa.values import Value
from tests.support.api import CARD_USD
from tests.support.world import BAD, BAD_SECURE, GOOD, GOOD_SECURE

SOON: Final = "12/30"
PENDING: Final = "07/77"
LESS: Final = next(expiry for expiry, fault in EXPIRIES.items() if fault is Fault.OTHER_AMOUNT)
WALLET: Final = "applepay_usd_hpp"


class Life(Value, frozen=True, kw_only=True):
    """One payment, from its creation to its end."""

    name: str
    ends: frozenset[str]
    """How the invoice may end."""
    service: str = CARD_USD
    cards: tuple[tuple[str, str], ...] = ()
    """Number and expiry, one an attempt."""
    decision: str = "approve"
    """What the payer presses at the bank's page, or the wallet's; who decides nothing there uses another card."""
    desk: str | None = None
    """What a person at the bank decides about a payment that it left open."""
    flow: str = "charge"
    reserve: bool = False
    """Whether part of the money is held back, and released an hour later."""
    refunds: tuple[int, ...] = ()
    """What the merchant sends back of the 100.00 that were paid, one after the other."""
    charge_back: int | None = None
    """What the payer's bank then takes back."""
    late: bool = False
    """Whether the desk decides only after the invoice has expired."""
    verdict: str | None = None
    """What the merchant decides about a payment that is held, ``approve`` or ``reject``."""
    options: tuple[tuple[str, str], ...] = ()
    """What his account has otherwise than others."""


def _life(name: str, ends: str, **members: object) -> Life:
    return Life(name=name, ends=frozenset(ends.split()), **members)  # type: ignore[arg-type]


LIVES: Final = (
    _life("a card", "processed", cards=((GOOD, SOON),) * 5),
    _life("a reserve", "processed", cards=((GOOD, SOON),) * 5, reserve=True),
    _life("a card with 3-D Secure", "processed", cards=((GOOD_SECURE, SOON),) * 5),
    _life("3-D Secure declined", "process_failed", cards=((GOOD_SECURE, SOON),) * 5, decision="decline"),
    _life(
        "3-D Secure given up, then another card",
        "processed",
        cards=((GOOD_SECURE, SOON), *((GOOD, SOON),) * 4),
        decision="abandon",
    ),
    _life("a bad card, five times", "process_failed", cards=((BAD, SOON),) * 5),
    _life("a bad card, then a good one", "processed", cards=((BAD, SOON), *((GOOD, SOON),) * 4)),
    _life("a bad card with 3-D Secure", "process_failed", cards=((BAD_SECURE, SOON),) * 5),
    _life("left open, approved later", "processed", cards=((GOOD, PENDING),) * 5, desk="approve"),
    _life(
        "left open, declined later",
        "process_failed",
        cards=((GOOD, PENDING), *((BAD, SOON),) * 4),
        desk="decline",
    ),
    _life(
        # Whoever dies before the bank is asked has an attempt that ends with the invoice.
        "approved after its time",
        "processed process_failed",
        cards=((GOOD, PENDING),) * 5,
        desk="approve",
        late=True,
    ),
    _life(
        # Whether it has ended when the bank tells is a race.
        "approved after its time and not wanted",
        "processed process_failed",
        cards=((GOOD, PENDING),) * 5,
        desk="approve",
        late=True,
        options=(("late_success", "refund"),),
    ),
    _life(
        "less than asked for, and rejected",
        "process_failed",
        cards=((GOOD, LESS),) * 5,
        verdict="reject",
    ),
    _life(
        "less than asked for, and approved all the same",
        "processed partially_processed",
        cards=((GOOD, LESS),) * 5,
        verdict="approve",
    ),
    Life(
        name="nobody pays",
        ends=frozenset({"process_failed"}),
    ),
    _life("a card that is only checked", "verified", cards=((GOOD, SOON),) * 5, flow="verify"),
    # A refund that nobody has sent is one that failed.
    _life(
        "refunded in parts",
        "refunded partially_refunded refund_failed",
        cards=((GOOD, SOON),) * 5,
        refunds=(40, 60),
    ),
    # Whichever the bank tells of last gives the status.
    _life(
        "refunded out of a reserve, then charged back",
        "partially_charged_back partially_refunded",
        cards=((GOOD, SOON),) * 5,
        refunds=(30,),
        charge_back=50,
        reserve=True,
    ),
    Life(
        name="a wallet",
        service=WALLET,
        # Its page is asked for once: whoever dies before that has an invoice that nobody can pay.
        ends=frozenset({"processed", "process_failed"}),
    ),
)

UNDISTURBED: Final = tuple(life for life in LIVES if life.cards and not (life.desk or life.reserve))
"""Those that need nobody to move the clock, which would end others that are lived beside them."""
