"""``kassa moderation``: an account's rules, what they hold, and the word on it."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial
from typing import Annotated, Final

import typer

from kassa import ids, money
from kassa.accounts import queries as accounts
from kassa.accounts.model import Account
from kassa.cli import printing
from kassa.cli.opened import Opened, opened, opened_platform
from kassa.db.pool import Pool
from kassa.errors import Invalid, NotFound
from kassa.invoices.decisions import operations as decisions
from kassa.invoices.queries import View
from kassa.moderation import operations, queries, terms
from kassa.moderation.model import Rule, Verdict, words
from kassa.moderation.queries import Waiting

app = typer.Typer(no_args_is_help=True, help="Rules that hold payments for a person, and the person's word.")

NOTE_LENGTH_MAX: Final = 2000

AccountId = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id, coma_….")]
InvoiceId = Annotated[str, typer.Argument(metavar="INVOICE", help="The invoice's id, cpi_….")]
Note = Annotated[str | None, typer.Option(help="Why; kept beside the decision.")]
By = Annotated[str | None, typer.Option(help="Who decides; by default the user who runs this.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Action(StrEnum):
    """What to do with rules."""

    LIST = "list"
    ADD = "add"
    REMOVE = "remove"


@app.command()
def rules(
    account_id: AccountId,
    action: Annotated[Action, typer.Argument(metavar="list|add|remove")],
    which: Annotated[
        str | None, typer.Argument(metavar="KIND|RULE", help="add: amount, country or velocity. remove: rule_….")
    ] = None,
    *,
    currency: Annotated[str | None, typer.Option(help="amount: of which payments.")] = None,
    at_least: Annotated[str | None, typer.Option(metavar="AMOUNT", help="amount: the least that is held.")] = None,
    countries: Annotated[str | None, typer.Option(metavar="CODES", help="country: such as US,GB.")] = None,
    by: Annotated[str | None, typer.Option(help="velocity: card, customer or client_ip.")] = None,
    count: Annotated[str | None, typer.Option(help="velocity: attempts or successes.")] = None,
    more_than: Annotated[str | None, typer.Option(metavar="NUMBER", help="velocity: so many pass.")] = None,
    minutes: Annotated[str | None, typer.Option(help="velocity: in how long.")] = None,
    as_json: Json = False,
) -> None:
    """List an account's rules, add one or remove one. A payment that a rule catches waits for a person."""
    texts = {
        "currency": currency,
        "at_least": at_least,
        "countries": countries,
        "by": by,
        "count": count,
        "more_than": more_than,
        "minutes": minutes,
    }
    given = {name: text for name, text in texts.items() if text is not None}
    if given and action is not Action.ADD:
        raise Invalid(dict.fromkeys(given, f"This belongs to add, not to {action}."))
    asyncio.run(_rules(account_id, action, which or "", given, as_json=as_json))


async def _rules(account_id: str, action: Action, which: str, given: dict[str, str], *, as_json: bool) -> None:
    async with opened() as kassa:
        if await accounts.account(kassa.pool, account_id=account_id) is None:
            raise NotFound("There is no such account.")
        if action is Action.ADD:
            wanted = terms.read(which, given)
            await operations.add_rule(kassa.pool, account_id, wanted, now=kassa.clock.now(test_mode=False))
        if action is Action.REMOVE:
            await operations.remove_rule(kassa.pool, account_id, which)
        found = await queries.rules(kassa.pool, account_id=account_id)
    if as_json:
        printing.document(found)
        return
    printing.columns(("rule", "holds"), ((each.rule_id, _told(each)) for each in found))


def _told(rule: Rule) -> str:
    return f"{rule.terms.__struct_config__.tag}: {words(rule.terms)}"


