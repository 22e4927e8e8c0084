"""Finding the invoice that a command is about: by its id, or by the merchant's own name for it."""

from typing import Annotated, Final

import typer

from kassa import ids
from kassa.accounts.model import Account
from kassa.cli import choosing
from kassa.errors import NotFound
from kassa.invoices.document import building as document
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import snapshots as queries
from kassa.platform import Platform

InvoiceName = Annotated[
    str, typer.Argument(metavar="INVOICE", help="The invoice's id, cpi_…, or its reference_id, the newest of it.")
]

_PREFIX: Final = "cpi_"


async def find(platform: Platform, name: str, account_id: str | None) -> tuple[Account, Snapshot]:
    """Return an invoice and whose it is. An id names its account, a reference_id is one of the chosen account's.

    Raises ``NotFound``.
    """
    if ids.tag_of(name, "cpi") is not None:
        account = await choosing.owner(platform.pool, name, "cpi", "invoice")
        view = await queries.by_id(platform.pool, name, account_id=account.account_id)
        if view is not None and account_id in (None, account.account_id):
            return account, view
    if name.startswith(_PREFIX):
        raise NotFound(f"There is no invoice {choosing.printable(name)}: kassa invoices list shows the last ones.")
    account = await choosing.chosen(platform.pool, account_id)
    found = await queries.by_reference_any_mode(platform.pool, name, account_id=account.account_id)
    if not found:
        raise NotFound(
            f"There is no invoice with the reference_id {choosing.printable(name)}:"
            " kassa invoices list shows the last ones."
        )
    return account, found[0]


def pay_url(platform: Platform, account: Account, view: Snapshot) -> str:
    """Return the address of the page on which the payer pays the invoice, and later sees what became of it."""
    attributes = document.private(platform, account, view).data.attributes
    form = attributes.flow_data
    return form.action if form is not None and form.method == "GET" else attributes.hpp_url
