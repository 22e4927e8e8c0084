"""``kassa accounts providers``: a merchant's accounts at providers, and what services they stand behind."""

import asyncio
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from kassa.accounts import queries as accounts
from kassa.accounts.model import ListedProviderAccount
from kassa.accounts.providers import operations, queries
from kassa.cli import printing
from kassa.cli.opened import opened
from kassa.errors import Invalid, NotFound
from kassa.providers.protocol import Value
from kassa.providers.registry import installed


class Action(StrEnum):
    """What to do with provider accounts."""

    LIST = "list"
    ADD = "add"
    REMOVE = "remove"


class _Wanted(Value, frozen=True, kw_only=True):
    """The provider account that is to be added."""

    provider: str
    merchant_id: str
    live: bool
    secrets: dict[str, str]
    codes: list[str]

    def __repr__(self) -> str:
        return f"_Wanted({self.provider}, …)"


def providers(
    account_id: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id, coma_….")],
    action: Annotated[Action, typer.Argument(metavar="list|add|remove")],
    which: Annotated[str | None, typer.Argument(metavar="ID", help="remove: the provider account, ma_….")] = None,
    *,
    provider: Annotated[str | None, typer.Option(metavar="CODE", help="add: the provider, by its code.")] = None,
    merchant_id: Annotated[str | None, typer.Option(help="add: how the provider knows the merchant.")] = None,
    live: Annotated[bool, typer.Option("--live", help="add: for live mode; else it is for test mode.")] = False,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="add: a secret that the provider wants; repeatable. Its text is read from standard input, a line for"
            " each in their order, or asked for on a terminal.",
        ),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="add: a service to stand behind; repeatable; else all that there are."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the account's accounts at providers, put one behind its services, or let one take nothing new.

    Added once more, a provider account gets new secrets, and services that the account has got since. Where several
    stand behind a service in a mode, the first that came takes its payments.
    """
    given = {"provider": provider, "merchant_id": merchant_id, "live": live, "secret": secret, "service": service}
    if action is not Action.ADD and any(given.values()):
        wrong = [name for name, value in given.items() if value]
        raise Invalid(dict.fromkeys(wrong, f"This belongs to add, not to {action}."))
    match action:
        case Action.LIST:
            asyncio.run(_list(account_id, as_json=as_json))
        case Action.ADD:
            if provider not in installed():
                raise Invalid({"provider": f"This value should be one that is installed: {', '.join(installed())}."})
            if merchant_id is None:
                raise Invalid({"merchant_id": "This value should not be blank."})
            wanted = _Wanted(
                provider=provider,
                merchant_id=merchant_id,
                live=live,
                secrets=_secrets(secret or []),
                codes=service or [],
            )
            asyncio.run(_add(account_id, wanted, as_json=as_json))
        case Action.REMOVE:
            asyncio.run(_remove(account_id, which))


async def _list(account_id: str, *, as_json: bool) -> None:
    async with opened() as kassa:
        if await accounts.account(kassa.pool, account_id=account_id) is None:
            raise NotFound("There is no such account.")
        found = await queries.listed(kassa.pool, account_id=account_id)
    _print(found, as_json=as_json)


async def _add(account_id: str, wanted: _Wanted, *, as_json: bool) -> None:
    async with opened() as kassa:
        found = await operations.add(
            kassa.pool,
            kassa.root,
            kassa.clock,
            account_id,
            provider=wanted.provider,
            merchant_id=wanted.merchant_id,
            test_mode=not wanted.live,
            secrets=wanted.secrets,
            codes=wanted.codes,
        )
    _print([found], as_json=as_json)


async def _remove(account_id: str, which: str | None) -> None:
    if which is None:
        raise Invalid({"ID": "This value should be the id of a provider account, from the list of them."})
    async with opened() as kassa:
        await operations.remove(kassa.pool, kassa.clock, account_id, which)
    typer.echo(f"{which} takes no new payments.")


def _secrets(names: Sequence[str]) -> dict[str, str]:
    """Return secrets by name, read where neither the list of processes nor the shell's history shows them."""
    if sys.stdin.isatty():
        return {name: typer.prompt(name, hide_input=True, err=True) for name in names}
    return {name: sys.stdin.readline().rstrip("\r\n") for name in names}


def _print(found: Sequence[ListedProviderAccount], *, as_json: bool) -> None:
    if as_json:
        printing.document(found)
        return
    printing.columns(
        ("provider account", "provider", "mode", "merchant id", "services", "state"),
        (
            (
                each.provider_account_id,
                each.provider,
                "test" if each.test_mode else "live",
                each.merchant_id,
                str(len(each.services)),
                _state(each),
            )
            for each in found
        ),
    )


def _state(each: ListedProviderAccount) -> str:
    if each.archived_at:
        return f"removed {each.archived_at:%Y-%m-%d %H:%M}"
    return "works" if each.provider in installed() else "its provider is not installed"
