"""From what was asked for to an invoice: the rules that account, service and clock set for it (contract#private-api).

All that is wrong is collected by name before anything is refused, and nothing is written here.
"""

from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kassa import ids, money
from kassa.accounts.model import Account, AccountService
from kassa.catalogue import fields
from kassa.customers.model import Customer, customer_id
from kassa.errors import AmountRefused, Invalid, Message
from kassa.fees.model import parts
from kassa.invoices.creating import addresses, lifetime, options, pricing
from kassa.invoices.creating.request import CreateCustomer, CreateInvoice
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.numbers import encode
from kassa.platform import Platform
from kassa.values import Value

CARD_METHOD: Final = "payment_card"
"""The method whose page is ours, the card gate's; every other method's page is its provider's."""


PRIVATE_SOURCE: Final = "merchant_api"
"""The source of invoices of the private API, whose mode is chosen by the request itself."""


async def draft(
    platform: Platform, account: Account, request: CreateInvoice, errors: dict[str, str], *, source: str
) -> tuple[Invoice, Customer | None]:
    """Return the invoice and the customer that were asked for.

    ``errors`` holds what reading the request has refused. Raises ``Invalid`` with all of it and all that is wrong here:
    unknown currency or service, a currency without a rate to
    the service's, a service that is off or has no provider in this mode, an amount outside the
    service's limits, fields that the service asks for, an expiry outside 14 minutes … 2 days, addresses that are none.
    """
    test_mode = bool(request.test_mode)
    now = platform.clock.now(test_mode=test_mode)
    service = await _service(platform, account, request, errors, by_key=source != PRIVATE_SOURCE)
    rate = await pricing.rate(platform, account, request, service, errors)
    amount = _amount(request, service, rate, errors)
    service_fields = await _service_fields(platform, request, service, errors)
    expires_at = lifetime.ends_at(request, account, errors, now)
    attempts_max = options.check(request.gateway_options, errors).retry_limit or account.attempts
    addresses.check(platform.outbound, request, errors, test_mode=test_mode)
    if errors or service is None or amount is None or rate is None:
        raise Invalid(errors)
    customer = _customer(platform, account, request.customer, test_mode=test_mode)
    invoice = _invoice(
        account, request, service, amount=amount, rate=rate, now=now, expires_at=expires_at, source=source
    )
    customer_id = customer.customer_id if customer else None
    invoice = replace(invoice, service_fields=_json(service_fields), customer_id=customer_id, attempts_max=attempts_max)
    return invoice, customer


def _invoice(
    account: Account,
    request: CreateInvoice,
    service: AccountService,
    *,
    amount: int,
    rate: Decimal,
    now: datetime,
    expires_at: datetime,
    source: str,
) -> Invoice:
    """Return the invoice: waiting for its payer where the page is ours, else for its provider's page."""
    by_card = service.method == CARD_METHOD
    payment_flow = request.flow or "charge"
    payer_pays = account.payer_pays_fee and payment_flow == "charge"  # a verification takes nothing
    currency = request.currency or service.currency
    comes_to = parts(amount, pricing.tariff(service, currency, rate), payer_pays=payer_pays)
    return Invoice(
        account_id=account.account_id,
        invoice_id=ids.new_id("cpi", account.tag),
        test_mode=bool(request.test_mode),
        reference_id=request.reference_id or "",
        source=source,
        status=Status.PROCESS_PENDING if by_card else Status.CREATED,
        resolution="ok",
        payment_flow=payment_flow,
        exchange_rate=rate,
        currency=currency,
        amount=amount,
        payment_amount=comes_to.payment_amount,
        fee=comes_to.fee,
        deposit=comes_to.deposit,
        **_of_service(service),
        **_as_requested(request, account),
        session_id=ids.new_id("cgi", account.tag) if by_card else None,
        payment_id=None if by_card else ids.new_id("pay", account.tag),
        attempts=0 if by_card else 1,
        attempts_max=account.attempts,
        **_moments(now, expires_at),
    )


def _as_requested(request: CreateInvoice, account: Account) -> dict[str, Any]:
    """Return the members that are kept as they were asked for, or as the account has them."""
    return {
        "description": request.description,
        "descriptor": request.descriptor,
        "metadata": _metadata(request, account),
        "gateway_options": _json(request.gateway_options),
        "callback_url": request.callback_url,
        "return_url": request.return_url or account.return_url,
        "return_urls": _given(request.return_urls),
        "locale": request.locale,
    }


