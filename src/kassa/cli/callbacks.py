"""``kassa callbacks``: what became of an account's callbacks and why, and sending one again."""

from collections.abc import Sequence
from typing import Annotated

import typer

from kassa.callbacks import operations, queries
from kassa.callbacks.model import Failure, Listed
from kassa.cli import choosing, printing
from kassa.cli.commands import AccountOption, command, group
from kassa.cli.opened import Opened, guard, opened
from kassa.cli.printing import Shown
from kassa.db.queries import test_offset

app = group("Callbacks: why one failed, and sending it again.")


@command(
    app,
    "list",
    opened,
    "kassa callbacks list --failed",
    "kassa callbacks list --invoice cpi_… --json",
)
async def list_callbacks(
    kassa: Opened,
    *,
    account_id: AccountOption = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those whose last try failed.")] = False,
    invoice: Annotated[str | None, typer.Option(metavar="ID", help="Only those of this invoice, cpi_….")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
) -> Shown:
    """List the last callbacks, newest first: what came of the last try, and when there is another."""
    if invoice is not None and account_id is None:
        account = await choosing.owner(kassa.pool, invoice, "cpi", "invoice")
    else:
        account = await choosing.chosen(kassa.pool, account_id)
    found = await queries.listed(
        kassa.pool, account_id=account.account_id, invoice_id=invoice, failed=failed, limit=limit
    )
    return _shown(found, empty="No callback has failed." if failed else "There are no callbacks.")


@command(app, "resend", opened, "kassa callbacks resend msg_…")
async def resend(
    kassa: Opened,
    callback_id: Annotated[str, typer.Argument(metavar="CALLBACK", help="The callback's id, msg_….")],
    url: Annotated[str | None, typer.Option(help="There instead, for this try and later ones.")] = None,
) -> Shown:
    """Send a callback again at once: the same bytes, under the same id."""
    account = await choosing.owner(kassa.pool, callback_id, "msg", "callback")
    kassa.clock.test_offset = await test_offset(kassa.pool)
    await operations.resend(kassa.pool, guard(), kassa.clock, account.account_id, callback_id, url=url)
    return printing.line(f"{callback_id} is sent again.", {"callback_id": callback_id})


def _shown(found: Sequence[Listed], *, empty: str) -> Shown:
    lines = (
        (
            each.callback_id,
            each.invoice_id,
            each.invoice_status,
            each.status,
            str(each.tries),
            f"{each.tried_at:%m-%d %H:%M:%S}" if each.tried_at else "",
            _outcome(each),
            f"{each.due_at:%m-%d %H:%M:%S}" if each.due_at else "",
            each.url,
        )
        for each in found
    )
    heads = ("callback", "invoice", "invoice is", "state", "tries", "last try", "result", "next try", "to")
    return printing.rows(heads, lines, found, empty=empty)


def _outcome(each: Listed) -> str:
    if each.failure not in (None, Failure.STATUS):
        return each.failure
    return f"status {each.response_code}" if each.response_code is not None else ""
