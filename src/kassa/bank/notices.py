"""Which messages a merchant gets about a purchase, on good days and on bad ones. Pure."""

from typing import Final

import msgspec

from kassa.bank import model
from kassa.bank.answers import purchase_answer
from kassa.bank.days import Day
from kassa.bank.model import Purchase, State

REPEATED_TIMES: Final = 10
LATE_SECONDS: Final = 3.0
REORDERED_SECONDS: Final = 1.0

STRANGER: Final = "somebody else"
"""Whose messages are forged: he signs with a secret of his own."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A message to be sent."""

    body: bytes
    after_seconds: float = 0.0
    forged: bool = False
    """It comes from somebody who does not have the merchant's secret."""


def at_opening(purchase: Purchase) -> list[Notice]:
    """Return what is sent as soon as there is a purchase: nothing, unless somebody forges a success."""
    if purchase.day is not Day.NOTICE_FORGED:
        return []
    claim = model.approved(purchase, rrn="0" * 12, approval_code="FORGED", now=purchase.created_at)
    return [Notice(body=_body(claim), forged=True)]


def at_closing(purchase: Purchase) -> list[Notice]:
    """Return what is sent when a purchase has got its final state."""
    final = Notice(body=_body(purchase))
    match purchase.day:
        case Day.NOTICE_REPEATED:
            return [final] * REPEATED_TIMES
        case Day.NOTICE_LATE:
            return [Notice(body=final.body, after_seconds=LATE_SECONDS)]
        case Day.NOTICE_REORDERED:
            older = msgspec.structs.replace(
                purchase, state=State.PROCESSING, response_code=None, rrn=None, approval_code=None
            )
            return [final, Notice(body=_body(older), after_seconds=REORDERED_SECONDS)]
        case Day.NOTICE_LOST:
            return []
        case _:
            return [final]


def of_charge_back(purchase: Purchase) -> Notice:
    """Return what is sent when the payer's bank has taken money back."""
    return Notice(body=_body(purchase, "charged_back"))


def _body(purchase: Purchase, event: str | None = None) -> bytes:
    told = f"purchase.{event or purchase.state.lower()}"
    return msgspec.json.encode({"event": told, "purchase": purchase_answer(purchase)})
