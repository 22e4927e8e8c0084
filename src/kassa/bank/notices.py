"""Which notifications a merchant gets about a purchase, with faults and without. Pure."""

from typing import Final

import msgspec

from kassa.bank import model
from kassa.bank.answers import purchase_answer, refund_answer
from kassa.bank.faults import Fault
from kassa.bank.model import Purchase, Refund, State

REPEATED_TIMES: Final = 10
LATE_SECONDS: Final = 3.0
REORDERED_SECONDS: Final = 1.0

FORGER: Final = "somebody else"
"""The sender of forged notifications, who signs with another secret."""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A notification to be sent."""

    body: bytes
    after_seconds: float = 0.0
    forged: bool = False
    """It is not signed with the merchant's secret."""


def at_opening(purchase: Purchase) -> list[Notice]:
    """Return what is sent about a new purchase: nothing, or a forged success."""
    if purchase.fault is not Fault.NOTICE_FORGED:
        return []
    claim = model.approved(purchase, rrn="0" * 12, approval_code="FORGED", now=purchase.created_at)
    return [Notice(body=_body(claim), forged=True)]


def at_closing(purchase: Purchase) -> list[Notice]:
    """Return what is sent when a purchase becomes final."""
    final = Notice(body=_body(purchase))
    match purchase.fault:
        case Fault.NOTICE_REPEATED:
            return [final] * REPEATED_TIMES
        case Fault.NOTICE_LATE:
            return [Notice(body=final.body, after_seconds=LATE_SECONDS)]
        case Fault.NOTICE_REORDERED:
            older = msgspec.structs.replace(
                purchase, state=State.PROCESSING, response_code=None, rrn=None, approval_code=None
            )
            return [final, Notice(body=_body(older), after_seconds=REORDERED_SECONDS)]
        case Fault.NOTICE_LOST:
            return []
        case _:
            return [final]


def of_charge_back(purchase: Purchase) -> Notice:
    """Return what is sent about a chargeback, and about what was decided on it."""
    return Notice(body=_body(purchase, "charged_back"))


def of_refund(purchase: Purchase, refund: Refund) -> Notice:
    """Return what is sent about a refund that came back."""
    content = {"event": "refund.returned", "purchase": purchase_answer(purchase), "refund": refund_answer(refund)}
    return Notice(body=msgspec.json.encode(content))


def _body(purchase: Purchase, event: str | None = None) -> bytes:
    name = f"purchase.{event or purchase.state.lower()}"
    return msgspec.json.encode({"event": name, "purchase": purchase_answer(purchase)})
