"""``kassa accounts``: merchants' accounts and their options."""

import base64
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from kassa.accounts import operations, options, queries
from kassa.accounts.model import Account
from kassa.audit import queries as audit
from kassa.audit.model import AccountEvent
from kassa.catalogue.operations import load_builtin
from kassa.cli import choosing, printing
from kassa.cli.commands import AccountOption, command, group
from kassa.cli.opened import Opened, guard, opened
from kassa.cli.operator import operator
from kassa.cli.printing import Shown
from kassa.errors import AddressRefused, Invalid

app = group("Merchants' accounts and their options.")

AccountArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[ACCOUNT]",
        help="The account, coma_…; else the demo account, or the only one there is.",
        envvar="KASSA_ACCOUNT",
        show_default=False,
    ),
]
Pairs = Annotated[list[str], typer.Argument(metavar="OPTION=VALUE", help=f"Options: {', '.join(options.OPTIONS)}.")]


@command(
    app,
    "create",
    partial(opened, creates=True),
    "kassa accounts create --name 'Coffee Example' --website coffee.example --service payment_card_usd_hpp",
    "kassa accounts create --currency USD --set callback_url=https://coffee.example/callbacks",
)
async def create(
    kassa: Opened,
    *,
    name: Annotated[str, typer.Option(help="What payers see.")] = "Shop",
    currency: Annotated[str, typer.Option(help="The settlement currency.")] = "EUR",
    description: Annotated[str, typer.Option(help="For the merchant's own eyes.")] = "",
    website: Annotated[str | None, typer.Option(help="The merchant's site; https:// unless it says otherwise.")] = None,
    service: Annotated[list[str] | None, typer.Option(metavar="CODE", help="Switch a service on; repeatable.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", metavar="OPTION=VALUE", help="Set an option; repeatable.")
    ] = None,
) -> Shown:
    """Make an account and print its keys, this once."""
    texts = _pairs(option or [])
    await load_builtin(kassa.pool)
    made = await operations.create(
        kassa.pool,
        kassa.root,
        kassa.clock,
        name=name,
        currency=currency.upper(),
        description=description,
        website=f"https://{website}" if website and "://" not in website else website,
        set_options=texts,
        services=service or [],
        by=operator(),
    )
    return printing.fact_list(
        ((word, getattr(made.keys, word)) for word in made.keys.__struct_fields__),
        made.keys,
        after="Keep the API key and the private keys: they are not shown again.",
    )


@command(app, "list", opened)
async def list_accounts(kassa: Opened) -> Shown:
    """List all accounts."""
    found = await queries.accounts(kassa.pool)
    lines = (
        (
            each.account_id,
            each.name,
            f"{each.created_at:%Y-%m-%d %H:%M}",
            "archived" if each.archived_at else "open",
        )
        for each in found
    )
    empty = "There is no account yet: kassa accounts create makes one."
    return printing.rows(("account", "name", "created", "state"), lines, found, empty=empty)


@command(app, "show", opened, "kassa accounts show", "kassa accounts show coma_… --json")
async def show(kassa: Opened, account_id: AccountArgument = None) -> Shown:
    """Show an account with its options."""
    return _shown(await choosing.chosen(kassa.pool, account_id))


@command(app, "history", opened, "kassa accounts history", "kassa accounts history coma_… --limit 200 --json")
async def history(
    kassa: Opened,
    account_id: AccountArgument = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the last changes.")] = 50,
) -> Shown:
    """Show who changed an account's options, keys, services, provider accounts and rules: from what, to what, when."""
    account = await choosing.chosen(kassa.pool, account_id)
    found = await audit.events(kassa.pool, account_id=account.account_id, limit=limit)
    heads = ("when", "by", "what", "subject", "change")
    return printing.rows(heads, (_row(each) for each in found), found, empty="Nothing of the account has changed yet.")


@command(
    app,
    "set",
    opened,
    "kassa accounts set callback_url=https://coffee.example/callbacks attempts=3",
    "kassa accounts set --account coma_… return_url=",
)
async def set_options(kassa: Opened, pairs: Pairs, *, account_id: AccountOption = None) -> Shown:
    """Set options, all or none; an empty value takes an address away. It takes effect within a second."""
    texts = _pairs(pairs)
    account = await choosing.chosen(kassa.pool, account_id)
    return _shown(await operations.set_options(kassa.pool, kassa.clock, account.account_id, texts, by=operator()))


@command(app, "archive", opened)
async def archive(
    kassa: Opened, account_id: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account, coma_….")]
) -> Shown:
    """Close an account: its keys are refused from now on."""
    await choosing.named(kassa.pool, account_id)
    await operations.archive(kassa.pool, kassa.clock, account_id, by=operator())
    return printing.line(f"{account_id} is archived.", {"account_id": account_id, "state": "archived"})


def _shown(account: Account) -> Shown:
    return printing.fact_list(
        ((name, printing.text(getattr(account, name))) for name in account.__struct_fields__), account
    )


def _row(event: AccountEvent) -> tuple[str, ...]:
    cells = (event.changed_by, event.kind, event.subject_id, _change(event))
    return (f"{event.changed_at:%Y-%m-%d %H:%M:%S}", *(choosing.printable(each) for each in cells))


def _change(event: AccountEvent) -> str:
    """Return what changed, member by member: from what to what, or what was made or removed."""
    before, after = event.before, event.after
    if before is None or after is None:
        members = before or after or {}
        return "; ".join(f"{name}: {_value(value)}" for name, value in members.items())
    return "; ".join(f"{name}: {_value(before.get(name))} → {_value(value)}" for name, value in after.items())


def _value(value: Any) -> str:
    return printing.text(value) or "none"


def _pairs(words: Iterable[str]) -> dict[str, str]:
    """Return options by name. Raises ``Invalid`` for other words, and for an address that no callback is sent to."""
    wrong = {word: "This should be OPTION=VALUE." for word in words if "=" not in word}
    if wrong:
        raise Invalid(wrong)
    texts = dict(word.split("=", 1) for word in words)
    if texts.get("logo", "").startswith("@"):
        texts["logo"] = _file(texts["logo"].removeprefix("@"))
    if url := texts.get("callback_url", "").strip():
        try:
            guard().check_url(url)
        except AddressRefused as error:
            raise Invalid({"callback_url": error.detail}) from None
    return texts


def _file(name: str) -> str:
    """Return a file in base64, as the option ``logo`` takes it. Raises ``Invalid`` where it cannot be read."""
    try:
        return base64.b64encode(Path(name).read_bytes()).decode()
    except OSError as error:
        raise Invalid({"logo": f"{name}: {error.strerror}."}) from None
