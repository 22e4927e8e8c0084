"""What a payer can pay with at this bank: a card, a wallet, or, for tests, a scenario that needs no payer."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from kassa.bank import cards

WALLET_AMOUNT_MAX = 50_000_000
"""Minor units. A wallet refuses more than this at once, without a page."""

FORM_WALLETS = frozenset({"qiwi"})
"""Wallets whose page takes a posted form, as some real ones do; the others are links."""

SCENARIOS: Mapping[str, str | None] = MappingProxyType(
    {"success": cards.APPROVED, "pending": None, "fail": cards.DO_NOT_HONOUR}
)
"""The response code of each scenario; None: it stays in processing until it is resolved at the desk."""


class CardData(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A card as a merchant sends it. It is checked once and never kept (P10)."""

    number: str
    expiry: str
    """MM/YY."""

    def __repr__(self) -> str:
        return "CardData(…)"

    __str__ = __repr__


class Wallet(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A wallet, whose page the payer is sent to."""

    code: str


class Scenario(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How the purchase ends: a key of ``SCENARIOS``."""

    name: str


Instrument = CardData | Wallet | Scenario


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of an instrument: of a card only what PCI DSS allows to display."""

    card_first: str | None = None
    card_last: str | None = None
    card_expiry: str | None = None
    wallet: str | None = None
    scenario: str | None = None


def facts(instrument: Instrument) -> Facts:
    """Return what is kept of an instrument."""
    match instrument:
        case CardData():
            return Facts(
                card_first=instrument.number[:6], card_last=instrument.number[-4:], card_expiry=instrument.expiry
            )
        case Wallet():
            return Facts(wallet=instrument.code)
        case Scenario():
            return Facts(scenario=instrument.name)
