"""``kassa callbacks``: what became of an account's callbacks and why, and sending one again."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Final

import typer

from kassa import config
from kassa.callbacks import operations, queries
from kassa.callbacks.model import Failure, Listed, try_seconds
from kassa.cli import choosing, printing
from kassa.cli.commands import AccountOption, command, group
from kassa.cli.opened import Opened, guard, opened
from kassa.cli.printing import Shown
from kassa.db.home import announced
from kassa.db.queries import test_offset
from kassa.errors import NotFound

_ANSWER_SHOWN: Final = 40
"""How much of an endpoint's answer fits in a list; ``--json`` has all that is kept."""
_WORKER_SECONDS: Final = 5.0
"""How long a worker may take to see that a callback is due."""
_PAUSE_SECONDS: Final = 0.2

CallbackId = Annotated[str, typer.Argument(metavar="CALLBACK", help="The callback's id, msg_….")]

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


@command(app, "show", opened, "kassa callbacks show msg_…")
async def show(kassa: Opened, callback_id: CallbackId) -> Shown:
    """Show a callback: where it goes, and all that is known of its last try."""
    account = await choosing.owner(kassa.pool, callback_id, "msg", "callback")
    found = await _one(kassa, account.account_id, callback_id)
    values = ((name, choosing.printable(printing.text(getattr(found, name)))) for name in found.__struct_fields__)
    return printing.fact_list(values, found)


@command(
    app,
    "resend",
    opened,
    "kassa callbacks resend msg_…",
    "kassa callbacks resend msg_… --url https://coffee.example/other",
)
async def resend(
    kassa: Opened,
    callback_id: CallbackId,
    url: Annotated[str | None, typer.Option(help="There instead, for this try and later ones.")] = None,
) -> Shown:
    """Send a callback again at once, the same bytes under the same id, and wait for the answer."""
    account = await choosing.owner(kassa.pool, callback_id, "msg", "callback")
    before = await _one(kassa, account.account_id, callback_id)
    kassa.clock.test_offset = await test_offset(kassa.pool)
    await operations.resend(kassa.pool, guard(), kassa.clock, account.account_id, callback_id, url=url)
    after = await _tried(kassa, account.account_id, before)
    notes = [f"This and later tries go to {url}."] if url else []
    if after.tried_at == before.tried_at:
        notes.append("It waits for a worker, which kassa serve runs: it was not tried yet.")
    outcome = _outcome(after).removeprefix("status ") if after.tried_at != before.tried_at else "waiting"
    shown = printing.line(f"{callback_id} → {outcome}", after)
    return replace(shown, notes=notes)


async def _one(kassa: Opened, account_id: str, callback_id: str) -> Listed:
    found = await queries.listed(kassa.pool, account_id=account_id, callback_id=callback_id, limit=1)
    if not found:
        raise NotFound(
            f"There is no callback {choosing.printable(callback_id)}: kassa callbacks list shows the last ones."
        )
    return found[0]


async def _tried(kassa: Opened, account_id: str, before: Listed) -> Listed:
    """Return a callback once it was tried again, or as it is where nothing tries it."""
    seconds = try_seconds(test_mode=before.test_mode) + _WORKER_SECONDS
    settings = config.load(os.environ)
    if not settings.database_url and announced(settings.home_path()) is None:
        seconds = 0
    end = time.monotonic() + seconds
    while True:
        now = await _one(kassa, account_id, before.callback_id)
        if now.tried_at != before.tried_at or time.monotonic() >= end:
            return now
        await asyncio.sleep(_PAUSE_SECONDS)


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
    """Return why the last try failed, or what was answered, how long it took and how the answer began."""
    failed = each.failure not in (None, Failure.STATUS)
    status = f"status {each.response_code}" if each.response_code is not None else ""
    outcome = (each.cause or each.failure or "") if failed else status
    took = f"{outcome}, {each.milliseconds} ms" if outcome and each.milliseconds is not None else outcome
    return f"{took}: {each.answer[:_ANSWER_SHOWN]}" if each.answer else took
