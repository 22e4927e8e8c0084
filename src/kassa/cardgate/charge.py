"""The three steps of a card payment: write the intent, ask the provider, apply the answer (P1, P10).

The card is an argument of ``pay`` and of the provider's ``pay``, and is forgotten when they return. Everything else in
Kassa sees ``CardFacts``.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from kassa import failpoints, ids
from kassa.accounts.model import Account
from kassa.cardgate import velocity
from kassa.cardgate.facts import card_facts
from kassa.errors import InvoiceNotPayable, NotFound, ProviderGarbled, ProviderSilent
from kassa.failpoints import Point
from kassa.invoices import asking, cancelling, operations, queries
from kassa.invoices.charges import charge
from kassa.invoices.model import Invoice
from kassa.invoices.queries import View
from kassa.observability import about
from kassa.pacing import network_of
from kassa.payments.model import Payment, PaymentStatus
from kassa.payments.patience import ANSWER_SECONDS, in_time
from kassa.platform import Platform
from kassa.providers.protocol import Card, Outcome, Pending, Value


class Session(Value, frozen=True, kw_only=True):
    """A payer's visit: the invoice, its latest attempt, its account, and the moment."""

    invoice: Invoice
    payment: Payment | None
    account: Account
    now: datetime
    cancellable: bool
    """Whether the latest attempt waits for its payer, who may give it up."""


async def open_session(platform: Platform, session_id: str) -> Session:
    """Return what stands behind a session's address. Raises ``NotFound``."""
    tag = ids.tag_of(session_id, "cgi")
    if tag is None:
        raise NotFound
    account = await platform.accounts.by_tag(tag)
    view = await queries.by_session(platform.pool, session_id, account_id=account.account_id)
    if view is None:
        raise NotFound
    about(invoice_id=view.invoice.invoice_id)
    now = platform.clock.now(test_mode=view.invoice.test_mode)
    return Session(
        invoice=view.invoice,
        payment=view.payment,
        account=account,
        now=now,
        cancellable=cancelling.cancellable(platform, view.payment),
    )


async def pay(
    platform: Platform,
    session: Session,
    *,
    number: int,
    card: Card,
    client_ip: str,
    payer_known: bool = True,
    locale: str | None = None,
) -> View | None:
    """Try to take the money from a card, and return the invoice as it then stands.

    A second click, a stale form or an ended invoice changes nothing: then nobody was asked, and None is returned.
    ``locale`` is the language of the page that the payer was on.
    Raises ``TooMany`` where this payer, by ``client_ip`` if ``payer_known``, or this card has been declined too often.

    The provider is asked inside this call, because nobody else ever has the card. If it does not answer, the attempt
    waits and the worker asks what became of it.
    """
    invoice = session.invoice
    route = await platform.route(invoice.account_id, invoice.service, test_mode=invoice.test_mode)
    if route is None:
        raise NotFound("Nobody takes this service's payments any more.")
    facts = card_facts(platform, card, test_mode=invoice.test_mode)
    network = str(network_of(client_ip) or client_ip) if payer_known and client_ip else None
    hushed = await velocity.admit(platform, invoice, facts, payer_network=network)
    try:
        payment = await operations.begin(
            platform,
            invoice,
            number=number,
            card=facts,
            client_ip=client_ip,
            route=route,
            payer_network=network,
            hushed=hushed,
        )
    except InvoiceNotPayable:
        return None
    if not in_time(payment.created_at, now=platform.clock.now(test_mode=payment.test_mode)):
        return None
    return_url = f"{_address(platform, invoice)}/return"
    asked = charge(platform, session.account, invoice, payment, return_url=return_url, locale=locale or invoice.locale)
    outcome: Outcome
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            outcome = await platform.providers.get(route.provider).pay(route.credentials, asked, card)
    except (TimeoutError, ProviderSilent, ProviderGarbled):
        outcome = Pending()
    return await operations.settle(platform, payment, outcome)


async def come_back(platform: Platform, session: Session, params: Mapping[str, str]) -> None:
    """Ask the provider about the attempt whose payer has come back from 3-D Secure."""
    payment = session.payment
    if payment is not None and payment.status is PaymentStatus.PROCESS_PENDING:
        failpoints.reach(Point.RETURNED)
        await asking.ask(platform, payment, params=params)


async def cancel(platform: Platform, session: Session, *, number: int) -> None:
    """Close the attempt of this ``number`` at its provider, if it is the one that waits for its payer."""
    payment = session.payment
    if payment is not None and session.cancellable and payment.number == number:
        await cancelling.cancel(platform, payment)


def _address(platform: Platform, invoice: Invoice) -> str:
    return f"{platform.settings.gate_url}/hpp/{invoice.session_id}"
