"""What an invoice's amount comes to at its service: the rate that it keeps, limits and tariff (contract#amounts).

A service's limits and fees are in its own currency, whatever the invoice's is.
"""

from decimal import Decimal
from fractions import Fraction

from kassa import money
from kassa.accounts.model import Account, AccountService
from kassa.errors import Message
from kassa.fees.model import Tariff
from kassa.invoices.creating.request import CreateInvoice
from kassa.platform import Platform
from kassa.rates.model import convert


async def rate(
    platform: Platform, account: Account, request: CreateInvoice, service: AccountService | None, errors: dict[str, str]
) -> Decimal | None:
    """Return the rate from the invoice's currency to the service's, or None where there is none or no such currency."""
    if request.currency is None:
        return None
    if not money.is_currency(request.currency):
        errors["currency"] = Message("This value is not a valid currency.")
        return None
    if service is None:
        return None
    found = await platform.rates.rate(
        request.currency, service.currency, spread=account.exchange_spread, test_mode=bool(request.test_mode)
    )
    if found is None:
        errors["currency"] = Message("This service takes %(currency)s.", currency=service.currency)
    return found


def check_limits(amount: int, currency: str, service: AccountService, rate: Decimal, errors: dict[str, str]) -> None:
    """Refuse an amount, in minor units of ``currency``, that comes to less or more than the service takes, or to 0."""
    due = convert(amount, rate, currency, service.currency)
    converted = currency != service.currency
    if due < service.amount_min:
        least = money.to_text(service.amount_min, service.currency)
        errors["amount"] = (
            Message("This value should come to %(least)s %(currency)s or more.", least=least, currency=service.currency)
            if converted
            else Message("This value should be %(least)s or more.", least=least)
        )
    elif due > service.amount_max:
        most = money.to_text(service.amount_max, service.currency)
        errors["amount"] = (
            Message("This value should come to %(most)s %(currency)s or less.", most=most, currency=service.currency)
            if converted
            else Message("This value should be %(most)s or less.", most=most)
        )
    elif due == 0:
        errors["amount"] = Message("This value comes to nothing in %(currency)s.", currency=service.currency)


def tariff(service: AccountService, currency: str, rate: Decimal) -> Tariff:
    """Return the service's tariff with its amounts in the invoice's currency, at the invoice's rate.

    An upper bound that there is stays one, however small it is in the other currency: 0 would mean none.
    """
    back = 1 / Fraction(rate)

    def amount(minor: int) -> int:
        return convert(minor, back, service.currency, currency)

    return Tariff(
        fee_rate=service.fee_rate,
        fee_fix=amount(service.fee_fix),
        fee_min=amount(service.fee_min),
        fee_max=max(amount(service.fee_max), 1) if service.fee_max else 0,
    )
