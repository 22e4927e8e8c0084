from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kassa.accounts.directory import Directory
from kassa.accounts.options import OPTIONS
from kassa.errors import Unauthorized
from kassa.sealing import Root
from tests.support import command
from tests.support.command import Ran
from tests.support.postgres import Database

CARD_USD = "payment_card_usd_hpp"
CARD_EUR = "payment_card_eur_hpp"
NOBODY = "coma_Nobo000000000000"
UNKNOWN = f"There is no account {NOBODY}: kassa accounts list shows those that there are.\n"
ROOT = Root.generate()

Kassa = Callable[..., Awaitable[Ran]]


@pytest.fixture
def kassa(database: Database, tmp_path: Path) -> Kassa:
    """Run commands on a database of the test's own."""
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_SECRET_KEY": ROOT, "KASSA_HOME": str(tmp_path)}

    async def run(*words: str) -> Ran:
        return await command.run(*words, environment=environment)

    return run


async def created(kassa: Kassa, *words: str) -> Any:
    return (await kassa("accounts", "create", "--json", *words)).document()


async def test_a_new_accounts_keys_open_it(kassa: Kassa, database: Database) -> None:
    keys = await created(
        kassa, "--name", "Tea & Cups", "--currency", "usd", "--service", CARD_USD, "--set", "attempts=3"
    )
    assert list(keys) == [
        "id",
        "api_key",
        "public_key_test",
        "public_key_live",
        "private_key_test",
        "private_key_live",
    ]
    directory = Directory(database.pool, Root(ROOT), ["test"])
    account = await directory.authenticate(keys["id"], keys["api_key"])
    assert (account.name, account.currency, account.attempts) == ("Tea & Cups", "USD", 3)
    assert await directory.by_public_key(keys["public_key_live"]) == (account, False)
    assert await directory.private_keys(keys["id"], test_mode=True) == [keys["private_key_test"]]
    assert await directory.route(keys["id"], CARD_USD, test_mode=True) is not None


async def test_an_account_is_shown_and_listed_for_people_and_for_scripts(kassa: Kassa) -> None:
    made = await kassa("accounts", "create", "--name", "Tea")
    lines = dict(line.split(maxsplit=1) for line in made.out.splitlines())
    shown = await kassa("accounts", "show", lines["id"])
    assert ["name", "Tea"] in [line.split() for line in shown.out.splitlines()]
    document: Any = (await kassa("accounts", "show", lines["id"], "--json")).document()
    assert {name: document[name] for name in OPTIONS} == {
        "forbid_public_access": False,
        "callback_url": None,
        "return_url": None,
        "merchant_url": None,
        "lifetime_minutes": 30,
        "attempts": 5,
        "only_final_callbacks": False,
        "ip_allow_list": [],
        "late_success": "book",
        "callback_retries": 100,
        "payer_pays_fee": False,
        "moderation_by_api": False,
        "exchange_spread": "0",
        "support_url": None,
        "support_email": None,
        "terms_url": None,
        "logo": None,
    }
    listed: Any = (await kassa("accounts", "list", "--json")).document()
    assert listed == [document]
    assert lines["id"] in (await kassa("accounts", "list")).out
    assert lines["api_key"] not in shown.out


async def test_a_logo_is_taken_from_a_file(kassa: Kassa, tmp_path: Path) -> None:
    keys = await created(kassa)
    (tmp_path / "logo.svg").write_bytes(b"<svg/>")
    shown = await kassa("accounts", "set", "--account", keys["id"], f"logo=@{tmp_path}/logo.svg")
    assert ["logo", "6", "bytes"] in [line.split() for line in shown.out.splitlines()]
    gone = await kassa("accounts", "set", "--account", keys["id"], "logo=")
    assert ["logo", "6", "bytes"] not in [line.split() for line in gone.out.splitlines()]
    missing = await kassa("accounts", "set", "--account", keys["id"], f"logo=@{tmp_path}/none.svg")
    assert (missing.status, "No such file" in missing.err) == (1, True)


async def test_options_are_set_together_and_shown(kassa: Kassa) -> None:
    keys = await created(kassa)
    changed: Any = (
        await kassa("accounts", "set", "-a", keys["id"], "callback_url=https://a.example/?x=1", "attempts=2", "--json")
    ).document()
    assert (changed["callback_url"], changed["attempts"]) == ("https://a.example/?x=1", 2)
    cleared: Any = (await kassa("accounts", "set", "-a", keys["id"], "callback_url=", "--json")).document()
    assert (cleared["callback_url"], cleared["attempts"]) == (None, 2)


