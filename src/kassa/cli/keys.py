"""``kassa keys``: an account's API key, public keys and private keys."""

import os
from typing import Annotated

import typer

from kassa import config
from kassa.accounts import demo, operations, queries
from kassa.accounts.keys import KINDS
from kassa.accounts.model import Account, AccountKey
from kassa.cli import choosing, printing
from kassa.cli.commands import AccountOption, account_command, command, group, nothing
from kassa.cli.opened import Opened, opened
from kassa.cli.operator import operator
from kassa.cli.printing import Shown
from kassa.errors import Invalid, NotFound

app = group("API keys and private keys.")


@account_command(app, "list", "kassa keys list", "kassa keys list --account coma_…")
async def list_keys(kassa: Opened, account: Account) -> Shown:
    """List an account's keys: public ones whole, the others by their last characters."""
    found = await queries.keys(kassa.pool, account_id=account.account_id)
    heads = ("key", "kind", "text", "created", "state")
    return printing.rows(heads, (_row(each) for each in found), found, empty="The account has no keys.")


@command(app, "show", nothing, "kassa keys show", "kassa keys show --json")
async def show(_: None) -> Shown:
    """Show the demo account's keys, all of them whole. Those of other accounts are shown once, when they are made."""
    keys = demo.kept(config.load(os.environ).home_path())
    if keys is None:
        raise NotFound("This home has no demo account: kassa serve --demo makes one.")
    return printing.fact_list(((word, getattr(keys, word)) for word in keys.__struct_fields__), keys)


@command(app, "roll", opened, "kassa keys roll api_key", "kassa keys roll private_key_live --account coma_…")
async def roll(
    kassa: Opened,
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.")],
    *,
    account_id: AccountOption = None,
) -> Shown:
    """Make a new key and print it, this once; the old one works on until it is revoked or two newer ones exist."""
    if kind not in KINDS:
        raise Invalid({"KIND": f"This value should be one of {', '.join(KINDS)}."})
    account = await choosing.chosen(kassa.pool, account_id)
    key_kind, test_mode = KINDS[kind]
    rolled = await operations.roll_key(
        kassa.pool,
        kassa.root,
        kassa.clock,
        account_id=account.account_id,
        kind=key_kind,
        test_mode=test_mode,
        by=operator(),
    )
    return printing.fact_list(
        [("key", rolled.key_id), (kind, rolled.text)], {"key_id": rolled.key_id, kind: rolled.text}
    )


@account_command(app, "revoke", "kassa keys revoke key_…")
async def revoke(
    kassa: Opened,
    account: Account,
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, key_…, from kassa keys list.")],
) -> Shown:
    """Refuse a key from now on."""
    await operations.revoke_key(kassa.pool, kassa.clock, account_id=account.account_id, key_id=key_id, by=operator())
    return printing.line(f"{key_id} is revoked.", {"key_id": key_id, "state": "revoked"})


def _row(key: AccountKey) -> tuple[str, ...]:
    word = next(word for word, meaning in KINDS.items() if meaning == (key.kind, key.test_mode))
    state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "works"
    return (key.key_id, word, key.value or key.hint, f"{key.created_at:%Y-%m-%d %H:%M}", state)
