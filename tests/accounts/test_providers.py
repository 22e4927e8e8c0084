"""A merchant's accounts at providers: what stands behind a service, and what is there to take its payments."""

import pytest

from kassa.accounts.directory import Directory
from kassa.accounts.model import Backing, ListedProviderAccount
from kassa.accounts.providers import operations, queries
from kassa.accounts.services import operations as services
from kassa.accounts.services import queries as services_queries
from kassa.errors import Invalid, NotFound
from tests.support.shop import CARD_EUR, CARD_USD, Shop

HERE = ["acme", "test"]
NOBODY = "coma_Nobo000000000000"


async def add(
    shop: Shop, *codes: str, merchant_id: str = "m-1", test_mode: bool = False, **secrets: str
) -> ListedProviderAccount:
    return await operations.add(
        shop.pool,
        shop.root,
        shop.clock,
        shop.id,
        provider="acme",
        merchant_id=merchant_id,
        test_mode=test_mode,
        secrets=secrets,
        codes=codes,
        by="ann",
    )


async def backing(shop: Shop, *providers: str) -> Backing | None:
    found = await services_queries.backings(shop.pool, account_id=shop.id, codes=[CARD_USD], providers=providers)
    return found.get(CARD_USD)


async def test_a_provider_that_does_not_run_here_stands_behind_nothing(shop: Shop) -> None:
    directory = Directory(shop.pool, shop.root, [])
    assert await backing(shop) is None
    assert await directory.route(shop.id, CARD_USD, test_mode=True) is None
    assert await directory.offered(shop.id, "USD", test_mode=True) == ()
    assert await backing(shop, "test") == Backing(test=True, live=False)


async def test_a_live_provider_account_takes_the_payments_of_all_services(shop: Shop) -> None:
    await services.add(shop.pool, shop.clock, shop.id, CARD_EUR, {}, by="ann")
    added = await add(shop, key="k-1")
    assert added.services == [CARD_EUR, CARD_USD]
    route = await Directory(shop.pool, shop.root, HERE).route(shop.id, CARD_USD, test_mode=False)
    assert route is not None
    assert (route.provider, route.credentials.merchant_id, route.credentials.secrets) == ("acme", "m-1", {"key": "k-1"})
    assert await backing(shop, *HERE) == Backing(test=True, live=True)
    assert await Directory(shop.pool, shop.root, ["test"]).route(shop.id, CARD_USD, test_mode=False) is None


async def test_the_first_that_came_takes_a_services_payments(shop: Shop) -> None:
    for merchant_id in ("m-1", "m-2", "m-3"):
        await add(shop, CARD_USD, merchant_id=merchant_id)
    first, *_ = [each for each in await queries.listed(shop.pool, account_id=shop.id) if not each.test_mode]
    await operations.remove(shop.pool, shop.clock, shop.id, first.provider_account_id, by="ann")
    route = await Directory(shop.pool, shop.root, HERE).route(shop.id, CARD_USD, test_mode=False)
    assert route is not None
    assert route.credentials.merchant_id == "m-2"
    asked = await Directory(shop.pool, shop.root, HERE).credentials(shop.id, first.provider_account_id)
    assert asked.credentials.merchant_id == "m-1"


async def test_added_once_more_it_gets_new_services_and_secrets(shop: Shop) -> None:
    first = await add(shop, key="old")
    await services.add(shop.pool, shop.clock, shop.id, CARD_EUR, {}, by="ann")
    assert await add(shop) == ListedProviderAccount(
        provider_account_id=first.provider_account_id,
        provider="acme",
        test_mode=False,
        merchant_id="m-1",
        services=[CARD_EUR, CARD_USD],
        archived_at=None,
    )
    kept = await Directory(shop.pool, shop.root, HERE).credentials(shop.id, first.provider_account_id)
    assert kept.credentials.secrets == {"key": "old"}
    await add(shop, key="new")
    renewed = await Directory(shop.pool, shop.root, HERE).credentials(shop.id, first.provider_account_id)
    assert renewed.credentials.secrets == {"key": "new"}


async def test_what_was_removed_is_added_as_another(shop: Shop) -> None:
    first = await add(shop)
    await operations.remove(shop.pool, shop.clock, shop.id, first.provider_account_id, by="ann")
    with pytest.raises(NotFound):
        await operations.remove(shop.pool, shop.clock, shop.id, first.provider_account_id, by="ann")
    assert (await add(shop)).provider_account_id != first.provider_account_id


async def test_what_cannot_be_added_changes_nothing(shop: Shop) -> None:
    before = await queries.listed(shop.pool, account_id=shop.id)
    with pytest.raises(Invalid) as refused:
        await add(shop, merchant_id="", key="")
    assert set(refused.value.errors) == {"merchant_id", "key"}
    with pytest.raises(Invalid) as unknown:
        await add(shop, "nope")
    assert set(unknown.value.errors) == {"nope"}
    given = {"provider": "test", "merchant_id": "m", "test_mode": False, "secrets": {}}
    with pytest.raises(Invalid) as live:
        await operations.add(shop.pool, shop.root, shop.clock, shop.id, **given, by="ann")  # type: ignore[arg-type]
    assert set(live.value.errors) == {"provider"}
    with pytest.raises(NotFound):
        await operations.add(shop.pool, shop.root, shop.clock, NOBODY, **{**given, "test_mode": True}, by="ann")  # type: ignore[arg-type]
    assert await queries.listed(shop.pool, account_id=shop.id) == before


async def test_another_accounts_provider_account_is_not_removed(shop: Shop) -> None:
    (own,) = await queries.listed(shop.pool, account_id=shop.id)
    with pytest.raises(NotFound):
        await operations.remove(shop.pool, shop.clock, NOBODY, own.provider_account_id, by="ann")
    assert await queries.listed(shop.pool, account_id=shop.id) == [own]