async def test_keys_are_listed_rolled_and_revoked(kassa: Kassa, database: Database) -> None:
    keys = await created(kassa)
    listed: Any = (await kassa("keys", "list", "-a", keys["id"], "--json")).document()
    (first,) = [key for key in listed if key["kind"] == "api"]
    rolled: Any = (await kassa("keys", "roll", "-a", keys["id"], "api_key", "--json")).document()
    revoked = await kassa("keys", "revoke", "-a", keys["id"], first["key_id"])
    assert (revoked.status, revoked.out) == (0, f"{first['key_id']} is revoked.\n")
    directory = Directory(database.pool, Root(ROOT), ["test"])
    assert (await directory.authenticate(keys["id"], rolled["api_key"])).account_id == keys["id"]
    with pytest.raises(Unauthorized):
        await directory.authenticate(keys["id"], keys["api_key"])
    table = (await kassa("keys", "list", "-a", keys["id"])).out
    assert keys["public_key_test"] in table
    assert [word for word in (keys["api_key"], rolled["api_key"], keys["private_key_test"]) if word in table] == []


async def test_services_are_listed_and_switched(kassa: Kassa) -> None:
    keys = await created(kassa)
    await kassa("services", "on", "-a", keys["id"], CARD_USD, CARD_EUR)
    off: Any = (await kassa("services", "off", "-a", keys["id"], CARD_EUR, "--json")).document()
    assert [(each["code"], each["enabled"]) for each in off] == [(CARD_EUR, False), (CARD_USD, True)]
    table = (await kassa("services", "list", "-a", keys["id"])).out.splitlines()
    assert [line.split() for line in table] == [
        ["service", "state", "from", "to", "fee", "%"],
        [CARD_EUR, "off", "0.01", "1000000", "0"],
        [CARD_USD, "on", "0.01", "1000000", "0"],
    ]


async def test_an_archived_account_is_listed_as_such(kassa: Kassa) -> None:
    keys = await created(kassa)
    assert (await kassa("accounts", "archive", keys["id"])).out == f"{keys['id']} is archived.\n"
    assert (await kassa("accounts", "list")).out.rstrip().endswith("archived")


@pytest.mark.parametrize(
    "words,told",
    [
        (["accounts", "show", NOBODY], UNKNOWN),
        (["accounts", "set", "-a", NOBODY, "attempts=2"], UNKNOWN),
        (["accounts", "set", "-a", NOBODY, "attempts"], "attempts: This should be OPTION=VALUE.\n"),
        (["keys", "list", "--account", NOBODY], UNKNOWN),
        (["keys", "roll", "main"], "KIND: This value should be one of api_key,"),
        (["keys", "show"], "This home has no demo account: kassa serve --demo makes one.\n"),
        (["services", "list", "-a", NOBODY], UNKNOWN),
        (["services", "on", CARD_USD, "-a", NOBODY], UNKNOWN),
        (["accounts", "archive", NOBODY], UNKNOWN),
        (["accounts", "show"], "There is no account yet: kassa accounts create makes one.\n"),
        (["accounts", "create", "--currency", "zzz"], "'ZZZ' is not a currency.\n"),
        (["accounts", "create", "--service", "nope"], "nope: The catalogue does not have this service.\n"),
        (
            ["accounts", "create", "--set", "attempts=0"],
            "attempts: This value should be a whole number from 1 to 100.\n",
        ),
    ],
)
async def test_what_cannot_be_done_is_told_in_a_sentence(kassa: Kassa, words: list[str], told: str) -> None:
    ran = await kassa(*words)
    assert (ran.status, ran.out, ran.err[: len(told)]) == (1, "", told)


async def test_a_key_that_callbacks_need_is_not_revoked(kassa: Kassa) -> None:
    keys = await created(kassa)
    listed: Any = (await kassa("keys", "list", "-a", keys["id"], "--json")).document()
    (key,) = [key for key in listed if (key["kind"], key["test_mode"]) == ("private", False)]
    ran = await kassa("keys", "revoke", "-a", keys["id"], key["key_id"])
    assert ran.status == 1
    assert ran.err == "This is the only key that signs callbacks of its mode: roll it first, then revoke it.\n"


async def test_commands_work_on_a_home_where_nothing_runs(folder: Path) -> None:
    environment = {"KASSA_HOME": str(folder / "home")}
    made: Any = (
        await command.run("accounts", "create", "--json", "--service", CARD_USD, environment=environment)
    ).document()
    listed: Any = (await command.run("accounts", "list", "--json", environment=environment)).document()
    assert [each["account_id"] for each in listed] == [made["id"]]


@pytest.mark.parametrize(
    "url,told",
    [
        ("ftp://shop.example/", "This address should begin with https:// or http://."),
        ("http://u:p@shop.example/", "This address should hold no user name or password."),
        ("http://10.0.0.1/", "Kassa does not send requests to this address."),
        ("http://127.0.0.1:9000/", "Kassa does not send requests to this address."),
        ("https://shop.example:8443/", "This port is not one that requests are sent to."),
    ],
)
async def test_an_address_that_no_callback_is_sent_to_is_not_set(kassa: Kassa, url: str, told: str) -> None:
    refused = await kassa("accounts", "create", "--set", f"callback_url={url}")
    assert (refused.status, refused.out, refused.err) == (1, "", f"callback_url: {told}\n")
