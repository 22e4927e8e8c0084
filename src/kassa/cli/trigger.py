"""``kassa trigger``: makes happen to a test invoice what a payer, a bank or time would do."""

from typing import Annotated, Final

import typer

from kassa.cli import finding
from kassa.cli.commands import AccountOption, alone, command
from kassa.cli.events import EVENTS
from kassa.cli.finding import InvoiceName
from kassa.cli.opened import opened_platform
from kassa.cli.printing import Shown
from kassa.db.queries import test_offset
from kassa.errors import Invalid, NotFound
from kassa.invoices.document import building as document
from kassa.invoices.rules.attempt import FAILED
from kassa.invoices.rules.invoice import OPEN
from kassa.invoices.rules.snapshot import Snapshot
from kassa.platform import Platform

app = alone()

_NAMES: Final = ", ".join(EVENTS)


@command(
    app,
    "trigger",
    opened_platform,
    "kassa trigger paid order-1",
    "kassa trigger declined cpi_…",
    "kassa trigger chargeback order-1",
)
async def trigger(
    platform: Platform,
    event: Annotated[
        str, typer.Argument(metavar="EVENT", help=f"One of {_NAMES}.", autocompletion=lambda: list(EVENTS))
    ],
    name: InvoiceName,
    *,
    account_id: AccountOption = None,
) -> Shown:
    """Make something happen to a test invoice, by the roads that payers, banks and time take, and wait for it.

    paid, declined and pending enter a test card, or answer the bank's page; expired moves test mode's clock; chargeback
    is the bank's; callback sends the last one again.
    """
    happen = EVENTS.get(event)
    if happen is None:
        raise Invalid({"EVENT": f"This value should be one of {_NAMES}."})
    account, view = await finding.find(platform, name, account_id)
    if not view.invoice.test_mode:
        raise Invalid({"INVOICE": "This is a live invoice, and live money is nothing to play with."})
    if platform.settings.bank_url is None:
        raise NotFound("There is no test bank here: kassa serve --demo runs one.")
    after = await happen(platform, account, view)
    notes = []
    if event == "expired":
        ahead = await test_offset(platform.pool)
        notes.append(f"Test mode's clock is {ahead} ahead now, for all test invoices: kassa clock reset puts it back.")
    words = _words(after)
    return Shown(document=document.private(platform, account, after), words=lambda: typer.echo(words), notes=notes)


def _words(view: Snapshot) -> str:
    invoice, payment = view.invoice, view.payment
    text = f"{invoice.invoice_id} is {invoice.status}, {invoice.resolution}."
    if payment is not None and payment.status in FAILED and invoice.status in OPEN:
        return f"{text} Attempt {payment.attempt_number} was declined: {payment.resolution}."
    return text
