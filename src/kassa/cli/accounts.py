"""``kassa accounts``: merchants' accounts, their options, keys and services."""

import asyncio
import base64
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kassa.accounts import operations, options, queries
from kassa.accounts.keys import KINDS
from kassa.accounts.model import Account, AccountKey
from kassa.catalogue.operations import load_builtin
from kassa.cli import printing
from kassa.cli.opened import guard, opened
from kassa.cli.providers import providers
from kassa.cli.services import services
from kassa.errors import AddressRefused, Invalid, NotFound

app = typer.Typer(no_args_is_help=True, help="Merchants' accounts: options, keys and services.")

AccountId = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id, coma_….")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class KeysAction(StrEnum):
    """What to do with keys."""

    LIST = "list"
    ROLL = "roll"
    REVOKE = "revoke"


app.command()(services)
app.command()(providers)


@app.command()
def create(
    *,
    name: Annotated[str, typer.Option(help="What payers see.")] = "Shop",
    currency: Annotated[str, typer.Option(help="The settlement currency.")] = "EUR",
    description: Annotated[str, typer.Option(help="For the merchant's own eyes.")] = "",
    website: Annotated[str | None, typer.Option(help="The merchant's site.")] = None,
    service: Annotated[list[str] | None, typer.Option(metavar="CODE", help="Switch a service on; repeatable.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", metavar="OPTION=VALUE", help="Set an option; repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an account and print its keys, this once."""
    texts = _pairs(option or [])

    async def run() -> None:
        async with opened(creates=True) as kassa:
            await load_builtin(kassa.pool)
            made = await operations.create(
                kassa.pool,
                kassa.root,
                kassa.clock,
                name=name,
                currency=currency.upper(),
                description=description,
                website=website,
                set_options=texts,
                services=service or [],
            )
        if as_json:
            printing.document(made.keys)
            return
        printing.facts((word, getattr(made.keys, word)) for word in made.keys.__struct_fields__)
        typer.echo("Keep the API key and the private keys: they are not shown again.")

    asyncio.run(run())


@app.command("list")
def list_accounts(as_json: Json = False) -> None:
    """List all accounts."""

    async def run() -> None:
        async with opened() as kassa:
            found = await queries.accounts(kassa.pool)
        if as_json:
            printing.document(found)
            return
        printing.columns(
            ("account", "name", "created", "state"),
            (
                (
                    each.account_id,
                    each.name,
                    f"{each.created_at:%Y-%m-%d %H:%M}",
                    "archived" if each.archived_at else "open",
                )
                for each in found
            ),
        )

    asyncio.run(run())


@app.command()
def show(account_id: AccountId, as_json: Json = False) -> None:
    """Show an account with its options."""

    async def run() -> None:
        async with opened() as kassa:
            account = await queries.account(kassa.pool, account_id=account_id)
        _print_account(_found(account), as_json=as_json)

    asyncio.run(run())


@app.command("set")
def set_options(
    account_id: AccountId,
    pairs: Annotated[list[str], typer.Argument(metavar="OPTION=VALUE", help=f"Options: {', '.join(options.OPTIONS)}.")],
    as_json: Json = False,
) -> None:
    """Set options, all or none; an empty value takes an address away. It takes effect within a second."""
    texts = _pairs(pairs)

    async def run() -> None:
        async with opened() as kassa:
            account = await operations.set_options(kassa.pool, account_id, texts)
        _print_account(account, as_json=as_json)

    asyncio.run(run())


@app.command()
def archive(account_id: AccountId) -> None:
    """Close an account: its keys are refused from now on."""

    async def run() -> None:
        async with opened() as kassa:
            await operations.archive(kassa.pool, kassa.clock, account_id)
        typer.echo(f"{account_id} is archived.")

    asyncio.run(run())


@app.command()
def keys(
    account_id: AccountId,
    action: Annotated[KeysAction, typer.Argument(metavar="list|roll|revoke")],
    which: Annotated[
        str | None, typer.Argument(metavar="KIND|KEY", help=f"To roll: {', '.join(KINDS)}. To revoke: key_….")
    ] = None,
    as_json: Json = False,
) -> None:
    """List keys, roll one (the old works on until it is revoked or two newer ones exist), or revoke one."""
    match action:
        case KeysAction.LIST:
            asyncio.run(_list_keys(account_id, as_json=as_json))
        case KeysAction.ROLL:
            asyncio.run(_roll_key(account_id, which, as_json=as_json))
        case KeysAction.REVOKE:
            asyncio.run(_revoke_key(account_id, which))


async def _list_keys(account_id: str, *, as_json: bool) -> None:
    async with opened() as kassa:
        _found(await queries.account(kassa.pool, account_id=account_id))
        found = await queries.keys(kassa.pool, account_id=account_id)
    if as_json:
        printing.document(found)
        return
    printing.columns(("key", "kind", "text", "created", "state"), (_key_row(each) for each in found))


async def _roll_key(account_id: str, which: str | None, *, as_json: bool) -> None:
    if which is None or which not in KINDS:
        raise Invalid({"KIND": f"This value should be one of {', '.join(KINDS)}."})
    kind, test_mode = KINDS[which]
    async with opened() as kassa:
        rolled = await operations.roll_key(
            kassa.pool, kassa.root, kassa.clock, account_id=account_id, kind=kind, test_mode=test_mode
        )
    if as_json:
        printing.document({"key_id": rolled.key_id, which: rolled.text})
        return
    printing.facts([("key", rolled.key_id), (which, rolled.text)])


async def _revoke_key(account_id: str, which: str | None) -> None:
    if which is None:
        raise Invalid({"KEY": "This value should be the id of a key, from the list of keys."})
    async with opened() as kassa:
        await operations.revoke_key(kassa.pool, kassa.clock, account_id=account_id, key_id=which)
    typer.echo(f"{which} is revoked.")


def _print_account(account: Account, *, as_json: bool) -> None:
    if as_json:
        printing.document(account)
        return
    printing.facts((name, printing.text(getattr(account, name))) for name in account.__struct_fields__)


def _key_row(key: AccountKey) -> tuple[str, ...]:
    word = next(word for word, meaning in KINDS.items() if meaning == (key.kind, key.test_mode))
    state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "works"
    return (key.key_id, word, key.value or key.hint, f"{key.created_at:%Y-%m-%d %H:%M}", state)


def _pairs(words: list[str]) -> dict[str, str]:
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


def _found(account: Account | None) -> Account:
    if account is None:
        raise NotFound("There is no such account.")
    return account
