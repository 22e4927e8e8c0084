"""``kassa trigger``: makes happen to a test invoice what a payer, a bank or time would do."""

import asyncio
from typing import Annotated, Final

import typer

from kassa.cli import finding, printing
from kassa.cli.commands import AccountOption
from kassa.cli.events import EVENTS
from kassa.cli.finding import InvoiceName
from kassa.cli.opened import opened_platform
from kassa.db.queries import test_offset
from kassa.errors import Invalid, NotFound
from kassa.invoices import document
from kassa.invoices.model import OPEN
from kassa.invoices.queries import View
from kassa.payments.model import FAILED

_NAMES: Final = ", ".join(EVENTS)


def trigger(
    event: Annotated[
        str, typer.Argument(metavar="EVENT", help=f"One of {_NAMES}.", autocompletion=lambda: list(EVENTS))
    ],
    name: InvoiceName,
    *,
    account_id: AccountOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the invoice as JSON.")] = False,
) -> None:
    """Make something happen to a test invoice, by the roads that payers, banks and time take, and wait for it.

    paid, declined and pending enter a test card, or answer the bank's page; expired moves test mode's clock; chargeback
    is the bank's; callback sends the last one again.
    """
    happen = EVENTS.get(event)
    if happen is None:
        raise Invalid({"EVENT": f"This value should be one of {_NAMES}."})

    async def run() -> None:
        async with opened_platform() as platform:
            account, view = await finding.find(platform, name, account_id)
            if not view.invoice.test_mode:
                raise Invalid({"INVOICE": "This is a live invoice, and live money is nothing to play with."})
            if platform.settings.bank_url is None:
                raise NotFound("There is no test bank here: kassa serve --demo runs one.")
            after = await happen(platform, account, view)
            if as_json:
                printing.document(document.private(platform, account, after))
            else:
                typer.echo(_words(after))
            if event == "expired":
                ahead = await test_offset(platform.pool)
                typer.echo(
                    f"Test mode's clock is {ahead} ahead now, for all test invoices: kassa clock reset puts it back.",
                    err=True,
                )

    asyncio.run(run())


def _words(view: View) -> str:
    invoice, payment = view.invoice, view.payment
    text = f"{invoice.invoice_id} is {invoice.status}, {invoice.resolution}."
    if payment is not None and payment.status in FAILED and invoice.status in OPEN:
        return f"{text} Attempt {payment.number} was declined: {payment.resolution}."
    return text
