"""``kassa invoices``: looking at invoices, making one, sending its money back."""

import secrets
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from kassa import ids, money
from kassa.accounts.model import Account
from kassa.cli import browser, choosing, finding, printing, timeline
from kassa.cli.commands import AccountOption, LiveOption, LiveOrBoth, command, group
from kassa.cli.finding import InvoiceName
from kassa.cli.opened import opened_platform
from kassa.cli.printing import Shown
from kassa.errors import Invalid
from kassa.invoices.creating.refund_request import RefundRequest
from kassa.invoices.creating.request import CreateInvoice
from kassa.invoices.creating.terms import draft
from kassa.invoices.document import building as document
from kassa.invoices.listing import reading
from kassa.invoices.listing.model import SIZE_DEFAULT, SIZE_MAX, Filters, Page
from kassa.invoices.operations import create as creation
from kassa.invoices.operations import refund as returns
from kassa.invoices.operations.refund import send
from kassa.invoices.rules.invoice import OPEN, Status
from kassa.invoices.rules.snapshot import CallbackLog, Snapshot
from kassa.invoices.tables import events
from kassa.jsonapi import fields
from kassa.platform import Platform

app = group("Look at invoices, make one, refund one.")

_OK: Final = "ok"
SOURCE: Final = "merchant_dashboard"


@command(app, "list", opened_platform, "kassa invoices list", "kassa invoices list --status processed --live")
async def list_invoices(
    platform: Platform,
    *,
    account_id: AccountOption = None,
    live: LiveOrBoth = None,
    status: Annotated[Status | None, typer.Option(metavar="STATUS", help="Only those of this status.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=SIZE_MAX, help="How many.")] = SIZE_DEFAULT,
) -> Shown:
    """List an account's invoices, newest first."""
    account = await choosing.chosen(platform.pool, account_id)
    filters = Filters(status=status, test_mode=None if live is None else not live)
    found = await reading.read(platform, filters, Page(size=limit), account_id=account.account_id)
    return printing.rows(
        ("invoice", "reference", "amount", "status", "mode", "created"),
        (_row(view) for view in found.views),
        [document.private(platform, account, view).data for view in found.views],
        empty="There are no such invoices."
        if status
        else "There are no invoices yet: kassa invoices create makes one.",
    )


@command(app, "show", opened_platform, "kassa invoices show order-1", "kassa invoices show cpi_… --json")
async def show(platform: Platform, name: InvoiceName, *, account_id: AccountOption = None) -> Shown:
    """Show an invoice: what was asked for, what was paid, what went back, its callbacks, and its timeline."""
    account, view = await finding.find(platform, name, account_id)
    happened = await events.of_invoice(platform.pool, view.invoice.invoice_id, account_id=account.account_id)
    facts = _facts(platform, account, view)
    return timeline.shown(facts, document.private(platform, account, view), happened)


@command(
    app,
    "create",
    opened_platform,
    "kassa invoices create 12.50 USD --open",
    "kassa invoices create 12.50 EUR --reference order-1 --description 'Two coffees'",
    "kassa invoices create 12.50 USD --service qiwi_usd_hpp --field phone=79161234567",
)
async def create(
    platform: Platform,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Such as 12.50.")],
    currency: Annotated[str, typer.Argument(metavar="CURRENCY", help="Such as USD.")],
    *,
    service: Annotated[
        str | None, typer.Option(metavar="CODE", help="kassa services list; else cards.", show_default=False)
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Your own name for it; else a new one.", show_default=False)
    ] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="Shown to the payer.")] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What the service asks of its payer, such as phone; repeatable."),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the payment page in a browser.")] = False,
    account_id: AccountOption = None,
    live: LiveOption = None,
) -> Shown:
    """Make an invoice and print the address where it is paid."""
    account = await choosing.chosen(platform.pool, account_id)
    members: dict[str, Any] = {
        "reference_id": reference or f"order-{secrets.token_hex(4)}",
        "service": service or f"payment_card_{currency.lower()}_hpp",
        "currency": currency.upper(),
        "amount": amount,
        "description": description,
        "service_fields": _pairs(field or []),
        "test_mode": choosing.in_test_mode(account, live=live),
    }
    errors: dict[str, str] = {}
    asked = fields.read(CreateInvoice, members, errors)
    invoice, customer = await draft(platform, account, asked, errors, source=SOURCE)
    view, created = await creation.create(platform, account, invoice, customer, client_ip="")
    if not created:
        raise Invalid({"--reference": f"{view.invoice.invoice_id} has this reference_id already."})
    if open_it:
        browser.visit(finding.pay_url(platform, account, view))
    return printing.fact_list(_facts(platform, account, view), document.private(platform, account, view))


