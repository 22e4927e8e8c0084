"""The catalogue as requests read it: kept for a while, because it changes only by an operator's hand.

A code is kept for itself, so that a catalogue of thousands costs only what is asked for. A currency's listing is kept
no longer than an account's services are, so that what is imported and switched on is offered within a second.
"""

from typing import Final

from kassa import money
from kassa.cache import Recent
from kassa.catalogue import queries
from kassa.catalogue.model import Listing, Method, Service
from kassa.db.pool import Pool
from kassa.errors import NotFound

KEPT_SECONDS: Final = 5.0
LISTING_KEPT_SECONDS: Final = 0.5


class Catalogue:
    """One process's view of the methods, services and currencies."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._methods = Recent(self._load_method, seconds=KEPT_SECONDS)
        self._services = Recent(self._load_service, seconds=KEPT_SECONDS)
        self._listings = Recent(self._load_listing, seconds=LISTING_KEPT_SECONDS)
        self._currencies_count = 0

    async def method(self, code: str) -> Method:
        """Return a method. Raises ``NotFound``."""
        return await self._methods.get(code)

    async def service(self, code: str) -> Service:
        """Return a service. Raises ``NotFound``."""
        return await self._services.get(code)

    async def listing(self, currency: str) -> Listing:
        """Return all services in a currency, with their methods."""
        return await self._listings.get(currency)

    async def learn_currencies(self, count: int | None = None) -> None:
        """Let this process count with every currency that the catalogue has; nothing is read if it knows ``count``.

        An import adds currencies before it adds their services, so a process knows a currency when it is paid in.
        """
        if count is None or count != self._currencies_count:
            exponents = await queries.exponents(self._pool)
            money.learn(exponents)
            self._currencies_count = len(exponents)

    async def _load_method(self, code: str) -> Method:
        found = await queries.method(self._pool, code=code)
        if found is None:
            raise NotFound("There is no such method.")
        return found

    async def _load_service(self, code: str) -> Service:
        found = await queries.service(self._pool, code=code)
        if found is None:
            raise NotFound("There is no such service.")
        return found

    async def _load_listing(self, currency: str) -> Listing:
        services = await queries.services_in(self._pool, currency=currency)
        methods = await queries.methods_in(self._pool, currency=currency)
        return Listing(services=services, methods=methods)
