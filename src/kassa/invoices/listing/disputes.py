"""Disputes as they are shown. Ours: none of this family shows them."""

import msgspec

from kassa import money
from kassa.invoices.document.building import unix
from kassa.invoices.document.shapes import Amount, Reference, Relation, Wire
from kassa.invoices.rules.records import Dispute, DisputeStatus


class DisputeAttributes(Wire, frozen=True, kw_only=True):
    """One dispute. Times are unix seconds."""

    status: DisputeStatus
    """``open``: the money is taken back, and the merchant may contest it. ``won``: it is the merchant's again."""
    reason: str
    """Why the payer disputed the payment, in the provider's word."""
    test_mode: bool
    amount: Amount
    """What it costs of the invoice, in ``currency``."""
    currency: str
    provider_amount: Amount
    """What the payer's bank has taken back, in ``provider_currency``."""
    provider_currency: str
    fee: Amount
    """What the account has paid for it, in ``currency``."""
    deadline: int | None
    """Until when it may be contested; null where the provider does not say."""
    opened: int
    closed: int | None
    """When it was won or lost; null before."""


class DisputeRelationships(Wire, frozen=True, kw_only=True):
    """The invoice whose money was disputed."""

    payment_invoice: Relation = msgspec.field(name="payment-invoice")


class DisputeResource(Wire, frozen=True, kw_only=True):
    """A dispute as a JSON:API resource."""

    type: str = "disputes"
    id: str
    attributes: DisputeAttributes
    relationships: DisputeRelationships


def resource(dispute: Dispute) -> DisputeResource:
    """Return a dispute as its merchant sees it."""
    invoice = Reference(type="payment-invoices", id=dispute.invoice_id)
    return DisputeResource(
        id=dispute.dispute_id,
        attributes=DisputeAttributes(
            status=dispute.status,
            reason=dispute.reason,
            test_mode=dispute.test_mode,
            amount=_amount(dispute.amount, dispute.currency),
            currency=dispute.currency,
            provider_amount=_amount(dispute.provider_amount, dispute.provider_currency),
            provider_currency=dispute.provider_currency,
            fee=_amount(dispute.fee, dispute.currency),
            deadline=unix(dispute.deadline) if dispute.deadline else None,
            opened=unix(dispute.opened_at),
            closed=unix(dispute.closed_at) if dispute.closed_at else None,
        ),
        relationships=DisputeRelationships(payment_invoice=Relation(data=invoice)),
    )


def _amount(minor: int, currency: str) -> Amount:
    return msgspec.Raw(money.to_text(minor, currency).encode())