@command(app, "refund", opened_platform, "kassa invoices refund order-1", "kassa invoices refund cpi_… --amount 5")
async def refund(
    platform: Platform,
    name: InvoiceName,
    *,
    amount: Annotated[str | None, typer.Option(help="In the invoice's currency; else all that is left.")] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Your own name for the refund; else a new one.")
    ] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept with the refund.")] = None,
    account_id: AccountOption = None,
) -> Shown:
    """Send an invoice's money back to the payer, all of it or a part."""
    account, view = await finding.find(platform, name, account_id)
    errors: dict[str, str] = {}
    members = {
        "reference_id": reference or f"refund-{secrets.token_hex(4)}",
        "amount": amount,
        "description": description,
    }
    asked = fields.read(RefundRequest, members, errors)
    if errors:
        raise Invalid(errors)
    refund_id = ids.new_id("ref", account.tag)
    begun, created = await returns.request(platform, account, view, asked, refund_id=refund_id)
    if not created:
        raise Invalid({"--reference": f"The refund {begun.refund_id} has this reference_id already."})
    after = await send(platform, begun)
    return printing.fact_list(_facts(platform, account, after), document.private(platform, account, after))


def _pairs(words: list[str]) -> dict[str, str]:
    wrong = {word: "This should be NAME=VALUE." for word in words if "=" not in word}
    if wrong:
        raise Invalid(wrong)
    return dict(word.split("=", 1) for word in words)


def _row(view: Snapshot) -> tuple[str, ...]:
    invoice = view.invoice
    return (
        invoice.invoice_id,
        choosing.printable(invoice.reference_id),
        _amount(invoice.amount, invoice.currency),
        invoice.status if invoice.resolution == _OK else f"{invoice.status}: {invoice.resolution}",
        _mode(view),
        f"{invoice.created_at:%m-%d %H:%M}",
    )


def _facts(platform: Platform, account: Account, view: Snapshot) -> list[tuple[str, str]]:
    invoice = view.invoice
    listed = [
        ("invoice", invoice.invoice_id),
        ("reference_id", choosing.printable(invoice.reference_id)),
        ("mode", _mode(view)),
        ("status", invoice.status),
        ("resolution", invoice.resolution),
        ("amount", _amount(invoice.amount, invoice.currency)),
        ("service", invoice.service),
        ("created", _moment(invoice.created_at)),
        ("expires", _moment(invoice.expires_at)),
    ]
    if invoice.processed_amount:
        listed.append(("taken", _amount(invoice.processed_amount, invoice.currency)))
    listed += [
        ("refund", f"{refund.refund_id}  {_amount(refund.amount, refund.currency)}  {refund.status}")
        for refund in view.refunds
    ]
    listed += [("callback", f"{log.transaction_status}  {log.status}  {_answer(log)}") for log in view.callbacks]
    payable = [("pay at", finding.pay_url(platform, account, view))] if invoice.status in OPEN else []
    return [*payable, *listed]


def _answer(log: CallbackLog) -> str:
    return f"answered {log.response_code}" if log.response_code else "not answered yet"


def _mode(view: Snapshot) -> str:
    return "test" if view.invoice.test_mode else "live"


def _amount(minor: int, currency: str) -> str:
    return f"{money.to_fixed(minor, currency)} {currency}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
