"""Holding a success against the account's rules before anything is processed (``kassa.moderation``)."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from kassa.accounts.model import Account
from kassa.customers.model import Customer
from kassa.db.pool import transaction, unit_of_work
from kassa.invoices.operations import changing
from kassa.invoices.operations.changing import Decide
from kassa.invoices.rules import conversion
from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import snapshots
from kassa.moderation import model, operations
from kassa.moderation.model import Hold, Rule, Success
from kassa.platform import Platform

_address: Final = msgspec.json.Decoder(dict[str, Any])


@unit_of_work
async def apply(
    platform: Platform,
    account: Account,
    success: Success,
    rules: Sequence[Rule],
    decision: Callable[[Hold | None], Decide],
) -> Snapshot:
    """Carry out what the provider's answer and the account's rules make of an attempt together.

    Where a rule counts the payments of a card, customer or address, two of them must not both pass for the last: they
    are counted one after the other, in a transaction. No other change holds a lock while the database is spoken to.
    """
    counting = operations.counting(rules, success)
    if not counting:
        hold = model.verdict(rules, success, {})
        return await changing.change(
            platform, account, success.invoice_id, decision(hold), payment_id=success.payment_id
        )
    now = platform.clock.now(test_mode=success.test_mode)
    async with transaction(platform.pool) as connection:
        others = await operations.count(connection, counting, success, now=now)
        hold = model.verdict(rules, success, others)
        await snapshots.lock(connection, success.invoice_id, account_id=account.account_id)
        snapshot = await changing.read(connection, account, success.invoice_id, payment_id=success.payment_id)
        decided = decision(hold)(snapshot)
        return (
            snapshot if decided is None else await changing.carry_out(platform, account, decided, connection=connection)
        )


def success(snapshot: Snapshot, payment: Payment | None) -> Success | None:
    """Return what rules look at: the money, the card or the payer's address, and where they come from.

    None where an attempt, as it was answered, has taken nothing that a rule could hold.
    """
    if payment is None or payment.status is not PaymentStatus.PROCESSED or payment.unexpected is not None:
        return None
    current = snapshot.attempt(payment.payment_id)
    if snapshot.invoice.payment_flow == "verify" or current is None or current.status is PaymentStatus.PROCESSED:
        return None
    card = payment.card
    amount, currency = conversion.taken(snapshot.invoice, payment)
    issued_in = card.issuer_country if card else None
    return Success(
        account_id=payment.account_id,
        test_mode=payment.test_mode,
        invoice_id=payment.invoice_id,
        payment_id=payment.payment_id,
        amounts={payment.processed_currency or payment.currency: payment.processed_amount or 0, currency: amount},
        countries=tuple(country for country in (issued_in, _lives_in(snapshot.customer)) if country),
        card=card.fingerprint if card else None,
        customer_id=snapshot.invoice.customer_id,
        client_ip=payment.client_ip or None,
    )


def _lives_in(customer: Customer | None) -> str | None:
    if customer is None or customer.address is None:
        return None
    country = _address.decode(customer.address).get("country")
    return country if isinstance(country, str) else None
