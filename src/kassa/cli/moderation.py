"""``kassa moderation``: held payments, and what is decided on them."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Final

import typer

from kassa import money
from kassa.cli import choosing, printing
from kassa.cli.commands import OneOrAll, command, group
from kassa.cli.opened import Opened, opened, opened_platform
from kassa.cli.operator import operator
from kassa.cli.printing import Shown
from kassa.errors import Invalid
from kassa.invoices.operations import review as decisions
from kassa.invoices.rules.snapshot import Snapshot
from kassa.moderation import queries
from kassa.moderation.model import Verdict
from kassa.moderation.queries import Waiting
from kassa.platform import Platform

app = group("Review held payments: approve, reject.")

NOTE_LENGTH_MAX: Final = 2000

InvoiceId = Annotated[str, typer.Argument(metavar="INVOICE", help="The invoice's id, cpi_….")]
Note = Annotated[str | None, typer.Option(help="Why; kept beside the decision.")]
By = Annotated[
    str | None, typer.Option(help="Who decides; else KASSA_OPERATOR, else the user who runs this.", show_default=False)
]


@command(app, "list", opened, "kassa moderation list", "kassa moderation list --account coma_… --json")
async def list_waiting(kassa: Opened, *, account_id: OneOrAll = None) -> Shown:
    """List the invoices that wait for a decision, oldest first: held ones, and refunds that have failed."""
    found = [
        each
        for account in await choosing.one_or_all(kassa.pool, account_id)
        for each in await queries.waiting(kassa.pool, account_id=account.account_id)
    ]
    heads = ("invoice", "mode", "status", "resolution", "asked", "taken", "since", "reason")
    return printing.rows(heads, (_row(each) for each in found), found, empty="No invoice waits for a decision.")


@command(app, "history", opened, "kassa moderation history cpi_…")
async def history(kassa: Opened, invoice_id: InvoiceId) -> Shown:
    """Show what was decided on an invoice, by whom, when and why."""
    account = await choosing.owner(kassa.pool, invoice_id, "cpi", "invoice")
    found = await queries.decisions(kassa.pool, invoice_id, account_id=account.account_id)
    lines = ((f"{each.decided_at:%Y-%m-%d %H:%M:%S}", each.verdict, each.decided_by, each.note or "") for each in found)
    empty = f"Nothing was decided on {choosing.printable(invoice_id)}."
    return printing.rows(("decided", "verdict", "by", "note"), lines, found, empty=empty)


@command(app, "approve", opened_platform, 'kassa moderation approve cpi_… --note "known customer"')
async def approve(platform: Platform, invoice_id: InvoiceId, note: Note = None, by: By = None) -> Shown:
    """Approve a held payment: the invoice is processed with what was taken."""
    deciding = partial(decisions.decide, verdict=Verdict.APPROVED)
    return await _decided(platform, invoice_id, deciding, note=note, by=by)


@command(app, "reject", opened_platform, 'kassa moderation reject cpi_… --note "stolen card"')
async def reject(platform: Platform, invoice_id: InvoiceId, note: Note = None, by: By = None) -> Shown:
    """Reject a held payment: the invoice has failed, and the money goes back to the payer."""
    deciding = partial(decisions.decide, verdict=Verdict.REJECTED)
    return await _decided(platform, invoice_id, deciding, note=note, by=by)


@command(app, "return", opened_platform, "kassa moderation return cpi_…")
async def send_back(platform: Platform, invoice_id: InvoiceId, note: Note = None, by: By = None) -> Shown:
    """Ask the provider once more to send back to the payer what it would not send back."""
    return await _decided(platform, invoice_id, decisions.send_back, note=note, by=by)


@command(app, "settle", opened_platform, 'kassa moderation settle cpi_… --note "sent by wire"')
async def settle(
    platform: Platform,
    invoice_id: InvoiceId,
    *,
    note: Annotated[str, typer.Option(help="How it was put right.")],
    by: By = None,
) -> Shown:
    """Take an invoice off the list: what went wrong was put right elsewhere.

    Books what went back in another amount than was asked for at what was really sent; no other money moves by it.
    """
    return await _decided(platform, invoice_id, decisions.settle, note=note, by=by)


async def _decided(
    platform: Platform,
    invoice_id: str,
    deciding: Callable[..., Awaitable[Snapshot]],
    *,
    note: str | None,
    by: str | None,
) -> Shown:
    if note is not None and (len(note) > NOTE_LENGTH_MAX or not note.isprintable()):
        raise Invalid({"note": f"This value should be one line of {NOTE_LENGTH_MAX} characters or less."})
    who = operator(by)
    account = await choosing.owner(platform.pool, invoice_id, "cpi", "invoice")
    view = await deciding(platform, account, invoice_id, by=who, note=note)
    document = {"invoice_id": invoice_id, "status": view.invoice.status}
    return printing.line(f"{invoice_id} is {view.invoice.status}.", document)


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
