"""What every operation is given: settings, clock, keys, database, outbound requests and providers."""

from dataclasses import dataclass

from kassa.accounts.directory import Directory
from kassa.accounts.model import Route
from kassa.catalogue.directory import Catalogue
from kassa.clock import Clock
from kassa.config import Settings
from kassa.db.pool import Pool
from kassa.outbound import Outbound
from kassa.providers.registry import Registry
from kassa.rate_limits import RateLimits
from kassa.rates.directory import Rates
from kassa.sealing import Root
from kassa.tokens import TokenSigner


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """One process's view of Kassa; made once at start."""

    settings: Settings
    """With ``base_url``, ``gate_url`` and, in demo mode, ``bank_url`` resolved."""
    clock: Clock
    root: Root
    tokens: TokenSigner
    pool: Pool
    """Connections of the role ``kassa_app``."""
    view: Pool
    """Connections of the role ``kassa_view``: for ``db.view.account_view`` alone, they see nothing outside of it."""
    accounts: Directory
    catalogue: Catalogue
    rates: Rates
    providers: Registry
    outbound: Outbound
    rate_limits: RateLimits

    async def route(self, account_id: str, code: str, *, test_mode: bool) -> Route | None:
        """Return the route for a service's payments, or None where no provider that runs here takes them."""
        return await self.accounts.route(account_id, code, test_mode=test_mode)
