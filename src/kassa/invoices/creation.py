"""Creating an invoice, whichever way its service goes: cards need nobody's answer, wallets need their provider's page.

The second way writes its intent, asks the provider inside the request, and applies the answer in a second transaction.
If there is no answer the invoice stands all the same, as ``created``, and the worker finds out (contract#public-api,
contract#errors).
"""

import asyncio

import structlog

from kassa.accounts.model import Account, Route
from kassa.customers.model import Customer
from kassa.errors import Invalid, Message, ProviderGarbled, ProviderSilent
from kassa.invoices import operations, settling
from kassa.invoices.charges import charge
from kassa.invoices.model import Invoice
from kassa.invoices.queries import View
from kassa.payments.model import Payment, PaymentStatus
from kassa.payments.patience import ANSWER_SECONDS, in_time
from kassa.platform import Platform
from kassa.providers.protocol import Charge, Outcome, Pending

_log = structlog.get_logger(__name__)


async def create(
    platform: Platform, account: Account, invoice: Invoice, customer: Customer | None, *, client_ip: str
) -> tuple[View, bool]:
    """Create an invoice and return it with True, or the one that has its ``reference_id`` with False.

    Raises ``ProviderSilent`` or ``ProviderGarbled`` when the provider was asked for its page and gave none: the invoice
    exists. Raises ``Invalid`` where the service's provider has gone: then nothing was written.
    """
    payment = await _intent(platform, invoice, client_ip=client_ip) if invoice.session_id is None else None
    drawn = View(invoice=invoice, payment=payment, customer=customer, callbacks=[])
    view, created = await operations.create(platform, account, drawn)
    if not created or payment is None:
        return view, created
    return await _invoke(platform, account, invoice, payment), True


async def _intent(platform: Platform, invoice: Invoice, *, client_ip: str) -> Payment:
    route = await platform.route(invoice.account_id, invoice.service, test_mode=invoice.test_mode)
    if route is None:
        raise Invalid({"service": Message("Nobody takes this service's payments any more.")})
    return settling.attempt(
        invoice,
        route,
        status=PaymentStatus.INVOKE_PENDING,
        card=None,
        client_ip=client_ip,
        now=invoice.created_at,
    )


async def _invoke(platform: Platform, account: Account, invoice: Invoice, payment: Payment) -> View:
    route = await platform.accounts.credentials(payment.account_id, payment.provider_account_id)
    return_url = f"{platform.settings.base_url}{return_path(invoice)}"
    asked = charge(platform, account, invoice, payment, return_url=return_url, locale=invoice.locale)
    try:
        outcome = await _page(platform, route, payment, asked)
    except (ProviderSilent, ProviderGarbled) as error:
        _log.warning("provider gave no page", payment_id=payment.payment_id, detail=error.detail)
        await operations.settle(platform, payment, Pending())
        raise type(error) from error  # What exactly came back is the operator's to know, not the caller's.
    return await operations.settle(platform, payment, outcome)


async def _page(platform: Platform, route: Route, payment: Payment, asked: Charge) -> Outcome:
    if not in_time(payment.created_at, now=platform.clock.now(test_mode=payment.test_mode)):
        raise ProviderSilent
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await platform.providers.get(route.provider).pay(route.credentials, asked, None)
    except TimeoutError:
        raise ProviderSilent from None


def return_path(invoice: Invoice) -> str:
    """Return the path under the base URL that a payer comes back to from the provider's page."""
    return f"/hpp/result/{invoice.invoice_id}/return"
