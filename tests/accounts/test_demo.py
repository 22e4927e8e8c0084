import asyncio
import stat
from pathlib import Path

import pytest

from kassa.accounts import demo, operations, queries
from kassa.accounts.directory import Directory
from kassa.accounts.services import queries as services
from kassa.catalogue.operations import load_builtin
from kassa.clock import Clock
from kassa.db.pool import Pool
from kassa.errors import SettingsWrong
from kassa.sealing import Root
from tests.support.postgres import Database

SHOP_URL = "http://127.0.0.1:8000/demo/shop"
CALLBACKS_URL = f"{SHOP_URL}/callbacks"
SHOP = {"merchant_url": SHOP_URL, "callback_url": CALLBACKS_URL}
SERVICES = [f"payment_card_{currency}_hpp" for currency in ("eur", "gbp", "rub", "uah", "usd")]


@pytest.fixture
async def pool(database: Database) -> Pool:
    await load_builtin(database.pool)
    return database.pool


async def test_the_demo_account_has_the_seeds_shape(pool: Pool, tmp_path: Path) -> None:
    root = Root(Root.generate())
    keys = await demo.ensure(pool, root, Clock(), tmp_path, SHOP, services=SERVICES)
    account = await Directory(pool, root, ["test"]).authenticate(keys.id, keys.api_key)
    assert (account.name, account.currency, account.merchant_url, account.callback_url) == (
        "Kassa Demo",
        "EUR",
        SHOP_URL,
        CALLBACKS_URL,
    )
    owned = await services.services(pool, account_id=keys.id)
    assert [(each.code, each.enabled, each.amount_min, each.amount_max) for each in owned] == [
        (code, True, 1, 1_000_000_00) for code in SERVICES
    ]
    routes = [await Directory(pool, root, ["test"]).route(keys.id, each.code, test_mode=True) for each in owned]
    assert [route and route.provider for route in routes] == ["test"] * 5


async def test_every_start_finds_the_same_account(pool: Pool, tmp_path: Path) -> None:
    root = Root(Root.generate())
    first = await demo.ensure(pool, root, Clock(), tmp_path, SHOP, services=SERVICES)
    await operations.switch_services_off(pool, Clock(), first.id, ["payment_card_gbp_hpp"], by="ann")
    before = await services.services(pool, account_id=first.id)
    assert await demo.ensure(pool, root, Clock(), tmp_path, SHOP, services=SERVICES) == first
    assert len(await queries.accounts(pool)) == 1
    assert await services.services(pool, account_id=first.id) == before


async def test_a_newer_version_adds_its_services_and_leaves_what_the_user_switched_off(
    pool: Pool, tmp_path: Path
) -> None:
    root = Root(Root.generate())
    keys = await demo.ensure(pool, root, Clock(), tmp_path, SHOP, services=SERVICES[:2])
    await operations.switch_services_off(pool, Clock(), keys.id, SERVICES[:1], by="ann")
    await demo.ensure(pool, root, Clock(), tmp_path, SHOP, services=SERVICES)
    owned = await services.services(pool, account_id=keys.id)
    assert [(each.code, each.enabled) for each in owned] == [(code, code != SERVICES[0]) for code in SERVICES]


async def test_only_its_owner_reads_the_file_of_keys(pool: Pool, tmp_path: Path) -> None:
    await demo.ensure(pool, Root(Root.generate()), Clock(), tmp_path, SHOP, services=SERVICES)
    assert modes(tmp_path) == {"demo.json": 0o600}


async def test_a_start_that_was_killed_before_the_account_was_kept_goes_on(pool: Pool, tmp_path: Path) -> None:
    root = Root(Root.generate())
    drawn = demo._new(tmp_path)
    assert await demo.ensure(pool, root, Clock(), tmp_path, SHOP, services=SERVICES) == drawn
    assert (await Directory(pool, root, ["test"]).authenticate(drawn.id, drawn.api_key)).account_id == drawn.id


async def test_starts_at_once_make_one_account(pool: Pool, tmp_path: Path) -> None:
    root = Root(Root.generate())
    drawn = demo._new(tmp_path)
    made = await asyncio.gather(
        *(demo.ensure(pool, root, Clock(), tmp_path, SHOP, services=SERVICES) for _ in range(5))
    )
    assert made == [drawn] * 5
    assert len(await queries.accounts(pool)) == 1


@pytest.mark.parametrize(
    "option,present,then",
    [
        ("callback_url", "http://127.0.0.1:7777/demo/shop/callbacks", CALLBACKS_URL),
        ("callback_url", "https://mine.example/callbacks", "https://mine.example/callbacks"),
        ("callback_url", "", None),
        ("merchant_url", "http://127.0.0.1:7777/demo/shop", SHOP_URL),
        ("merchant_url", "https://mine.example", "https://mine.example"),
    ],
)
async def test_addresses_follow_the_demo_shop_unless_the_user_sent_them_elsewhere(
    pool: Pool, tmp_path: Path, option: str, present: str, then: str | None
) -> None:
    root = Root(Root.generate())
    keys = await demo.ensure(pool, root, Clock(), tmp_path, SHOP, services=SERVICES)
    await operations.set_options(pool, Clock(), keys.id, {option: present}, by="ann")
    await demo.ensure(pool, root, Clock(), tmp_path, SHOP, services=SERVICES)
    account = await queries.account(pool, account_id=keys.id)
    assert account is not None
    assert getattr(account, option) == then


async def test_a_tag_that_another_account_has_is_given_up(pool: Pool, tmp_path: Path) -> None:
    root = Root(Root.generate())
    taken = await operations.create(pool, root, Clock(), name="Other", currency="EUR", by="ann")
    drawn = demo._new(tmp_path)
    text = (tmp_path / "demo.json").read_text()
    (tmp_path / "demo.json").write_text(text.replace(drawn.id, f"coma_{taken.account.tag}000000000000"))
    keys = await demo.ensure(pool, root, Clock(), tmp_path, SHOP, services=SERVICES)
    assert keys.id[5:9] != taken.account.tag
    assert (await Directory(pool, root, ["test"]).authenticate(keys.id, keys.api_key)).name == "Kassa Demo"


async def test_a_broken_file_is_told_without_quoting_it(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text('{"id": "sk_test_secret')
    with pytest.raises(SettingsWrong) as told:
        await demo.ensure(pool, Root(Root.generate()), Clock(), tmp_path, SHOP, services=SERVICES)
    assert "secret" not in str(told.value)
    assert told.value.__suppress_context__


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
