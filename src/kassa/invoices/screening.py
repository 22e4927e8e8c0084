"""Holding a success against the account's rules before anything is processed (``kassa.moderation``)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from kassa.customers.model import Customer
from kassa.db.pool import Connection
from kassa.invoices.queries import View
from kassa.moderation import operations as moderation
from kassa.moderation.model import Rule, Success
from kassa.payments import model as payments
from kassa.payments.model import Payment, PaymentStatus

_address: Final = msgspec.json.Decoder(dict[str, Any])


async def screened(
    connection: Connection, rules: Sequence[Rule], view: View, answered: Payment, *, now: datetime
) -> Payment:
    """Return an attempt as it was answered, but held for a person where a rule catches the money that it took.

    A verification takes none, and without rules the database is not asked.
    """
    if not rules or answered.status is not PaymentStatus.PROCESSED or view.invoice.payment_flow == "verify":
        return answered
    hold = await moderation.screen(connection, rules, success(view, answered), now=now)
    return answered if hold is None else payments.hold(answered, resolution=hold.resolution)


def success(view: View, payment: Payment) -> Success:
    """Return what rules look at: the money, the card or the payer's address, and where they come from."""
    card = payment.card
    issued_in = card.issuer_country if card else None
    return Success(
        account_id=payment.account_id,
        test_mode=payment.test_mode,
        invoice_id=payment.invoice_id,
        payment_id=payment.payment_id,
        amount=payment.processed_amount or 0,
        currency=payment.processed_currency or payment.currency,
        countries=tuple(country for country in (issued_in, _lives_in(view.customer)) if country),
        card=card.fingerprint if card else None,
        customer_id=view.invoice.customer_id,
        client_ip=payment.client_ip or None,
    )


def _lives_in(customer: Customer | None) -> str | None:
    if customer is None or customer.address is None:
        return None
    country = _address.decode(customer.address).get("country")
    return country if isinstance(country, str) else None
