"""What an account offers a payer: its services for a currency, with what they ask for and how they are shown."""

from collections.abc import Mapping

from kassa.accounts.model import Account, AccountService
from kassa.catalogue.model import Field, Method
from kassa.platform import Platform
from kassa.values import Value


class Offer(Value, frozen=True, kw_only=True):
    """A service that a payer may choose."""

    service: AccountService
    """With the account's own limits."""
    fields: tuple[Field, ...]


class Offers(Value, frozen=True, kw_only=True):
    """All services that a payer may choose from, and their methods by code, both in the order of their codes."""

    offers: list[Offer]
    methods: Mapping[str, Method]


async def offers(platform: Platform, account: Account, currency: str, *, test_mode: bool) -> Offers:
    """Return what the account offers for a currency and a mode: services that are on and have a provider behind them.

    Those in the currency, and those in others that an amount can be converted to now. All of it is kept for half a
    second: ``Directory.offered``, ``Catalogue.listing``, ``Rates.rate``.
    """
    found: list[Offer] = []
    methods: dict[str, Method] = {}
    for each in await platform.accounts.offered_currencies(account.account_id, test_mode=test_mode):
        rate = await platform.rates.rate(currency, each, spread=account.exchange_spread, test_mode=test_mode)
        if rate is None:
            continue
        listing = await platform.catalogue.listing(each)
        for service in await platform.accounts.offered(account.account_id, each, test_mode=test_mode):
            if service.code in listing.services:
                found.append(Offer(service=service, fields=listing.services[service.code].fields))
                methods[service.method] = listing.methods[service.method]
    return Offers(offers=sorted(found, key=lambda offer: offer.service.code), methods=dict(sorted(methods.items())))
