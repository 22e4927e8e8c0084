"""What an account offers a payer: its services in a currency, with what they ask for and how they are shown."""

from collections.abc import Mapping

from kassa.accounts.model import Account, AccountService
from kassa.catalogue.model import Field, Method
from kassa.platform import Platform
from kassa.providers.protocol import Value


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
    """Return what the account offers in a currency and a mode: services that are on and have a provider behind them.

    Both halves are kept for half a second: ``Directory.offered`` and ``Catalogue.listing``.
    """
    offered = await platform.accounts.offered(account.account_id, currency, test_mode=test_mode)
    if not offered:
        return Offers(offers=[], methods={})
    listing = await platform.catalogue.listing(currency)
    found = [
        Offer(service=each, fields=listing.services[each.code].fields)
        for each in offered
        if each.code in listing.services
    ]
    used = {each.service.method for each in found}
    methods = {code: method for code, method in listing.methods.items() if code in used}
    return Offers(offers=found, methods=methods)
