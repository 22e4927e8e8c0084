from collections.abc import Iterator

import asyncpg
import msgspec
import pytest

from kassa import ids
from kassa.accounts import operations, queries
from kassa.accounts.model import AccountKey, KeyKind, Keys
from kassa.accounts.services import queries as services
from kassa.errors import Invalid, KeyNeeded, NotFound, UnknownCurrency
from tests.support.shop import CARD_EUR, CARD_USD, Shop

NOBODY = "coma_Nobo000000000000"


async def live_keys(shop: Shop, kind: KeyKind, *, test_mode: bool | None) -> list[AccountKey]:
    found = await queries.keys(shop.pool, account_id=shop.id)
    return [key for key in found if (key.kind, key.test_mode, key.revoked_at) == (kind, test_mode, None)]


async def test_a_new_account_is_kept_as_it_was_told(shop: Shop) -> None:
    assert await queries.account(shop.pool, account_id=shop.id) == shop.made.account
    assert shop.made.account.account_id == shop.keys.id
    assert shop.made.account.external_mid.startswith(f"org_{shop.made.account.tag}")


async def test_every_option_survives_being_kept(shop: Shop) -> None:
    texts = {
        "forbid_public_access": "true",
        "callback_url": "https://shop.example/callbacks",
        "return_url": "https://shop.example/return",
        "merchant_url": "https://shop.example",
        "lifetime_minutes": "45",
        "attempts": "3",
        "only_final_callbacks": "true",
        "ip_allow_list": "10.0.0.0/8,192.0.2.7",
        "late_success": "refund",
        "callback_retries": "7",
    }
    changed = await operations.set_options(shop.pool, shop.clock, shop.id, texts, by="ann")
    assert await queries.account(shop.pool, account_id=shop.id) == changed
    made = await operations.create(
        shop.pool,
        shop.root,
        shop.clock,
        name="Other",
        currency="USD",
        website="https://o.example",
        set_options=texts,
        by="ann",
    )
    assert await queries.account(shop.pool, account_id=made.keys.id) == made.account
    assert {name: getattr(made.account, name) for name in texts} == {name: getattr(changed, name) for name in texts}


async def test_options_change_all_or_none(shop: Shop) -> None:
    with pytest.raises(Invalid):
        await operations.set_options(
            shop.pool, shop.clock, shop.id, {"attempts": "2", "late_success": "never"}, by="ann"
        )
    assert await queries.account(shop.pool, account_id=shop.id) == shop.made.account


