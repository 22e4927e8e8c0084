"""``kassa cases``: differences that were found between our books and the providers'."""

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
from kassa.reconciliation.cases import queries
from kassa.reconciliation.cases.queries import Case

app = group("Differences between the books and the providers'.")

CASES_MAX: Final = 1000
"""The most cases of an account that are listed."""


@command(app, "list", opened, "kassa cases list", "kassa cases list --all --json")
async def list_cases(
    kassa: Opened,
    *,
    account_id: OneOrAll = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
) -> Shown:
    """List the differences that were found, the newest of each account first."""
    found = [
        case
        for each in await choosing.one_or_all(kassa.pool, account_id)
        for case in await queries.cases(kassa.pool, account_id=each.account_id, open_only=not every, limit=CASES_MAX)
    ]
    heads = ("case", "kind", "movement", "ref", "ours", "theirs", "booked", "seen", "state")
    document = [_described(case) for case in found]
    empty = "There is no case." if every else "There is no open case."
    return printing.rows(heads, (_row(case) for case in found), document, empty=empty)


@command(app, "close", opened, 'kassa cases close case_… --note "the bank\'s own fee"')
async def close(
    kassa: Opened,
    case_id: Annotated[str, typer.Argument(metavar="CASE", help="The case's id, case_….")],
    *,
    note: Annotated[str, typer.Option(help="What it was, for those who look later.")],
) -> Shown:
    """Close a case that someone has looked into; it is opened again only if there is more to it."""
    tag = ids.tag_of(case_id, "case")
    account_id = await accounts.account_id_by_tag(kassa.pool, tag=tag) if tag else None
    if account_id is None:
        raise NotFound(f"There is no open case {choosing.printable(case_id)}.")
    now = kassa.clock.now(test_mode=False)
    await operations.close(kassa.pool, case_id, account_id=account_id, note=note, now=now)
    return printing.line(f"{case_id} is closed.", {"case_id": case_id, "state": "closed"})


def _row(case: Case) -> Sequence[str]:
    closed = f"closed: {case.note}" if case.note else "agrees again"
    return (
        case.case_id,
        case.kind,
        case.movement,
        case.ref,
        _side(case.ours),
        _side(case.theirs),
        _moment(case.booked_at),
        _moment(case.last_seen_at),
        closed if case.resolved_at else "open",
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


def _described(case: Case) -> dict[str, Any]:
    sides = {"ours": case.ours, "theirs": case.theirs}
    sides_read = {side: None if text is None else msgspec.json.decode(text) for side, text in sides.items()}
    return {**msgspec.structs.asdict(case), **sides_read}


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "never"
