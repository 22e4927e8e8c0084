"""What happens when an invoice is created, whichever way its service goes.

A card's page is ours: one statement, and the answer. A wallet's is its provider's: the invoice is written with its
first attempt, the provider is asked inside the request, and its answer is a second change. If there is no answer the
invoice exists all the same, as ``created``, and the worker finds out (contract#public-api, contract#errors).
"""

import asyncio

import structlog
from msgspec.structs import replace

from kassa.accounts.model import Account, Route
from kassa.customers.model import Customer
from kassa.db.pool import unit_of_work
from kassa.errors import Invalid, Message, NotFound, ProviderGarbled, ProviderSilent
from kassa.invoices.operations import pay
from kassa.invoices.operations.changing import carry_out
from kassa.invoices.operations.charges import charge
from kassa.invoices.rules import attempt
from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import ANSWER_SECONDS, in_time
from kassa.invoices.rules.snapshot import Change, Event, Snapshot
from kassa.invoices.tables import snapshots
from kassa.invoices.tables.carrying import ReferenceTaken
from kassa.observability import about
from kassa.platform import Platform
from kassa.providers.protocol import Charge, Outcome, Pending

_log = structlog.get_logger(__name__)


async def create(
    platform: Platform, account: Account, invoice: Invoice, customer: Customer | None, *, client_ip: str
) -> tuple[Snapshot, bool]:
    """Create an invoice and return it with True, or the one that has its ``reference_id`` with False (P3).

    Raises ``ProviderSilent`` or ``ProviderGarbled`` when the provider was asked for its page and gave none: the invoice
    exists. Raises ``Invalid`` where the service's provider has gone: then nothing was written.
    """
    if invoice.session_id is not None:
        invoice = replace(invoice, token=platform.tokens.sign(invoice.session_id, invoice.expires_at))
        return await _write(platform, account, Snapshot(invoice=invoice, payment=None, customer=customer))
    payment = await _first_attempt(platform, invoice, client_ip=client_ip)
    snapshot, created = await _write(platform, account, Snapshot(invoice=invoice, payment=payment, customer=customer))
    return (await _ask_for_page(platform, account, snapshot, payment), True) if created else (snapshot, False)


@unit_of_work
async def _write(platform: Platform, account: Account, drafted: Snapshot) -> tuple[Snapshot, bool]:
    """Write a new invoice with its customer, first attempt and first callback in one statement."""
    invoice = drafted.invoice
    event = Event(kind="invoice.created", by=_creator(invoice), params={"source": invoice.source})
    change = Change(before=None, after=drafted, at=invoice.created_at, event=event)
    try:
        return await carry_out(platform, account, change), True
    except ReferenceTaken:
        existing = await snapshots.by_reference(
            platform.pool, invoice.reference_id, account_id=account.account_id, test_mode=invoice.test_mode
        )
    if existing is None:
        raise NotFound
    about(invoice_id=existing.invoice.invoice_id)
    return existing, False


def _creator(invoice: Invoice) -> str:
    return "payer" if invoice.source == "platform_public_api" else "merchant"


async def _first_attempt(platform: Platform, invoice: Invoice, *, client_ip: str) -> Payment:
    route = await platform.route(invoice.account_id, invoice.service, test_mode=invoice.test_mode)
    if route is None:
        raise Invalid({"service": Message("No provider takes this service's payments any more.")})
    return attempt.begin(
        invoice,
        route,
        status=PaymentStatus.INVOKE_PENDING,
        card=None,
        client_ip=client_ip,
        now=invoice.created_at,
    )


async def _ask_for_page(platform: Platform, account: Account, snapshot: Snapshot, payment: Payment) -> Snapshot:
    invoice = snapshot.invoice
    route = await platform.accounts.credentials(payment.account_id, payment.provider_account_id)
    return_url = f"{platform.settings.base_url}{return_path(invoice)}"
    wanted = charge(platform, account, invoice, payment, return_url=return_url, locale=invoice.locale)
    try:
        outcome = await _page(platform, route, payment, wanted)
    except (ProviderSilent, ProviderGarbled) as error:
        _log.warning("provider gave no page", payment_id=payment.payment_id, detail=error.detail)
        await pay.apply_result(platform, payment, Pending(), snapshot=snapshot)
        raise type(error) from error  # What exactly came back is the operator's to know, not the caller's.
    return await pay.apply_result(platform, payment, outcome, snapshot=snapshot)


async def _page(platform: Platform, route: Route, payment: Payment, wanted: Charge) -> Outcome:
    if not in_time(payment.created_at, now=platform.clock.now(test_mode=payment.test_mode)):
        raise ProviderSilent
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await platform.providers.get(route.provider).pay(route.credentials, wanted, None)
    except TimeoutError:
        raise ProviderSilent from None


def return_path(invoice: Invoice) -> str:
    """Return the path under the base URL that a payer comes back to from the provider's page."""
    return f"/hpp/result/{invoice.invoice_id}/return"