@app.command("list")
def list_waiting(
    account_id: Annotated[
        str | None, typer.Argument(metavar="ACCOUNT", help="One account's; all of them unless it is given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the invoices that wait for a person, oldest first: held ones, and refunds that have failed."""

    async def run() -> None:
        async with opened() as kassa:
            found = [
                each
                for account in await _accounts(kassa, account_id)
                for each in await queries.waiting(kassa.pool, account_id=account.account_id)
            ]
        if as_json:
            printing.document(found)
            return
        heads = ("invoice", "mode", "status", "resolution", "asked", "taken", "since", "reason")
        printing.columns(heads, (_row(each) for each in found))

    asyncio.run(run())


@app.command()
def history(invoice_id: InvoiceId, as_json: Json = False) -> None:
    """Show what was decided on an invoice, by whom, when and why."""

    async def run() -> None:
        async with opened() as kassa:
            account = await _owner(kassa.pool, invoice_id)
            found = await queries.decisions(kassa.pool, invoice_id, account_id=account.account_id)
        if as_json:
            printing.document(found)
            return
        rows = (
            (f"{each.decided_at:%Y-%m-%d %H:%M:%S}", each.verdict, each.decided_by, each.note or "") for each in found
        )
        printing.columns(("decided", "verdict", "by", "note"), rows)

    asyncio.run(run())


@app.command()
def approve(invoice_id: InvoiceId, note: Note = None, by: By = None) -> None:
    """Approve a held payment: the invoice is processed with what was taken."""
    asyncio.run(_decide(invoice_id, partial(decisions.decide, verdict=Verdict.APPROVED), note=note, by=by))


@app.command()
def reject(invoice_id: InvoiceId, note: Note = None, by: By = None) -> None:
    """Reject a held payment: the invoice has failed, and the money goes back to the payer."""
    asyncio.run(_decide(invoice_id, partial(decisions.decide, verdict=Verdict.REJECTED), note=note, by=by))


@app.command("return")
def send_back(invoice_id: InvoiceId, note: Note = None, by: By = None) -> None:
    """Ask once more for money to go back to the payer that the provider would not send back."""
    asyncio.run(_decide(invoice_id, decisions.send_back, note=note, by=by))


@app.command()
def settle(
    invoice_id: InvoiceId, note: Annotated[str, typer.Option(help="How it was put right.")], by: By = None
) -> None:
    """Take an invoice off the list: what went wrong was put right elsewhere.

    Books what went back otherwise than asked at what was really sent; no other money moves by it.
    """
    asyncio.run(_decide(invoice_id, decisions.settle, note=note, by=by))


async def _decide(
    invoice_id: str, deciding: Callable[..., Awaitable[View]], *, note: str | None, by: str | None
) -> None:
    if note is not None and (len(note) > NOTE_LENGTH_MAX or not note.isprintable()):
        raise Invalid({"note": f"This value should be one line of {NOTE_LENGTH_MAX} characters or less."})
    async with opened_platform() as platform:
        account = await _owner(platform.pool, invoice_id)
        name = f"operator {by or getpass.getuser()}"
        view = await deciding(platform, account, invoice_id, by=name, note=note)
    typer.echo(f"{invoice_id} is {view.invoice.status}.")


async def _accounts(kassa: Opened, account_id: str | None) -> list[Account]:
    if account_id is None:
        return await accounts.accounts(kassa.pool)
    account = await accounts.account(kassa.pool, account_id=account_id)
    if account is None:
        raise NotFound("There is no such account.")
    return [account]


async def _owner(pool: Pool, invoice_id: str) -> Account:
    """Return the account that an invoice's id tells of. Raises ``NotFound``."""
    tag = ids.tag_of(invoice_id, "cpi")
    account_id = await accounts.account_id_by_tag(pool, tag=tag) if tag else None
    account = await accounts.account(pool, account_id=account_id) if account_id else None
    if account is None:
        raise NotFound("There is no such invoice.")
    return account


def _row(each: Waiting) -> tuple[str, ...]:
    taken = ""
    if each.processed_amount is not None and each.processed_currency is not None:
        taken = _amount(each.processed_amount, each.processed_currency)
    reasons = [each.reason or ""] + [
        f"{_amount(wrong.amount, wrong.currency)} instead of {_amount(wrong.asked_amount, wrong.asked_currency)}"
        for wrong in each.sent_back
    ]
    return (
        *(each.invoice_id, "test" if each.test_mode else "live", each.status, each.resolution),
        *(_amount(each.payment_amount, each.currency), taken, f"{each.updated_at:%Y-%m-%d %H:%M}"),
        ", ".join(reasons),
    )


def _amount(minor: int, currency: str) -> str:
    return f"{money.to_fixed(minor, currency)} {currency}"
