"""``kassa accounts history``: who changed what, through every command that changes an account."""

import getpass
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from kassa.accounts import operations, queries
from kassa.accounts.model import NewAccount
from kassa.accounts.providers import queries as providers
from kassa.audit import queries as audit
from kassa.audit.model import AccountEvent
from kassa.catalogue.operations import load_builtin
from kassa.clock import Clock
from kassa.db.pool import Pool
from kassa.moderation import operations as moderation
from kassa.moderation.model import AmountRule
from kassa.sealing import Root
from tests.support import command
from tests.support.command import Ran
from tests.support.postgres import Database

CARD_USD = "payment_card_usd_hpp"
NOBODY = "coma_Nobo000000000000"
ROOT = Root.generate()
SECRET = "canary-of-a-provider-61d0"
PROVIDER = ("providers", "add", "--provider", "test", "--merchant-id", "m-7")

Kassa = Callable[..., Awaitable[Ran]]
Arguments = Callable[["Opened"], Sequence[str]]


@pytest.fixture
def kassa(database: Database, tmp_path: Path) -> Kassa:
    """Run commands on a database of the test's own."""
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_SECRET_KEY": ROOT, "KASSA_HOME": str(tmp_path)}

    async def run(*words: str, **more: str) -> Ran:
        ran = await command.run(*words, environment=environment | more, typed=f"{SECRET}\n")
        assert "Traceback" not in ran.err
        return ran

    return run


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The only account, and what of it can be removed."""

    pool: Pool
    made: NewAccount
    provider_account_id: str
    rule_id: str
    api_key_id: str

    @property
    def id(self) -> str:
        """The account's."""
        return self.made.account.account_id


async def opened(pool: Pool, *, by: str = "operator Zoe") -> Opened:
    """Make an account."""
    await load_builtin(pool)
    root, clock = Root(ROOT), Clock()
    made = await operations.create(pool, root, clock, name="Tea", currency="EUR", services=[CARD_USD], by=by)
    account_id, now = made.account.account_id, clock.now(test_mode=False)
    rule = await moderation.add_rule(pool, account_id, AmountRule(currency="USD", at_least=50000), now=now, by=by)
    (bank,) = await providers.listed(pool, account_id=account_id)
    key = next(each for each in await queries.keys(pool, account_id=account_id) if each.kind == "api")
    return Opened(
        pool=pool,
        made=made,
        provider_account_id=bank.provider_account_id,
        rule_id=rule.rule_id,
        api_key_id=key.key_id,
    )


@pytest.fixture
async def account(database: Database) -> Opened:
    """An account with a rule, made by another operator."""
    return await opened(database.pool)


CHANGES: Final[Mapping[str, tuple[str, Arguments]]] = {
    "set": ("settings.changed", lambda _: ("accounts", "set", "attempts=3")),
    "archive": ("account.archived", lambda it: ("accounts", "archive", it.id)),
    "roll": ("private_key.rotated", lambda _: ("keys", "roll", "private_key_live")),
    "revoke": ("api_key.revoked", lambda it: ("keys", "revoke", it.api_key_id)),
    "service": ("service.added", lambda _: ("services", "add", "qiwi_usd_hpp", "--fee-rate", "2.5")),
    "on": ("service.added", lambda _: ("services", "on", "payment_card_eur_hpp")),
    "off": ("service.changed", lambda _: ("services", "off", "--all")),
    "rule": ("rule.added", lambda _: ("rules", "add", "country", "--countries", "NG,PK")),
    "no rule": ("rule.removed", lambda it: ("rules", "remove", it.rule_id)),
    "provider": ("provider_account.connected", lambda _: (*PROVIDER, "--secret", "secret")),
    "no provider": ("provider_account.removed", lambda it: ("providers", "remove", it.provider_account_id)),
}
"""What each command that changes an account leaves in its history."""


async def events(pool: Pool, account_id: str) -> list[AccountEvent]:
    return await audit.events(pool, account_id=account_id, limit=1000)


