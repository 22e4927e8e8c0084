"""Which account a command is about, and in which mode."""

import os
from typing import Final

from kassa import config, ids
from kassa.accounts import demo, queries
from kassa.accounts.model import Account
from kassa.db.pool import Pool
from kassa.errors import Invalid, NotFound
from kassa.ids import Prefix

_LISTED: Final = "kassa accounts list shows those that there are."


async def chosen(pool: Pool, account_id: str | None) -> Account:
    """Return the account that is named, else the home's demo account, else the only one that is open.

    Raises ``NotFound`` for an unknown one and where there is none, ``Invalid`` where there are several.
    """
    wanted = account_id or demo_account_id()
    if wanted is not None:
        return await named(pool, wanted)
    found = [each for each in await queries.accounts(pool) if each.archived_at is None]
    if not found:
        raise NotFound("There is no account yet: kassa accounts create makes one.")
    if len(found) > 1:
        raise Invalid({"--account": f"Name one of {len(found)} accounts: {_LISTED}"})
    return found[0]


async def named(pool: Pool, account_id: str) -> Account:
    """Return an account. Raises ``NotFound``."""
    account = await queries.account(pool, account_id=account_id)
    if account is None:
        raise NotFound(f"There is no account {printable(account_id)}: {_LISTED}")
    return account


async def one_or_all(pool: Pool, account_id: str | None) -> list[Account]:
    """Return the account that is named, else all of them. Raises ``NotFound``."""
    return [await named(pool, account_id)] if account_id else await queries.accounts(pool)


async def owner(pool: Pool, object_id: str, prefix: Prefix, thing: str) -> Account:
    """Return the account that an object's id names. Raises ``NotFound``."""
    tag = ids.tag_of(object_id, prefix)
    account_id = await queries.account_id_by_tag(pool, tag=tag) if tag else None
    account = await queries.account(pool, account_id=account_id) if account_id else None
    if account is None:
        raise NotFound(f"There is no {thing} {printable(object_id)}: kassa {thing}s list shows the last ones.")
    return account


def demo_account_id() -> str | None:
    """Return the home's demo account, None where it has none."""
    keys = demo.kept(config.load(os.environ).home_path())
    return keys.id if keys else None


def in_test_mode(account: Account, *, live: bool | None) -> bool:
    """Return the mode that is meant: what is said, else test mode for the demo account and live for others."""
    return account.account_id == demo_account_id() if live is None else not live


def printable(text: str) -> str:
    """Return a text as it can be quoted on a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
