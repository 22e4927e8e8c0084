"""An account's history: each change leaves who made it, from what and to what, and nothing that is secret."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import pytest

from kassa.accounts import operations, queries
from kassa.accounts.providers import operations as providers
from kassa.accounts.services import operations as services
from kassa.audit import queries as audit
from kassa.audit.model import AccountEvent
from kassa.errors import Invalid, KeyNeeded, NotFound
from kassa.moderation import operations as moderation
from kassa.moderation import terms
from kassa.sealing import Root
from tests.support.postgres import Database
from tests.support.shop import CARD_EUR, CARD_USD, Shop

BY = "operator Ann"
SVG = b"<svg/>"
SECRETS = {"key": "canary-secret-one-5d1f", "token": "canary-secret-two-77a0"}


async def history(shop: Shop) -> list[AccountEvent]:
    """Return all that has happened, oldest first."""
    return (await audit.events(shop.pool, account_id=shop.id, limit=1000))[::-1]


async def since(shop: Shop, change: Awaitable[object]) -> list[AccountEvent]:
    """Return what a change has added."""
    before = await history(shop)
    await change
    after = await history(shop)
    assert after[: len(before)] == before
    return after[len(before) :]


def told(events: Sequence[AccountEvent]) -> list[tuple[str, str, Any, Any]]:
    return [(each.kind, each.subject_id, each.before, each.after) for each in events]


async def connected(shop: Shop, *codes: str, **secrets: str) -> str:
    added = await providers.add(
        shop.pool,
        shop.root,
        shop.clock,
        shop.id,
        provider="acme",
        merchant_id="m-1",
        test_mode=False,
        secrets=secrets,
        codes=codes,
        by=BY,
    )
    return added.provider_account_id


async def test_a_new_account_begins_with_what_it_was_given(shop: Shop) -> None:
    events = await history(shop)
    assert [each.kind for each in events] == [
        "account.created",
        "api_key.created",
        "public_key.created",
        "public_key.created",
        "private_key.created",
        "private_key.created",
        "provider_account.connected",
        "service.added",
    ]
    created, *_, bank, service = events
    assert (created.subject_id, created.before) == (shop.id, None)
    assert created.after == {
        "name": "Shop",
        "currency": "EUR",
        "lifetime_minutes": 30,
        "attempts": 5,
        "late_success": "book",
        "callback_retries": 100,
    }
    assert bank.after == {"provider": "test", "merchant_id": "host2hostTest", "mode": "test"}
    assert (service.subject_id, service.before) == (CARD_USD, None)
    assert service.after == {"enabled": True, "amount_min": "0.01", "amount_max": "1000000.00"}
    assert {each.changed_at for each in events} == {shop.made.account.created_at}
    assert [each.event_id for each in events] == sorted(each.event_id for each in events)


async def test_settings_are_kept_from_what_to_what(shop: Shop) -> None:
    wanted = {"attempts": "3", "callback_url": "https://a.example/", "exchange_spread": "2.5", "late_success": "book"}
    (event,) = await since(shop, operations.set_options(shop.pool, shop.clock, shop.id, wanted, by=BY))
    assert (event.kind, event.subject_id, event.changed_by) == ("settings.changed", shop.id, BY)
    assert event.before == {"callback_url": None, "attempts": 5, "exchange_spread": "0"}
    assert event.after == {"callback_url": "https://a.example/", "attempts": 3, "exchange_spread": "2.5"}


async def test_a_logo_is_kept_by_the_name_of_what_it_shows(shop: Shop) -> None:
    logo = {"logo": base64.b64encode(SVG).decode()}
    (event,) = await since(shop, operations.set_options(shop.pool, shop.clock, shop.id, logo, by=BY))
    assert event.before == {"logo": None}
    assert event.after is not None
    assert event.after["logo"].endswith(".svg")


async def test_a_rotated_key_is_kept_beside_the_one_before_it_and_the_oldest_is_revoked(shop: Shop) -> None:
    async def roll() -> None:
        await operations.roll_key(
            shop.pool, shop.root, shop.clock, account_id=shop.id, kind="private", test_mode=True, by=BY
        )

    first = next(each for each in await queries.keys(shop.pool, account_id=shop.id) if _signs_test(each))
    (once,) = await since(shop, roll())
    assert once.kind == "private_key.rotated"
    assert once.before == {"key_id": first.key_id, "hint": first.hint}
    assert once.after is not None
    assert once.after["key_id"] == once.subject_id
    twice, revoked = await since(shop, roll())
    assert (twice.kind, twice.before) == ("private_key.rotated", once.after)
    assert told([revoked]) == [
        ("private_key.revoked", first.key_id, {"mode": "test", "hint": f"sk_test_…{first.hint[-4:]}"}, None)
    ]


def _signs_test(key: Any) -> bool:
    return (key.kind, key.test_mode) == ("private", True)


async def test_the_first_key_after_all_were_revoked_is_none_that_replaces_another(shop: Shop) -> None:
    key = next(each for each in await queries.keys(shop.pool, account_id=shop.id) if each.kind == "api")
    revoke = operations.revoke_key(shop.pool, shop.clock, account_id=shop.id, key_id=key.key_id, by=BY)
    (revoked,) = await since(shop, revoke)
    assert told([revoked]) == [("api_key.revoked", key.key_id, {"hint": key.hint}, None)]
    roll = operations.roll_key(shop.pool, shop.root, shop.clock, account_id=shop.id, kind="api", test_mode=None, by=BY)
    (made,) = await since(shop, roll)
    assert (made.kind, made.before) == ("api_key.created", None)


async def test_services_are_kept_as_they_are_added_changed_and_switched(shop: Shop) -> None:
    given = {"fee_rate": "2.5", "fee_fix": "0.30"}
    added = await since(shop, services.add(shop.pool, shop.clock, shop.id, CARD_EUR, given, by=BY))
    limits = {"amount_min": "0.01", "amount_max": "1000000.00"}
    assert told(added) == [
        ("service.added", CARD_EUR, None, {"enabled": True, **limits, "fee_rate": "2.5", "fee_fix": "0.30"})
    ]
    changed = await since(shop, services.add(shop.pool, shop.clock, shop.id, CARD_EUR, {"fee_fix": "0.5"}, by=BY))
    assert told(changed) == [("service.changed", CARD_EUR, {"fee_fix": "0.30"}, {"fee_fix": "0.50"})]
    off = await since(shop, operations.switch_services_off(shop.pool, shop.clock, shop.id, [CARD_EUR], by=BY))
    assert told(off) == [("service.changed", CARD_EUR, {"enabled": True}, {"enabled": False})]
    on = operations.switch_services_on(shop.pool, shop.clock, shop.id, [CARD_USD, CARD_EUR], by=BY)
    assert told(await since(shop, on)) == [("service.changed", CARD_EUR, {"enabled": False}, {"enabled": True})]


async def test_a_provider_accounts_secrets_are_named_and_not_told(shop: Shop, database: Database) -> None:
    (made,) = await since(shop, connected(shop, **SECRETS))
    provider_account = {"provider": "acme", "merchant_id": "m-1", "mode": "live", "services": [CARD_USD]}
    assert (made.kind, made.before) == ("provider_account.connected", None)
    assert made.after == {**provider_account, "secrets_changed": ["key", "token"]}
    await services.add(shop.pool, shop.clock, shop.id, CARD_EUR, {}, by=BY)
    (changed,) = await since(shop, connected(shop, **{**SECRETS, "key": "canary-secret-three-03be"}))
    assert (changed.kind, changed.subject_id) == ("provider_account.changed", made.subject_id)
    assert changed.before == {"services": [CARD_USD], "secrets_changed": []}
    assert changed.after == {"services": [CARD_EUR, CARD_USD], "secrets_changed": ["key"]}
    (fewer,) = await since(shop, connected(shop, key="canary-secret-three-03be"))
    assert fewer.after == {"secrets_changed": ["token"]}
    remove = providers.remove(shop.pool, shop.clock, shop.id, made.subject_id, by=BY)
    (removed,) = await since(shop, remove)
    assert removed.kind == "provider_account.removed"
    assert removed.before == {**provider_account, "services": [CARD_EUR, CARD_USD]}
    rows = await database.pool.fetch("SELECT e::text AS event FROM account_events e")
    whole = "\n".join(row["event"] for row in rows)
    secrets = [getattr(shop.keys, name) for name in shop.keys.__struct_fields__ if name != "id"]
    assert len(secrets) == 5
    assert [secret for secret in (*secrets, "canary-secret") if secret in whole] == []


async def test_new_secrets_are_taken_where_another_root_sealed_the_old_ones(shop: Shop) -> None:
    await connected(shop, **SECRETS)
    other = Shop(pool=shop.pool, root=Root(Root.generate()), clock=shop.clock, made=shop.made)
    (event,) = await since(shop, connected(other, **SECRETS))
    assert event.after == {"secrets_changed": ["key", "token"]}


async def test_rules_are_kept_as_they_are_added_and_removed(shop: Shop) -> None:
    now = shop.clock.now(test_mode=False)
    texts = {"currency": "USD", "at_least": "500.5"}
    wanted = terms.read("amount", texts)
    (added,) = await since(shop, moderation.add_rule(shop.pool, shop.id, wanted, now=now, by=BY))
    members = {"kind": "amount", **texts}
    assert told([added]) == [("rule.added", added.subject_id, None, members)]
    remove = moderation.remove_rule(shop.pool, shop.id, added.subject_id, now=now, by="operator Bob")
    (removed,) = await since(shop, remove)
    assert told([removed]) == [("rule.removed", added.subject_id, members, None)]
    assert (added.changed_by, removed.changed_by) == (BY, "operator Bob")


async def test_an_archived_account_says_when(shop: Shop) -> None:
    (event,) = await since(shop, operations.archive(shop.pool, shop.clock, shop.id, by=BY))
    account = await queries.account(shop.pool, account_id=shop.id)
    assert account is not None
    assert event.changed_at == account.archived_at
    assert told([event]) == [
        ("account.archived", shop.id, {"archived_at": None}, {"archived_at": _iso(account.archived_at)})
    ]
    with pytest.raises(NotFound):
        await operations.archive(shop.pool, shop.clock, shop.id, by=BY)
    assert (await history(shop))[-1] == event


def _iso(moment: Any) -> str:
    return str(moment.isoformat().replace("+00:00", "Z"))


def _twice(shop: Shop) -> dict[str, Callable[[], Awaitable[object]]]:
    """Changes that change nothing the second time."""

    async def revoke() -> None:
        key = (await queries.keys(shop.pool, account_id=shop.id))[0]
        await operations.revoke_key(shop.pool, shop.clock, account_id=shop.id, key_id=key.key_id, by=BY)

    return {
        "options": lambda: operations.set_options(shop.pool, shop.clock, shop.id, {"attempts": "4"}, by=BY),
        "on": lambda: operations.switch_services_on(shop.pool, shop.clock, shop.id, [CARD_EUR], by=BY),
        "off": lambda: operations.switch_services_off(shop.pool, shop.clock, shop.id, [CARD_USD], by=BY),
        "terms": lambda: services.add(shop.pool, shop.clock, shop.id, CARD_USD, {"fee_rate": "1.50"}, by=BY),
        "provider": lambda: connected(shop, CARD_USD, **SECRETS),
        "revoked": revoke,
    }


@pytest.mark.parametrize("name", ["options", "on", "off", "terms", "provider", "revoked"])
async def test_what_changes_nothing_leaves_nothing(shop: Shop, name: str) -> None:
    change = _twice(shop)[name]
    assert len(await since(shop, change())) == 1
    assert await since(shop, change()) == []


async def test_what_is_refused_leaves_nothing(shop: Shop) -> None:
    before = await history(shop)
    with pytest.raises(Invalid):
        await operations.set_options(shop.pool, shop.clock, shop.id, {"attempts": "4", "logo": "x"}, by=BY)
    with pytest.raises(Invalid):
        await services.add(shop.pool, shop.clock, shop.id, CARD_EUR, {"fee_rate": "101"}, by=BY)
    with pytest.raises(NotFound):
        await providers.remove(shop.pool, shop.clock, shop.id, "ma_Nobo000000000000", by=BY)
    now = shop.clock.now(test_mode=False)
    with pytest.raises(NotFound):
        await moderation.remove_rule(shop.pool, shop.id, "rule_Nobo000000000000", now=now, by=BY)
    key = next(each for each in await queries.keys(shop.pool, account_id=shop.id) if _signs_test(each))
    with pytest.raises(KeyNeeded):
        await operations.revoke_key(shop.pool, shop.clock, account_id=shop.id, key_id=key.key_id, by=BY)
    assert await history(shop) == before


async def test_no_change_is_saved_without_its_event(shop: Shop) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await operations.set_options(shop.pool, shop.clock, shop.id, {"attempts": "4"}, by="")
    with pytest.raises(asyncpg.CheckViolationError):
        await operations.archive(shop.pool, shop.clock, shop.id, by="x" * 201)
    assert await queries.account(shop.pool, account_id=shop.id) == shop.made.account


async def test_history_is_neither_rewritten_nor_shown_to_others(shop: Shop) -> None:
    for statement in ("UPDATE account_events SET changed_by = 'x'", "DELETE FROM account_events"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await shop.pool.execute(statement)
    other = await operations.create(shop.pool, shop.root, shop.clock, name="Other", currency="EUR", by=BY)
    found = await audit.events(shop.pool, account_id=other.account.account_id, limit=1000)
    assert {each.account_id for each in found} == {other.account.account_id}
    assert len(await audit.events(shop.pool, account_id=shop.id, limit=3)) == 3
