"""An invoice's timeline as it is shown: its events, with decimals for minor units. Ours: none of this family shows it.

An event's row has what its rule wrote; only the members below are shown, so that nothing comes to be shown by itself.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from kassa import money
from kassa.invoices.document.building import unix
from kassa.invoices.document.shapes import Amount, Reference, Relation, Wire
from kassa.invoices.tables.events import Happened

SIZE_DEFAULT: Final = 20
SIZE_MAX: Final = 100

WORDS: Final = {
    "invoice.created": "invoice created",
    "invoice.paid": "invoice paid",
    "invoice.verified": "card verified",
    "invoice.failed": "invoice failed",
    "invoice.expired": "invoice expired",
    "attempt.started": "attempt started",
    "attempt.redirected": "payer sent to the provider or the issuer",
    "attempt.pending": "provider has no result yet",
    "attempt.declined": "attempt declined",
    "attempt.unexpected": "unexpected money taken",
    "attempt.contradicted": "provider took back its word",
    "refund.started": "refund started",
    "refund.pending": "refund pending",
    "refund.succeeded": "refund succeeded",
    "refund.failed": "refund failed",
    "refund.mismatched": "another amount was refunded than asked",
    "refund.reversed": "refund came back",
    "dispute.opened": "dispute opened",
    "dispute.booked": "dispute booked",
    "dispute.won": "dispute won",
    "dispute.lost": "dispute lost",
    "dispute.reopened": "dispute reopened",
    "reserve.released": "reserve released",
    "review.held": "held for review",
    "review.approved": "review: approved",
    "review.rejected": "review: rejected",
    "review.returned": "review: money sent back again",
    "review.settled": "review: settled",
}
"""Every kind of event there is, in words."""

_PARTIES: Final = frozenset({"merchant", "payer", "provider", "kassa", "api"})


class By(StrEnum):
    """Who brought an event about."""

    MERCHANT = "merchant"
    PAYER = "payer"
    PROVIDER = "provider"
    KASSA = "kassa"
    """The gateway by itself: expiry, and releasing a reserve."""
    OPERATOR = "operator"
    """A person who runs the gateway."""


class EventParams(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """What an event's kind leaves open. A member that says nothing is left out."""

    source: str | msgspec.UnsetType = msgspec.UNSET
    """How the invoice was created."""
    payment_id: str | msgspec.UnsetType = msgspec.UNSET
    """The attempt that it is about."""
    attempt: int | msgspec.UnsetType = msgspec.UNSET
    """The attempt's number, from 1."""
    provider: str | msgspec.UnsetType = msgspec.UNSET
    """The provider's code."""
    external_id: str | msgspec.UnsetType = msgspec.UNSET
    """The provider's own id of the attempt."""
    status: str | msgspec.UnsetType = msgspec.UNSET
    """The attempt's status."""
    resolution: str | msgspec.UnsetType = msgspec.UNSET
    """Why the attempt or the refund has its status."""
    unexpected: str | msgspec.UnsetType = msgspec.UNSET
    """Why the money that was taken goes back: ``late``, ``duplicate`` or ``rejected``."""
    refund_id: str | msgspec.UnsetType = msgspec.UNSET
    dispute_id: str | msgspec.UnsetType = msgspec.UNSET
    reason: str | msgspec.UnsetType = msgspec.UNSET
    """Of a refund: ``requested``, ``late``, ``duplicate`` or ``rejected``; of a dispute: the provider's word."""
    amount: Amount | msgspec.UnsetType = msgspec.UNSET
    """What the event is about, in ``currency``."""
    currency: str | msgspec.UnsetType = msgspec.UNSET
    deadline: int | msgspec.UnsetType = msgspec.UNSET
    """Until when a dispute may be contested, in unix seconds."""


class EventAttributes(Wire, frozen=True, kw_only=True):
    """One event; ``status`` and ``resolution`` are the invoice's after it."""

    version: int
    """Its place in the invoice's timeline, from 1 and without gaps."""
    kind: str
    """What happened: ``attempt.declined``, ``refund.started`` …"""
    by: By
    created: int
    """When it happened, in unix seconds."""
    status: str
    resolution: str
    params: EventParams


class EventRelationships(Wire, frozen=True, kw_only=True):
    """The invoice that it happened to."""

    payment_invoice: Relation = msgspec.field(name="payment-invoice")


class EventResource(Wire, frozen=True, kw_only=True):
    """An event as a JSON:API resource."""

    type: str = "invoice-events"
    id: str
    """The invoice's id and the event's version: ``cpi_…:3``."""
    attributes: EventAttributes
    relationships: EventRelationships


def resource(event: Happened, invoice_id: str) -> EventResource:
    """Return an event as its merchant sees it: an operator's name and notes stay with the operator."""
    return EventResource(
        id=f"{invoice_id}:{event.version}",
        attributes=EventAttributes(
            version=event.version,
            kind=event.kind,
            by=_by(event.made_by),
            created=unix(event.created_at),
            status=event.status,
            resolution=event.resolution,
            params=_params(event.params),
        ),
        relationships=EventRelationships(
            payment_invoice=Relation(data=Reference(type="payment-invoices", id=invoice_id))
        ),
    )


def _by(made_by: str) -> By:
    if made_by not in _PARTIES:
        return By.OPERATOR
    return By.MERCHANT if made_by == "api" else By(made_by)


def _params(written: dict[str, Any]) -> EventParams:
    shown = {name: written[name] for name in EventParams.__struct_fields__ if written.get(name) is not None}
    if "amount" in shown:
        shown["amount"] = msgspec.Raw(money.to_text(shown["amount"], shown["currency"]).encode())
    if "deadline" in shown:
        shown["deadline"] = unix(datetime.fromisoformat(shown["deadline"]))
    return EventParams(**shown)
