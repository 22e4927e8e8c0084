"""Changes what a running Kassa's account offers, and who stands behind it."""

from kassa.accounts import operations, queries, sealed
from kassa.accounts.model import ProviderAccount
from kassa.accounts.services import operations as services
from kassa.accounts.services import queries as service_queries
from tests.support.api import Client
from tests.support.office import Office


async def add(office: Office, shop: Client, code: str, **terms: str) -> None:
    """Give the account a service on these terms."""
    await services.add(office.pool, office.clock, shop.keys.id, code, terms, by="ann")


async def switch_off(office: Office, shop: Client, code: str) -> None:
    """Switch a service off."""
    await operations.switch_services_off(office.pool, office.clock, shop.keys.id, [code], by="ann")


async def stand_behind(office: Office, shop: Client, *codes: str) -> None:
    """Put a provider account of live mode behind services; its provider, the test one, takes no live money."""
    account_id = shop.keys.id
    live = ProviderAccount(
        provider_account_id=f"ma_{account_id[5:9]}LIVE00000000",
        provider="test",
        test_mode=False,
        merchant_id="live",
        sealed=sealed.seal_secrets(office.root, {"secret": "live"}),
    )
    now = office.clock.now(test_mode=False)
    await queries.insert_provider_account(office.pool, live, account_id=account_id, created_at=now)
    await service_queries.insert_routes(office.pool, account_id=account_id, codes=codes, provider="test")
