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
from kassa.invoices import addresses, gateway, lifetime, pricing
from kassa.invoices.asked import Asked, AskedCustomer
from kassa.invoices.model import Invoice, Status
from kassa.numbers import encode
from kassa.platform import Platform
from kassa.providers.protocol import Value

CARD_METHOD: Final = "payment_card"
"""The method whose page is ours, the card gate's; every other method's page is its provider's."""


PRIVATE_SOURCE: Final = "merchant_api"
"""The source of invoices of the private API, whose mode is chosen by the request itself."""


async def draw_up(
    platform: Platform, account: Account, asked: Asked, errors: dict[str, str], *, source: str
) -> tuple[Invoice, Customer | None]:
    """Return the invoice and the customer that were asked for.

    ``errors`` holds what reading the request has refused. Raises ``Invalid`` with all of it and all that is wrong here:
    unknown currency or service, a currency without a rate to
    the service's, a service that is off or has nobody behind it in this mode, an amount outside the
    service's limits, fields that the service asks for, an expiry outside 14 minutes … 2 days, addresses that are none.
    """
    test_mode = bool(asked.test_mode)
    now = platform.clock.now(test_mode=test_mode)
    service = await _service(platform, account, asked, errors, by_key=source != PRIVATE_SOURCE)
    rate = await pricing.rate(platform, account, asked, service, errors)
    amount = _amount(asked, service, rate, errors)
    service_fields = await _service_fields(platform, asked, service, errors)
    expires_at = lifetime.ends_at(asked, account, errors, now)
    attempts_max = gateway.check(asked.gateway_options, errors).retry_limit or account.attempts
    addresses.check(platform.outbound, asked, errors, test_mode=test_mode)
    if errors or service is None or amount is None or rate is None:
        raise Invalid(errors)
    customer = _customer(platform, account, asked.customer, test_mode=test_mode)
    invoice = _invoice(account, asked, service, amount=amount, rate=rate, now=now, expires_at=expires_at, source=source)
    customer_id = customer.customer_id if customer else None
    invoice = replace(invoice, service_fields=_json(service_fields), customer_id=customer_id, attempts_max=attempts_max)
    return invoice, customer


def _invoice(
    account: Account,
    asked: Asked,
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
    payment_flow = asked.flow or "charge"
    # A verification takes nothing, so there is nothing to put a fee on top of.
    payer_pays = account.payer_pays_fee and payment_flow == "charge"
    currency = asked.currency or service.currency
    comes_to = parts(amount, pricing.tariff(service, currency, rate), payer_pays=payer_pays)
    return Invoice(
        account_id=account.account_id,
        invoice_id=ids.new_id("cpi", account.tag),
        test_mode=bool(asked.test_mode),
        reference_id=asked.reference_id or "",
        source=source,
        status=Status.PROCESS_PENDING if by_card else Status.CREATED,
        resolution="ok",
        service=service.code,
        service_method=service.method,
        service_flow=service.flow,
        service_currency=service.currency,
        payment_flow=payment_flow,
        exchange_rate=rate,
        currency=currency,
        amount=amount,
        payment_amount=comes_to.payment_amount,
        fee=comes_to.fee,
        deposit=comes_to.deposit,
        reserve_rate=service.reserve_rate,
        reserve_lifetime=service.reserve_lifetime,
        description=asked.description,
        descriptor=asked.descriptor,
        metadata=_metadata(asked, account),
        gateway_options=_json(asked.gateway_options),
        callback_url=asked.callback_url,
        return_url=asked.return_url or account.return_url,
        return_urls=_given(asked.return_urls),
        locale=asked.locale,
        session_id=ids.new_id("cgi", account.tag) if by_card else None,
        payment_id=None if by_card else ids.new_id("pay", account.tag),
        attempts=0 if by_card else 1,
        attempts_max=account.attempts,
        created_at=now,
        updated_at=now,
        expires_at=expires_at,
        due_at=expires_at,
    )


async def _service(
    platform: Platform, account: Account, asked: Asked, errors: dict[str, str], *, by_key: bool
) -> AccountService | None:
    """Return the service that was asked for; ``by_key`` says that the public key chose the mode, not ``test_mode``."""
    if asked.service is None:
        return None
    test_mode = bool(asked.test_mode)
    service = await platform.accounts.service(account.account_id, asked.service)
    if service is None or not service.enabled:
        errors["service"] = await _no_such_service(platform, account, asked.service, test_mode=test_mode)
        return None
    if await platform.route(account.account_id, asked.service, test_mode=test_mode) is None:
        if test_mode:
            errors["service"] = Message("This service is not available in test mode.")
        elif by_key or await platform.route(account.account_id, asked.service, test_mode=True) is None:
            errors["service"] = Message("This service is not available in live mode.")
        else:
            errors["test_mode"] = Message("This service takes payments in test mode only: send true.")
        return None
    if asked.flow == "verify" and service.method != CARD_METHOD:
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
    platform: Platform, asked: Asked, service: AccountService | None, errors: dict[str, str]
) -> dict[str, str] | None:
    if service is None:
        return None
    wanted = await platform.catalogue.service(service.code)
    values, wrong = fields.check(wanted, asked.service_fields or {})
    errors.update({f"service_fields.{key}": message for key, message in wrong.items()})
    return values or None


def _amount(asked: Asked, service: AccountService | None, rate: Decimal | None, errors: dict[str, str]) -> int | None:
    """Return the amount in minor units, or None where it is refused or cannot be told without a currency."""
    if asked.amount is None:
        return None
    if "currency" in errors or asked.currency is None:
        if not asked.amount.is_finite() or asked.amount <= 0:
            errors["amount"] = Message("This value should be greater than 0.")
        return None
    try:
        amount = money.to_minor(asked.amount, asked.currency)
    except AmountRefused as error:
        errors["amount"] = error.detail
        return None
    if service is not None and rate is not None:
        pricing.check_limits(amount, asked.currency, service, rate, errors)
    return amount


def _metadata(asked: Asked, account: Account) -> str:
    metadata: dict[str, Any] = dict(asked.metadata or {})
    if account.merchant_url is not None:
        metadata.setdefault("merchant_url", account.merchant_url)
    return encode(metadata)


def _customer(platform: Platform, account: Account, asked: AskedCustomer | None, *, test_mode: bool) -> Customer | None:
    if asked is None or asked.reference_id is None:
        return None
    return Customer(
        customer_id=customer_id(platform.root, tag=account.tag, test_mode=test_mode, reference_id=asked.reference_id),
        reference_id=asked.reference_id,
        name=asked.name,
        email=asked.email,
        phone=asked.phone,
        date_of_birth=asked.date_of_birth,
        individual_tax_id=asked.individual_tax_id,
        metadata=_json(asked.metadata),
        address=_given(asked.address),
    )


def _given(asked: Value | None) -> str | None:
    """Return the members that were given, as JSON."""
    if asked is None:
        return None
    return _json({name: value for name, value in msgspec.structs.asdict(asked).items() if value is not None})


def _json(value: object) -> str | None:
    return None if value is None else encode(value)
