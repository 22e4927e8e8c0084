import asyncio

import pytest

from kassa.accounts import operations, queries
from kassa.accounts.directory import Directory
from kassa.accounts.keys import new_key
from kassa.cache import Recent
from kassa.errors import Forbidden, NotFound, SettingsWrong, Unauthorized
from kassa.sealing import Root
from tests.support.shop import CARD_EUR, CARD_USD, Shop
from tests.support.waiting import until

NOBODY = "coma_Nobo000000000000"


async def test_an_account_is_found_by_id_tag_and_keys(shop: Shop) -> None:
    directory, account = shop.directory(), shop.made.account
    assert await directory.by_id(shop.id) == account
    assert await directory.by_tag(account.tag) == account
    assert await directory.authenticate(shop.id, shop.keys.api_key) == account
    assert await directory.by_public_key(shop.keys.public_key_test) == (account, True)
    assert await directory.by_public_key(shop.keys.public_key_live) == (account, False)


async def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    directory = shop.directory()
    with pytest.raises(NotFound):
        await directory.by_id(NOBODY)
    with pytest.raises(NotFound):
        await directory.by_tag("Nobo")
    with pytest.raises(NotFound):
        await directory.credentials(shop.id, "ma_Nobo000000000000")


@pytest.mark.parametrize("account_id", ["", NOBODY, "coma_", "x" * 10_000])
async def test_a_key_opens_no_other_account(shop: Shop, account_id: str) -> None:
    with pytest.raises(Unauthorized):
        await shop.directory().authenticate(account_id, shop.keys.api_key)


async def test_only_the_accounts_own_api_key_opens_it(shop: Shop) -> None:
    directory = shop.directory()
    other = await operations.create(shop.pool, shop.root, shop.clock, name="Other", currency="EUR", by="ann")
    wrong = [
        "",
        other.keys.api_key,
        shop.keys.public_key_test,
        shop.keys.private_key_live,
        new_key("api"),
        "\0ключ",
        "\ud800",
    ]
    for key in wrong:
        with pytest.raises(Unauthorized):
            await directory.authenticate(shop.id, key)


async def test_only_a_public_key_opens_the_public_api(shop: Shop) -> None:
    directory = shop.directory()
    for key in ["", shop.keys.api_key, shop.keys.private_key_test, new_key("public", test_mode=True)]:
        with pytest.raises(Unauthorized):
            await directory.by_public_key(key)


async def test_a_revoked_key_is_refused_soon(shop: Shop) -> None:
    directory = shop.directory()
    await directory.authenticate(shop.id, shop.keys.api_key)
    await directory.by_public_key(shop.keys.public_key_test)
    for key in await queries.keys(shop.pool, account_id=shop.id):
        if key.kind != "private":
            await operations.revoke_key(shop.pool, shop.clock, account_id=shop.id, key_id=key.key_id, by="ann")

    async def refused() -> bool:
        answers = await asyncio.gather(
            directory.authenticate(shop.id, shop.keys.api_key),
            directory.by_public_key(shop.keys.public_key_test),
            return_exceptions=True,
        )
        return [type(answer) for answer in answers] == [Unauthorized, Unauthorized]

    await until(refused)


async def test_what_opens_a_door_is_remembered_for_half_a_second_at_most(shop: Shop) -> None:
    kept = {name: each._seconds for name, each in vars(shop.directory()).items() if isinstance(each, Recent)}
    assert len(kept) > 10
    # Whose tag it is never changes.
    assert {name for name, seconds in kept.items() if seconds > 0.5} == {"_ids_by_tag"}


async def test_a_rolled_key_works_beside_the_old_one(shop: Shop) -> None:
    directory = shop.directory()
    await directory.authenticate(shop.id, shop.keys.api_key)
    rolled = await operations.roll_key(
        shop.pool, shop.root, shop.clock, account_id=shop.id, kind="api", test_mode=None, by="ann"
    )

    async def opens() -> bool:
        try:
            return await directory.authenticate(shop.id, rolled.text) == shop.made.account
        except Unauthorized:
            return False

    await until(opens)
    assert await directory.authenticate(shop.id, shop.keys.api_key) == shop.made.account


async def test_an_option_takes_effect_soon(shop: Shop) -> None:
    directory = shop.directory()
    assert (await directory.by_id(shop.id)).forbid_public_access is False
    await operations.set_options(shop.pool, shop.clock, shop.id, {"forbid_public_access": "on"}, by="ann")

    async def changed() -> bool:
        return (await directory.by_id(shop.id)).forbid_public_access

    await until(changed)


async def test_an_archived_accounts_keys_are_known_but_not_allowed(shop: Shop) -> None:
    await operations.archive(shop.pool, shop.clock, shop.id, by="ann")
    directory = shop.directory()
    with pytest.raises(Forbidden):
        await directory.authenticate(shop.id, shop.keys.api_key)
    with pytest.raises(Forbidden):
        await directory.by_public_key(shop.keys.public_key_test)
    with pytest.raises(Unauthorized):
        await directory.authenticate(shop.id, new_key("api"))
    assert (await directory.by_id(shop.id)).archived_at is not None


async def test_a_service_is_told_with_the_catalogues_words_and_the_accounts_terms(shop: Shop) -> None:
    directory = shop.directory()
    service = await directory.service(shop.id, CARD_USD)
    assert service is not None
    assert (service.method, service.flow, service.currency) == ("payment_card", "hpp", "USD")
    assert (service.enabled, service.amount_min, service.amount_max) == (True, 1, 1_000_000_00)
    assert service.account_service_id.startswith(f"comcps_{shop.made.account.tag}")
    assert await directory.service(shop.id, CARD_EUR) is None
    assert await directory.service(NOBODY, CARD_USD) is None


@pytest.mark.parametrize("code", ["", "\0", "\ud800", CARD_USD.upper(), f"{CARD_USD}\n", "x" * 10_000])
async def test_any_text_may_be_asked_about_as_a_service(shop: Shop, code: str) -> None:
    assert await shop.directory().service(shop.id, code) is None
    assert await shop.directory().route(shop.id, code, test_mode=True) is None


async def test_a_route_leads_to_the_test_provider_in_test_mode_alone(shop: Shop) -> None:
    directory = shop.directory()
    route = await directory.route(shop.id, CARD_USD, test_mode=True)
    assert route is not None
    assert (route.provider, route.credentials.merchant_id, route.credentials.test_mode) == (
        "test",
        "host2hostTest",
        True,
    )
    assert route.credentials.secrets == {"secret": operations.bank_merchant_secret(shop.root)}
    assert await directory.credentials(shop.id, route.credentials.provider_account_id) == route
    assert await directory.route(shop.id, CARD_USD, test_mode=False) is None
    assert await directory.route(shop.id, CARD_EUR, test_mode=True) is None


async def test_an_archived_provider_account_takes_nothing_new_but_is_still_asked(shop: Shop) -> None:
    route = await shop.directory().route(shop.id, CARD_USD, test_mode=True)
    assert route is not None
    await shop.pool.execute("UPDATE provider_accounts SET archived_at = $1", shop.made.account.created_at)
    directory = shop.directory()
    assert await directory.route(shop.id, CARD_USD, test_mode=True) is None
    assert await directory.credentials(shop.id, route.credentials.provider_account_id) == route


async def test_another_root_opens_none_of_it(shop: Shop) -> None:
    thief = Directory(shop.pool, Root(Root.generate()), ["test"])
    with pytest.raises(SettingsWrong):
        await thief.private_keys(shop.id, test_mode=True)
    with pytest.raises(SettingsWrong):
        await thief.route(shop.id, CARD_USD, test_mode=True)
