"""``kassa open``: the pages of the Kassa that runs on this home, in a browser."""

import os
from typing import Annotated

import typer

from kassa import config
from kassa.cli import browser, finding
from kassa.cli.commands import AccountOption, alone, command, nothing
from kassa.cli.opened import opened_platform, where_it_runs
from kassa.cli.printing import Shown
from kassa.db.home import announced
from kassa.errors import NotFound

app = alone()


@command(app, "open", nothing, "kassa open shop", "kassa open order-1", "kassa open docs --print")
async def open_page(
    _: None,
    page: Annotated[
        str, typer.Argument(metavar="[shop|docs|bank|INVOICE]", help="Which page; else the first one.")
    ] = "",
    *,
    only_print: Annotated[bool, typer.Option("--print", help="Print the address alone.")] = False,
    account_id: AccountOption = None,
) -> Shown:
    """Print the address of a page and open it: the demo shop, the API's documentation, the bank's desk, an invoice.

    With --json nothing is opened.
    """
    url = _page(page) or await _invoice(page, account_id)

    def words() -> None:
        typer.echo(url)
        if not only_print:
            browser.visit(url)

    return Shown(document={"url": url}, words=words)


def _page(page: str) -> str | None:
    """Return the address of a page that is no invoice's. Raises ``NotFound`` where it is not served here."""
    given = config.load(os.environ)
    settings = where_it_runs(given)
    if announced(settings.home_path()) is None and not given.base_url:
        raise NotFound(f"No Kassa runs on the home {settings.home_path()}: kassa serve --demo starts one.")
    if page in {"shop", "bank"} and settings.bank_url is None:
        raise NotFound(f"There is no {page} here: it is a part of demo mode, kassa serve --demo.")
    pages = {
        "": f"{settings.base_url}/",
        "shop": f"{settings.base_url}/demo/shop",
        "docs": f"{settings.base_url}/docs",
        "bank": f"{settings.bank_url}/",
    }
    return pages.get(page)


async def _invoice(name: str, account_id: str | None) -> str:
    async with opened_platform() as platform:
        account, view = await finding.find(platform, name, account_id)
        return finding.pay_url(platform, account, view)