@pytest.mark.parametrize("name", ["", "   ", "a" * 101, "two\nlines"])
async def test_an_account_needs_a_name_that_can_be_shown(shop: Shop, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await operations.create(shop.pool, shop.root, shop.clock, name=name, currency="EUR", by="ann")
    assert list(refused.value.errors) == ["name"]


async def test_an_account_that_cannot_be_leaves_nothing_behind(shop: Shop) -> None:
    with pytest.raises(UnknownCurrency):
        await operations.create(shop.pool, shop.root, shop.clock, name="A", currency="ZZZ", by="ann")
    with pytest.raises(Invalid) as refused:
        await operations.create(
            shop.pool, shop.root, shop.clock, name="A", currency="EUR", services=[CARD_USD, "nope"], by="ann"
        )
    assert refused.value.errors == {"nope": "The catalogue does not have this service."}
    with pytest.raises(Invalid):
        await operations.create(
            shop.pool, shop.root, shop.clock, name="A", currency="EUR", website="javascript:x", by="ann"
        )
    assert [each.account_id for each in await queries.accounts(shop.pool)] == [shop.id]


async def test_a_taken_tag_is_drawn_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([shop.made.account.tag, "Fre3"])
    monkeypatch.setattr(ids, "new_tag", lambda: next(drawn))
    made = await operations.create(shop.pool, shop.root, shop.clock, name="Next", currency="EUR", by="ann")
    assert made.account.tag == "Fre3"
    assert len(await queries.accounts(shop.pool)) == 2


async def test_the_database_keeps_no_key_that_could_be_used(shop: Shop) -> None:
    rows = await shop.pool.fetch("SELECT to_jsonb(k)::text AS text, digest, sealed FROM api_keys k")
    kept = "".join(f"{row['text']}{row['digest']!r}{row['sealed']!r}" for row in rows)
    assert [secret for secret in secrets_of(shop.keys) if secret in kept] == []
    assert shop.keys.public_key_test in kept


def secrets_of(made: Keys) -> Iterator[str]:
    for secret in (made.api_key, made.private_key_test, made.private_key_live):
        yield secret
        yield secret.encode().hex()


async def test_rolling_keeps_the_key_before_and_revokes_older_ones(shop: Shop) -> None:
    second = await operations.roll_key(
        shop.pool, shop.root, shop.clock, account_id=shop.id, kind="private", test_mode=True, by="ann"
    )
    assert await shop.directory().private_keys(shop.id, test_mode=True) == [second.text, shop.keys.private_key_test]
    third = await operations.roll_key(
        shop.pool, shop.root, shop.clock, account_id=shop.id, kind="private", test_mode=True, by="ann"
    )
    assert await shop.directory().private_keys(shop.id, test_mode=True) == [third.text, second.text]
    assert await shop.directory().private_keys(shop.id, test_mode=False) == [shop.keys.private_key_live]
    assert second.text not in repr(second)


async def test_a_revoked_key_stays_revoked_since_it_was(shop: Shop) -> None:
    (key,) = await live_keys(shop, "api", test_mode=None)
    await operations.revoke_key(shop.pool, shop.clock, account_id=shop.id, key_id=key.key_id, by="ann")
    once = await queries.keys(shop.pool, account_id=shop.id)
    await operations.revoke_key(shop.pool, shop.clock, account_id=shop.id, key_id=key.key_id, by="ann")
    assert await queries.keys(shop.pool, account_id=shop.id) == once
    assert await live_keys(shop, "api", test_mode=None) == []


async def test_the_last_key_that_signs_cannot_be_revoked(shop: Shop) -> None:
    (first,) = await live_keys(shop, "private", test_mode=True)
    with pytest.raises(KeyNeeded):
        await operations.revoke_key(shop.pool, shop.clock, account_id=shop.id, key_id=first.key_id, by="ann")
    await operations.roll_key(
        shop.pool, shop.root, shop.clock, account_id=shop.id, kind="private", test_mode=True, by="ann"
    )
    await operations.revoke_key(shop.pool, shop.clock, account_id=shop.id, key_id=first.key_id, by="ann")
    assert first not in await live_keys(shop, "private", test_mode=True)


async def test_switching_a_service_on_twice_keeps_its_id(shop: Shop) -> None:
    first = await services.services(shop.pool, account_id=shop.id)
    await operations.switch_services_off(shop.pool, shop.clock, shop.id, [CARD_USD], by="ann")
    assert [each.enabled for each in await services.services(shop.pool, account_id=shop.id)] == [False]
    await operations.switch_services_on(shop.pool, shop.clock, shop.id, [CARD_USD, CARD_USD], by="ann")
    assert await services.services(shop.pool, account_id=shop.id) == first


async def test_services_are_switched_all_or_none(shop: Shop) -> None:
    with pytest.raises(Invalid) as unknown:
        await operations.switch_services_on(shop.pool, shop.clock, shop.id, [CARD_EUR, "nope", "neither"], by="ann")
    assert list(unknown.value.errors) == ["nope", "neither"]
    with pytest.raises(Invalid) as not_owned:
        await operations.switch_services_off(shop.pool, shop.clock, shop.id, [CARD_USD, CARD_EUR], by="ann")
    assert not_owned.value.errors == {CARD_EUR: "The account does not have this service."}
    found = await services.services(shop.pool, account_id=shop.id)
    assert [(each.code, each.enabled) for each in found] == [(CARD_USD, True)]


async def test_an_account_that_is_not_there_is_told_of(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await operations.set_options(shop.pool, shop.clock, NOBODY, {"attempts": "1"}, by="ann")
    with pytest.raises(NotFound):
        await operations.switch_services_on(shop.pool, shop.clock, NOBODY, [CARD_USD], by="ann")
    with pytest.raises(NotFound):
        await operations.archive(shop.pool, shop.clock, NOBODY, by="ann")
    with pytest.raises(NotFound):
        await operations.roll_key(
            shop.pool, shop.root, shop.clock, account_id=NOBODY, kind="api", test_mode=None, by="ann"
        )
    with pytest.raises(NotFound):
        await operations.revoke_key(shop.pool, shop.clock, account_id=NOBODY, key_id="key_1", by="ann")


async def test_the_table_refuses_what_an_option_refuses(shop: Shop) -> None:
    for wrong in ({"attempts": 0}, {"lifetime_minutes": 2881}, {"late_success": "never"}, {"callback_retries": -1}):
        account = msgspec.structs.replace(shop.made.account, **wrong)
        with pytest.raises(asyncpg.CheckViolationError):
            await queries.save_options(shop.pool, account, account_id=shop.id)
