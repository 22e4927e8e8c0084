"""The three steps of a card payment: write the attempt, send it to the provider, apply the answer (P1, P10).

The card is an argument of ``pay`` and of the provider's ``pay``, and is dropped when they return. Everything else in
Kassa sees ``CardFacts``.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from kassa import ids
from kassa.accounts.model import Account, Route
from kassa.cardgate import velocity
from kassa.cardgate.facts import card_facts
from kassa.errors import InvoiceNotPayable, NotFound, ProviderGarbled, ProviderSilent
from kassa.invoices.operations import cancel as cancelling
from kassa.invoices.operations import pay as operations
from kassa.invoices.operations import polling
from kassa.invoices.operations.charges import charge
from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import ANSWER_SECONDS, in_time
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import snapshots
from kassa.observability import about
from kassa.platform import Platform
from kassa.providers.protocol import Card, Outcome, Pending
from kassa.rate_limits import network_of
from kassa.values import Value


class Session(Value, frozen=True, kw_only=True):
    """A card page's session: the invoice, its latest attempt, its account, and the time of reading."""

    snapshot: Snapshot
    account: Account
    now: datetime
    cancellable: bool
    """Whether the latest attempt waits for its payer and can be cancelled."""

    @property
    def invoice(self) -> Invoice:
        """What is to be paid."""
        return self.snapshot.invoice

    @property
    def payment(self) -> Payment | None:
        """Its latest attempt."""
        return self.snapshot.payment


async def open_session(platform: Platform, session_id: str) -> Session:
    """Return the session of an id. Raises ``NotFound``."""
    tag = ids.tag_of(session_id, "cgi")
    if tag is None:
        raise NotFound
    account = await platform.accounts.by_tag(tag)
    snapshot = await snapshots.by_session(platform.pool, session_id, account_id=account.account_id)
    if snapshot is None:
        raise NotFound
    about(invoice_id=snapshot.invoice.invoice_id)
    now = platform.clock.now(test_mode=snapshot.invoice.test_mode)
    cancellable = cancelling.cancellable(platform, snapshot.payment)
    return Session(snapshot=snapshot, account=account, now=now, cancellable=cancellable)


async def pay(
    platform: Platform,
    session: Session,
    *,
    number: int,
    card: Card,
    client_ip: str,
    payer_known: bool = True,
    locale: str | None = None,
) -> Snapshot | None:
    """Charge a card, and return the invoice after it.

    A second click, a stale form or an ended invoice changes nothing and returns None. ``locale`` is the language of the
    page that the payer was on.
    Raises ``TooMany`` where this payer, by ``client_ip`` if ``payer_known``, or this card has been declined too often.

    The provider is called inside this function, because the card is kept nowhere. If it does not answer, the attempt
    waits and the worker polls its result.
    """
    invoice = session.invoice
    route = await platform.route(invoice.account_id, invoice.service, test_mode=invoice.test_mode)
    if route is None:
        raise NotFound("No provider takes this service's payments any more.")
    network = str(network_of(client_ip) or client_ip) if payer_known and client_ip else None
    begun = await _begin(platform, session, route, card, number=number, client_ip=client_ip, payer_network=network)
    if begun is None:
        return None
    snapshot, payment = begun
    if not in_time(payment.created_at, now=platform.clock.now(test_mode=payment.test_mode)):
        return None
    outcome = await _send(platform, session, payment, route, card, locale=locale or invoice.locale)
    return await operations.apply_result(platform, payment, outcome, snapshot=snapshot)


async def _begin(
    platform: Platform,
    session: Session,
    route: Route,
    card: Card,
    *,
    number: int,
    client_ip: str,
    payer_network: str | None,
) -> tuple[Snapshot, Payment] | None:
    """Write the attempt, or return None where the invoice does not take this one. Raises ``TooMany``."""
    facts = card_facts(platform, card, test_mode=session.invoice.test_mode)
    reason_hidden = await velocity.admit(platform, session.invoice, facts, payer_network=payer_network)
    try:
        return await operations.begin(
            platform,
            session.snapshot,
            attempt_number=number,
            card=facts,
            client_ip=client_ip,
            route=route,
            payer_network=payer_network,
            reason_hidden=reason_hidden,
        )
    except InvoiceNotPayable:
        return None


async def _send(
    platform: Platform, session: Session, payment: Payment, route: Route, card: Card, *, locale: str | None
) -> Outcome:
    """Return what the provider answers; the payment is pending where no answer can be read in time."""
    return_url = f"{_address(platform, session.invoice)}/return"
    order = charge(platform, session.account, session.invoice, payment, return_url=return_url, locale=locale)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await platform.providers.get(route.provider).pay(route.credentials, order, card)
    except (TimeoutError, ProviderSilent, ProviderGarbled):
        return Pending()


async def come_back(platform: Platform, session: Session, params: Mapping[str, str]) -> None:
    """Poll the provider about the attempt whose payer has come back from 3-D Secure."""
    payment = session.payment
    if payment is not None and payment.status is PaymentStatus.PROCESS_PENDING:
        await polling.poll(platform, payment, params=params, snapshot=session.snapshot)


async def cancel(platform: Platform, session: Session, *, number: int) -> None:
    """Close the attempt of this ``number`` at its provider, if it waits for its payer."""
    payment = session.payment
    if payment is not None and session.cancellable and payment.attempt_number == number:
        await cancelling.cancel(platform, payment)


def _address(platform: Platform, invoice: Invoice) -> str:
    return f"{platform.settings.gate_url}/hpp/{invoice.session_id}"
