"""Disputes as a provider tells of them, one after the other, for tests of the pure rules."""

from datetime import datetime

from kassa.invoices.rules import dispute
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.providers.protocol import Accepted, Dispute


def disputed(snapshot: Snapshot, *disputes: Dispute | int, now: datetime, fee: int = 0) -> Snapshot:
    """Return an invoice after all that a provider tells of its payment's disputes; an int is an open one's amount."""
    for change in changes(snapshot, *disputes, now=now, fee=fee):
        snapshot = change.after
    return snapshot


def changes(snapshot: Snapshot, *disputes: Dispute | int, now: datetime, fee: int = 0) -> list[Change]:
    """Return the changes that these disputes make, in their order."""
    payment = snapshot.payment
    assert payment is not None
    told = tuple(each if isinstance(each, Dispute) else Dispute(amount=each) for each in disputes)
    currency = payment.processed_currency or payment.currency
    outcome = Accepted(external_id="tx", amount=payment.processed_amount or 0, currency=currency, disputes=told)
    found: list[Change] = []
    while True:
        current = snapshot.attempt(payment.payment_id)
        assert current is not None
        change = dispute.apply(snapshot, current, outcome, fee=fee, new_id=f"dis_{len(snapshot.disputes)}", now=now)
        if change is None:
            return found
        found.append(change)
        snapshot = change.after
