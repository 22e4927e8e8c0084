"""``kassa callbacks``: what became of an account's callbacks and why, and sending one again."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from kassa import ids
from kassa.accounts import queries as accounts
from kassa.callbacks import operations, queries
from kassa.callbacks.model import Failure, Listed
from kassa.cli import printing
from kassa.cli.opened import guard, opened
from kassa.db.queries import test_offset
from kassa.errors import NotFound

_ANSWER_SHOWN = 40
"""How much of an endpoint's answer fits in a list; ``--json`` has all that is kept."""

app = typer.Typer(no_args_is_help=True, help="Callbacks: why one failed, and sending it again.")


@app.command("list")
def list_callbacks(
    account_id: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id, coma_….")],
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only those whose last try failed.")] = False,
    invoice: Annotated[str | None, typer.Option(metavar="ID", help="Only those of this invoice, cpi_….")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the last callbacks, newest first: what came of the last try, and when there is another."""

    async def run() -> None:
        async with opened() as kassa:
            if await accounts.account(kassa.pool, account_id=account_id) is None:
                raise NotFound("There is no such account.")
            found = await queries.listed(
                kassa.pool, account_id=account_id, invoice_id=invoice, failed=failed, limit=limit
            )
        _print(found, as_json=as_json)

    asyncio.run(run())


@app.command()
def resend(
    callback_id: Annotated[str, typer.Argument(metavar="CALLBACK", help="The callback's id, msg_….")],
    url: Annotated[str | None, typer.Option(help="There instead, for this try and later ones.")] = None,
) -> None:
    """Send a callback again at once: the same bytes, under the same id."""

    async def run() -> None:
        async with opened() as kassa:
            tag = ids.tag_of(callback_id, "msg")
            account_id = await accounts.account_id_by_tag(kassa.pool, tag=tag) if tag else None
            if account_id is None:
                raise NotFound("There is no such callback.")
            kassa.clock.test_offset = await test_offset(kassa.pool)
            await operations.resend(kassa.pool, guard(), kassa.clock, account_id, callback_id, url=url)
        typer.echo(f"{callback_id} is sent again.")

    asyncio.run(run())


def _print(found: Sequence[Listed], *, as_json: bool) -> None:
    if as_json:
        printing.document(found)
        return
    printing.columns(
        ("callback", "invoice", "tells", "state", "tries", "last try", "came of it", "next try", "to"),
        (
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
        ),
    )


def _outcome(each: Listed) -> str:
    """Return why the last try failed, or what was answered, how long it took and how the answer began."""
    failed = each.failure not in (None, Failure.STATUS)
    status = f"status {each.response_code}" if each.response_code is not None else ""
    outcome = (each.cause or each.failure or "") if failed else status
    took = f"{outcome}, {each.milliseconds} ms" if outcome and each.milliseconds is not None else outcome
    return f"{took}: {each.answer[:_ANSWER_SHOWN]}" if each.answer else took