def _moments(now: datetime, expires_at: datetime) -> dict[str, Any]:
    return {"created_at": now, "updated_at": now, "expires_at": expires_at, "due_at": expires_at}


def _of_service(service: AccountService) -> dict[str, Any]:
    """Return what an invoice keeps of its service's terms."""
    return {
        "service": service.code,
        "service_method": service.method,
        "service_flow": service.flow,
        "service_currency": service.currency,
        "reserve_rate": service.reserve_rate,
        "reserve_lifetime": service.reserve_lifetime,
    }


async def _service(
    platform: Platform, account: Account, request: CreateInvoice, errors: dict[str, str], *, by_key: bool
) -> AccountService | None:
    """Return the service that was asked for; ``by_key`` says that the public key chose the mode, not ``test_mode``."""
    if request.service is None:
        return None
    test_mode = bool(request.test_mode)
    service = await platform.accounts.service(account.account_id, request.service)
    if service is None or not service.enabled:
        errors["service"] = await _no_such_service(platform, account, request.service, test_mode=test_mode)
        return None
    if await platform.route(account.account_id, request.service, test_mode=test_mode) is None:
        if test_mode:
            errors["service"] = Message("This service is not available in test mode.")
        elif by_key or await platform.route(account.account_id, request.service, test_mode=True) is None:
            errors["service"] = Message("This service is not available in live mode.")
        else:
            errors["test_mode"] = Message("This service takes payments in test mode only: send true.")
        return None
    if request.flow == "verify" and service.method != CARD_METHOD:
        errors["flow"] = Message("This service has nothing to verify.")
    return service


async def _no_such_service(platform: Platform, account: Account, code: str, *, test_mode: bool) -> Message:
    """Return what to say of a code that the account has no service for, with the nearest that it has."""
    codes: list[str] = []
    for currency in await platform.accounts.offered_currencies(account.account_id, test_mode=test_mode):
        offered = await platform.accounts.offered(account.account_id, currency, test_mode=test_mode)
        codes += [service.code for service in offered]
    near = get_close_matches(code, codes, n=1)
    if not near:
        return Message("This service does not exist, or is not enabled for this account.")
    return Message(
        "This service does not exist, or is not enabled for this account. Did you mean %(service)s?", service=near[0]
    )


async def _service_fields(
    platform: Platform, request: CreateInvoice, service: AccountService | None, errors: dict[str, str]
) -> dict[str, str] | None:
    if service is None:
        return None
    wanted = await platform.catalogue.service(service.code)
    values, wrong = fields.check(wanted, request.service_fields or {})
    errors.update({f"service_fields.{key}": message for key, message in wrong.items()})
    return values or None


def _amount(
    request: CreateInvoice, service: AccountService | None, rate: Decimal | None, errors: dict[str, str]
) -> int | None:
    """Return the amount in minor units, or None where it is refused or cannot be known without a currency."""
    if request.amount is None:
        return None
    if "currency" in errors or request.currency is None:
        if not request.amount.is_finite() or request.amount <= 0:
            errors["amount"] = Message("This value should be greater than 0.")
        return None
    try:
        amount = money.to_minor(request.amount, request.currency)
    except AmountRefused as error:
        errors["amount"] = error.detail
        return None
    if service is not None and rate is not None:
        pricing.check_limits(amount, request.currency, service, rate, errors)
    return amount


def _metadata(request: CreateInvoice, account: Account) -> str:
    metadata: dict[str, Any] = dict(request.metadata or {})
    if account.merchant_url is not None:
        metadata.setdefault("merchant_url", account.merchant_url)
    return encode(metadata)


def _customer(
    platform: Platform, account: Account, request: CreateCustomer | None, *, test_mode: bool
) -> Customer | None:
    if request is None or request.reference_id is None:
        return None
    return Customer(
        customer_id=customer_id(platform.root, tag=account.tag, test_mode=test_mode, reference_id=request.reference_id),
        reference_id=request.reference_id,
        name=request.name,
        email=request.email,
        phone=request.phone,
        date_of_birth=request.date_of_birth,
        individual_tax_id=request.individual_tax_id,
        metadata=_json(request.metadata),
        address=_given(request.address),
    )


def _given(request: Value | None) -> str | None:
    """Return the members that were given, as JSON."""
    if request is None:
        return None
    return _json({name: value for name, value in msgspec.structs.asdict(request).items() if value is not None})


def _json(value: object) -> str | None:
    return None if value is None else encode(value)
