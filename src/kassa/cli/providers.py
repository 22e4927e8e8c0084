"""``kassa providers``: a merchant's accounts at providers, and what services they stand behind."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from kassa.accounts.model import Account, ListedProviderAccount
from kassa.accounts.providers import operations, queries
from kassa.cli import printing
from kassa.cli.commands import account_command, group
from kassa.cli.opened import Opened
from kassa.cli.operator import operator
from kassa.cli.printing import Shown
from kassa.errors import Invalid
from kassa.providers.registry import installed

app = group("An account's accounts at payment providers.")


@account_command(app, "list", "kassa providers list")
async def list_providers(kassa: Opened, account: Account) -> Shown:
    """List an account's accounts at providers."""
    return _shown(await queries.listed(kassa.pool, account_id=account.account_id))


@account_command(app, "add", "kassa providers add --provider CODE --merchant-id ID --live --secret NAME")
async def add(
    kassa: Opened,
    account: Account,
    *,
    provider: Annotated[str, typer.Option(metavar="CODE", help="The provider, by its code.")],
    merchant_id: Annotated[str, typer.Option(metavar="ID", help="How the provider knows the merchant.")],
    live: Annotated[bool, typer.Option("--live/--test", help="The mode that it takes payments of.")] = False,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A secret that the provider wants; repeatable. Its text is read from standard input, a line for each"
            " in their order, or asked for on a terminal.",
        ),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="A service to stand behind; repeatable; else all that there are."),
    ] = None,
) -> Shown:
    """Put an account at a provider behind an account's services.

    Added once more, it gets new secrets, and services that the account has got since. Where several stand behind a
    service in a mode, the first that came takes its payments.
    """
    if provider not in installed():
        raise Invalid({"provider": f"This value should be one that is installed: {', '.join(installed())}."})
    found = await operations.add(
        kassa.pool,
        kassa.root,
        kassa.clock,
        account.account_id,
        provider=provider,
        merchant_id=merchant_id,
        test_mode=not live,
        secrets=_secrets(secret or []),
        codes=service or [],
        by=operator(),
    )
    return _shown([found])


@account_command(app, "remove", "kassa providers remove ma_…")
async def remove(
    kassa: Opened,
    account: Account,
    provider_account_id: Annotated[str, typer.Argument(metavar="ID", help="The provider account, ma_….")],
) -> Shown:
    """Let a provider account take no new payments; those that it has taken go on."""
    await operations.remove(kassa.pool, kassa.clock, account.account_id, provider_account_id, by=operator())
    document = {"provider_account_id": provider_account_id, "state": "removed"}
    return printing.line(f"{provider_account_id} takes no new payments.", document)


def _secrets(names: Sequence[str]) -> dict[str, str]:
    """Return secrets by name, read where neither the list of processes nor the shell's history shows them."""
    if sys.stdin.isatty():
        return {name: typer.prompt(name, hide_input=True, err=True) for name in names}
    return {name: sys.stdin.readline().rstrip("\r\n") for name in names}


def _shown(found: Sequence[ListedProviderAccount]) -> Shown:
    lines = (
        (
            each.provider_account_id,
            each.provider,
            "test" if each.test_mode else "live",
            each.merchant_id,
            str(len(each.services)),
            _state(each),
        )
        for each in found
    )
    heads = ("provider account", "provider", "mode", "merchant id", "services", "state")
    return printing.rows(heads, lines, found, empty="The account has no account at a provider: kassa providers add.")


def _state(each: ListedProviderAccount) -> str:
    if each.archived_at:
        return f"removed {each.archived_at:%Y-%m-%d %H:%M}"
    return "works" if each.provider in installed() else "its provider is not installed"
