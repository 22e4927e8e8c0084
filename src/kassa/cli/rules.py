"""``kassa rules``: an account's rules that hold payments for review."""

from collections.abc import Sequence
from typing import Annotated

import typer

from kassa.accounts.model import Account
from kassa.cli import printing
from kassa.cli.commands import account_command, group
from kassa.cli.opened import Opened
from kassa.cli.operator import operator
from kassa.cli.printing import Shown
from kassa.moderation import operations, queries, terms
from kassa.moderation.model import Rule, words

app = group("Rules that hold payments for review.")


@account_command(app, "list", "kassa rules list")
async def list_rules(kassa: Opened, account: Account) -> Shown:
    """List an account's rules."""
    return _shown(await queries.rules(kassa.pool, account_id=account.account_id))


@account_command(
    app,
    "add",
    "kassa rules add amount --currency USD --at-least 500",
    "kassa rules add country --countries NG,PK",
    "kassa rules add velocity --by card --count successes --more-than 3 --minutes 60",
)
async def add(
    kassa: Opened,
    account: Account,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="amount, country or velocity.")],
    *,
    currency: Annotated[str | None, typer.Option(help="amount: of which payments.")] = None,
    at_least: Annotated[str | None, typer.Option(metavar="AMOUNT", help="amount: the least that is held.")] = None,
    countries: Annotated[str | None, typer.Option(metavar="CODES", help="country: such as US,GB.")] = None,
    by: Annotated[str | None, typer.Option(help="velocity: card, customer or client_ip.")] = None,
    count: Annotated[str | None, typer.Option(help="velocity: attempts or successes.")] = None,
    more_than: Annotated[str | None, typer.Option(metavar="NUMBER", help="velocity: so many pass.")] = None,
    minutes: Annotated[str | None, typer.Option(help="velocity: in how long.")] = None,
) -> Shown:
    """Add a rule. A payment that it catches is held until someone approves or rejects it: kassa moderation."""
    texts = {
        "currency": currency,
        "at_least": at_least,
        "countries": countries,
        "by": by,
        "count": count,
        "more_than": more_than,
        "minutes": minutes,
    }
    wanted = terms.read(kind, {name: text for name, text in texts.items() if text is not None})
    await operations.add_rule(
        kassa.pool, account.account_id, wanted, now=kassa.clock.now(test_mode=False), by=operator()
    )
    return _shown(await queries.rules(kassa.pool, account_id=account.account_id))


@account_command(app, "remove", "kassa rules remove rule_…")
async def remove(
    kassa: Opened,
    account: Account,
    rule_id: Annotated[str, typer.Argument(metavar="RULE", help="The rule's id, rule_….")],
) -> Shown:
    """Remove a rule; what it has held stays held."""
    await operations.remove_rule(
        kassa.pool, account.account_id, rule_id, now=kassa.clock.now(test_mode=False), by=operator()
    )
    return _shown(await queries.rules(kassa.pool, account_id=account.account_id))


def _shown(found: Sequence[Rule]) -> Shown:
    lines = ((each.rule_id, f"{each.terms.__struct_config__.tag}: {words(each.terms)}") for each in found)
    return printing.rows(("rule", "holds"), lines, found, empty="The account has no rules.")
