"""``kassa discrepancies``: differences that were found between our books and the providers'."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
import typer

from kassa import ids, money
from kassa.accounts import queries as accounts
from kassa.cli import choosing, printing
from kassa.cli.commands import OneOrAll, command, group
from kassa.cli.opened import Opened, opened
from kassa.cli.printing import Shown
from kassa.errors import NotFound, UnknownCurrency
from kassa.reconciliation import operations
from kassa.reconciliation.discrepancies import queries
from kassa.reconciliation.discrepancies.queries import Discrepancy

app = group("Differences between the books and the providers'.")

LISTED_MAX: Final = 1000
"""The most discrepancies of an account that are listed."""


@command(app, "list", opened, "kassa discrepancies list", "kassa discrepancies list --all --json")
async def list_discrepancies(
    kassa: Opened,
    *,
    account_id: OneOrAll = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
) -> Shown:
    """List the differences that were found, the newest of each account first."""
    found = [
        discrepancy
        for each in await choosing.one_or_all(kassa.pool, account_id)
        for discrepancy in await queries.listed(
            kassa.pool, account_id=each.account_id, open_only=not every, limit=LISTED_MAX
        )
    ]
    heads = ("discrepancy", "kind", "movement", "ref", "ours", "theirs", "booked", "seen", "state")
    document = [_described(discrepancy) for discrepancy in found]
    empty = "There is no discrepancy." if every else "There is no open discrepancy."
    return printing.rows(heads, (_row(discrepancy) for discrepancy in found), document, empty=empty)


@command(app, "close", opened, 'kassa discrepancies close dcy_… --note "the bank\'s own fee"')
async def close(
    kassa: Opened,
    discrepancy_id: Annotated[str, typer.Argument(metavar="DISCREPANCY", help="The discrepancy's id, dcy_….")],
    *,
    note: Annotated[str, typer.Option(help="What it was, for those who look later.")],
) -> Shown:
    """Close a discrepancy that someone has looked into; it is opened again only if there is more to it."""
    tag = ids.tag_of(discrepancy_id, "dcy")
    account_id = await accounts.account_id_by_tag(kassa.pool, tag=tag) if tag else None
    if account_id is None:
        raise NotFound(f"There is no open discrepancy {choosing.printable(discrepancy_id)}.")
    now = kassa.clock.now(test_mode=False)
    await operations.close(kassa.pool, discrepancy_id, account_id=account_id, note=note, now=now)
    return printing.line(f"{discrepancy_id} is closed.", {"discrepancy_id": discrepancy_id, "state": "closed"})


def _row(discrepancy: Discrepancy) -> Sequence[str]:
    closed = f"closed: {discrepancy.note}" if discrepancy.note else "agrees again"
    return (
        discrepancy.discrepancy_id,
        discrepancy.kind,
        discrepancy.movement,
        discrepancy.ref,
        _side(discrepancy.ours),
        _side(discrepancy.theirs),
        _moment(discrepancy.booked_at),
        _moment(discrepancy.last_seen_at),
        closed if discrepancy.resolved_at else "open",
    )


def _side(text: str | None) -> str:
    """Return one side's facts as people read them: an amount where there is one, and our payment's status."""
    if text is None:
        return "-"
    facts = msgspec.json.decode(text)
    amount = "" if facts["amount"] is None else _amount(facts["amount"], facts["currency"])
    return " ".join(part for part in (amount, facts.get("status", "")) if part)


def _amount(minor: int, currency: str) -> str:
    try:
        return f"{money.to_fixed(minor, currency)} {currency}"
    except UnknownCurrency:
        return f"{minor} minor units of {currency}"


def _described(discrepancy: Discrepancy) -> dict[str, Any]:
    sides = {"ours": discrepancy.ours, "theirs": discrepancy.theirs}
    sides_read = {side: None if text is None else msgspec.json.decode(text) for side, text in sides.items()}
    return {**msgspec.structs.asdict(discrepancy), **sides_read}


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "never"