@pytest.mark.parametrize("name", CHANGES)
async def test_each_command_that_changes_an_account_is_in_its_history(kassa: Kassa, account: Opened, name: str) -> None:
    kind, arguments = CHANGES[name]
    before = await events(account.pool, account.id)
    assert (await kassa(*arguments(account), KASSA_OPERATOR="Ann")).status == 0
    added, *others = await events(account.pool, account.id)
    assert others == before
    assert (added.kind, added.changed_by) == (kind, "operator Ann")
    assert SECRET not in repr(added)


async def test_without_a_name_it_was_the_systems_user(kassa: Kassa, database: Database) -> None:
    made: Any = (await kassa("accounts", "create", "--json")).document()
    found = await events(database.pool, made["id"])
    assert found[-1].kind == "account.created"
    assert {each.changed_by for each in found} == {f"operator {getpass.getuser()}"}


async def test_it_is_a_table_newest_first_without_a_secret(kassa: Kassa, account: Opened) -> None:
    await kassa(*PROVIDER, "--secret", "s")
    await kassa("accounts", "set", "attempts=3", "support_email=a@b.example", KASSA_OPERATOR="Bob Ross")
    shown = await kassa("accounts", "history")
    head, first, *_, last = shown.out.splitlines()
    assert head.split() == ["when", "by", "what", "subject", "change"]
    assert "  operator Bob Ross  " in first
    assert first.endswith(f"{account.id}  attempts: 5 → 3; support_email: none → a@b.example")
    assert "account.created" in last
    assert "name: Tea; currency: EUR; " in last
    keys = account.made.keys
    secrets = [SECRET, *(getattr(keys, name) for name in keys.__struct_fields__ if name != "id")]
    assert [secret for secret in secrets if secret in shown.out] == []
    assert keys.api_key[-4:] in shown.out


async def test_scripts_get_so_many_events_as_they_ask_for(kassa: Kassa, account: Opened) -> None:
    found: Any = (await kassa("accounts", "history", account.id, "--limit", "2", "--json")).document()
    added, service = found
    assert [added["kind"], service["kind"]] == ["rule.added", "service.added"]
    assert (added["account_id"], added["subject_id"]) == (account.id, account.rule_id)
    assert (added["before"], added["changed_by"]) == (None, "operator Zoe")
    assert added["after"] == {"kind": "amount", "currency": "USD", "at_least": "500"}
    refused = await kassa("accounts", "history", "--limit", "0")
    assert (refused.status, refused.out) == (2, "")


async def test_an_account_has_a_history_of_its_own(kassa: Kassa, account: Opened) -> None:
    other = await opened(account.pool, by="operator Eve")
    found: Any = (await kassa("accounts", "history", other.id, "--json")).document()
    assert {(each["account_id"], each["changed_by"]) for each in found} == {(other.id, "operator Eve")}


@pytest.mark.parametrize(
    "words,environment,told",
    [
        (["accounts", "history", NOBODY], {}, f"There is no account {NOBODY}: kassa accounts list"),
        (
            ["accounts", "set", "attempts=3"],
            {"KASSA_OPERATOR": "a\x1bb"},
            "KASSA_OPERATOR: This value should have from 1 to 100 printable characters.",
        ),
        (
            ["accounts", "set", "attempts=3"],
            {"KASSA_OPERATOR": "a" * 101},
            "KASSA_OPERATOR: This value should have from 1 to 100 printable characters.",
        ),
        (
            ["moderation", "settle", "cpi_Nobo000000000000", "--note", "x", "--by", "a\nb"],
            {"KASSA_OPERATOR": "Ann"},
            "--by: This value should have from 1 to 100 printable characters.",
        ),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    kassa: Kassa, account: Opened, words: list[str], environment: dict[str, str], told: str
) -> None:
    before = await events(account.pool, account.id)
    ran = await kassa(*words, **environment)
    assert (ran.status, ran.out, ran.err[: len(told)]) == (1, "", told)
    assert await events(account.pool, account.id) == before
