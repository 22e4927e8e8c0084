"""``kassa providers``: who stands behind an account's services, and what no list of processes may show."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kassa.accounts import sealed
from kassa.sealing import Root
from tests.support import command
from tests.support.command import Ran
from tests.support.postgres import Database

CARD_USD = "payment_card_usd_hpp"
ROOT = Root.generate()
WORDS = ("add", "--provider", "test", "--merchant-id", "m-7", "--secret", "secret", "--secret", "second")

Kassa = Callable[..., Awaitable[Ran]]


@pytest.fixture
def kassa(database: Database) -> Kassa:
    """Run commands on a database of the test's own."""
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_SECRET_KEY": ROOT}

    async def run(*words: str, typed: str = "") -> Ran:
        return await command.run(*words, environment=environment, typed=typed)

    return run


@pytest.fixture
async def account(kassa: Kassa) -> str:
    """The id of an account with one service."""
    made: Any = (await kassa("accounts", "create", "--service", CARD_USD, "--json")).document()
    return str(made["id"])


async def test_a_provider_account_is_added_listed_and_removed(kassa: Kassa, account: str, database: Database) -> None:
    added = await kassa("providers", *WORDS, "-a", account, "--json", typed="s3cret\nother\n")
    document: Any = added.document()
    assert [(each["merchant_id"], each["services"]) for each in document] == [("m-7", [CARD_USD])]
    provider_account_id = document[0]["provider_account_id"]
    row = await database.pool.fetchval(
        "SELECT sealed FROM provider_accounts WHERE provider_account_id = $1", provider_account_id
    )
    assert sealed.open_secrets(Root(ROOT), row) == {"secret": "s3cret", "second": "other"}
    assert "s3cret" not in added.out + added.err
    removed = await kassa("providers", "remove", provider_account_id, "-a", account)
    assert (removed.status, removed.out) == (0, f"{provider_account_id} takes no new payments.\n")
    listed = await kassa("providers", "list", "-a", account)
    rows = [line.split() for line in listed.out.splitlines()]
    assert [row[1:5] for row in rows[1:]] == [["test", "test", "host2hostTest", "1"], ["test", "test", "m-7", "1"]]
    assert [row[5] for row in rows[1:]] == ["works", "removed"]


@pytest.mark.parametrize(
    "words,told",
    [
        (["add", "--provider", "acme", "--merchant-id", "m"], "provider: This value should be one that is installed"),
        (["add", "--provider", "test", "--merchant-id", ""], "merchant_id: "),
        ([*WORDS], "secret: This value should not be blank."),
        (
            ["add", "--provider", "test", "--merchant-id", "m", "--live"],
            "provider: The bank of the test world moves no",
        ),
        (
            ["remove", "ma_Nobo000000000000"],
            "The account has no open provider account 'ma_Nobo000000000000': kassa providers list shows them.\n",
        ),
    ],
)
async def test_what_cannot_be_done_is_told(kassa: Kassa, account: str, words: list[str], told: str) -> None:
    ran = await kassa("providers", *words, "-a", account)
    assert (ran.status, ran.out, ran.err[: len(told)]) == (1, "", told)
