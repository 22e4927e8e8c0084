"""``kassa reconcile``: comparing our books with the providers', and what was found to differ."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
import typer

from kassa import ids, money
from kassa.accounts import queries as accounts
from kassa.cli import printing
from kassa.cli.ledger import Mode
from kassa.cli.opened import opened, opened_platform
from kassa.db.pool import Pool
from kassa.errors import NotFound, ProviderGarbled, ProviderSilent, UnknownCurrency
from kassa.platform import Platform
from kassa.reconciliation import operations
from kassa.reconciliation.cases import queries as cases
from kassa.reconciliation.cases.queries import Case
from kassa.reconciliation.comparing import Result, compared
from kassa.reconciliation.turns import queries
from kassa.reconciliation.turns.queries import Standing

app = typer.Typer(help="Compare our books with the providers', and see what differs.")

CASES_MAX: Final = 1000
"""The most cases of an account that are listed."""

_DAY: Final = timedelta(days=1)
_TIMES: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]

AccountId = Annotated[
    str | None, typer.Option("--account", metavar="ACCOUNT", help="One account; all of them unless it is given.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def reconcile(
    context: typer.Context,
    *,
    account_id: AccountId = None,
    mode: Annotated[Mode | None, typer.Option(help="One mode's books; both unless it is given.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=_TIMES, help="From when on, UTC.  [default: a day before the end]")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_TIMES, help="Until when, UTC.  [default: 15 minutes ago]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare our books of a time with each provider's statement; exit code 1 where they differ or cannot be compared.

    What differs becomes a case. Where the provider's answer may mend it, the running Kassa asks; nothing else changes.
    """
    if context.invoked_subcommand is not None:
        return
    rows = asyncio.run(_compare(account_id, mode, since, until))
    if as_json:
        printing.document(rows)
    else:
        printing.columns(_HEADS, ([str(row[head]) for head in _HEADS] for row in rows))
        _sum_up(rows)
    if any(row["open"] or row["problem"] for row in rows):
        raise typer.Exit(1)


_HEADS: Final = ("account", "provider_account", "mode", "lines", "entries", "differences", "closed", "open", "problem")


async def _compare(
    account_id: str | None, mode: Mode | None, since: datetime | None, until: datetime | None
) -> list[dict[str, Any]]:
    async with opened_platform() as platform:
        return [
            await _compare_one(platform, each, standing, since, until)
            for each in await _accounts(platform.pool, account_id)
            for standing in await queries.standings(platform.pool, account_id=each)
            if mode in (None, _mode(standing))
        ]


async def _compare_one(
    platform: Platform, account_id: str, standing: Standing, since: datetime | None, until: datetime | None
) -> dict[str, Any]:
    end = until.replace(tzinfo=UTC) if until else platform.clock.now(test_mode=standing.test_mode)
    begin = since.replace(tzinfo=UTC) if since else end - _DAY
    problem, result = "", None
    try:
        result = await compared(
            platform, account_id, standing.provider_account_id, since=begin, until=end if until else None
        )
    except (ProviderSilent, ProviderGarbled, NotFound) as error:
        problem = error.detail
    found = result or Result(lines=0, entries=0, kinds={}, asked=0, closed=0, open=0)
    return {
        "account": account_id,
        "provider_account": standing.provider_account_id,
        "mode": _mode(standing).value,
        "compared": result is not None,
        "lines": found.lines,
        "entries": found.entries,
        "kinds": found.kinds,
        "differences": sum(found.kinds.values()),
        "closed": found.closed,
        "open": found.open,
        "problem": problem,
    }


def _sum_up(rows: list[dict[str, Any]]) -> None:
    kinds: Counter[str] = Counter()
    for row in rows:
        kinds.update(row["kinds"])
    lines, entries = sum(row["lines"] for row in rows), sum(row["entries"] for row in rows)
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "the books agree"
    typer.echo(f"Read {lines} lines of statements and {entries} movements of ours: {found}.")


@app.command("cases")
def list_cases(
    *,
    account_id: AccountId = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are closed.")] = False,
    as_json: Json = False,
) -> None:
    """List the differences that were found, the newest of each account first."""

    async def run() -> list[Case]:
        async with opened() as kassa:
            return [
                case
                for each in await _accounts(kassa.pool, account_id)
                for case in await cases.cases(kassa.pool, account_id=each, open_only=not every, limit=CASES_MAX)
            ]

    found = asyncio.run(run())
    if as_json:
        printing.document([_described(case) for case in found])
        return
    printing.columns(
        ("case", "kind", "movement", "ref", "ours", "theirs", "booked", "seen", "state"), (_row(case) for case in found)
    )


@app.command()
def close(
    case_id: Annotated[str, typer.Argument(metavar="CASE", help="The case's id, case_….")],
    note: Annotated[str, typer.Option(help="What it was, for whoever asks later.")],
) -> None:
    """Close a case that a person has looked into; it is opened again only if there is more to it."""

    async def run() -> None:
        async with opened() as kassa:
            tag = ids.tag_of(case_id, "case")
            account_id = await accounts.account_id_by_tag(kassa.pool, tag=tag) if tag else None
            if account_id is None:
                raise NotFound("There is no such open case.")
            now = kassa.clock.now(test_mode=False)
            await operations.close(kassa.pool, case_id, account_id=account_id, note=note, now=now)
        typer.echo(f"{case_id} is closed.")

    asyncio.run(run())


@app.command()
def turns(*, account_id: AccountId = None, as_json: Json = False) -> None:
    """List when the books of each provider account were compared, when they are next, and what stands in the way."""

    async def run() -> list[tuple[str, Standing]]:
        async with opened() as kassa:
            return [
                (each, standing)
                for each in await _accounts(kassa.pool, account_id)
                for standing in await queries.standings(kassa.pool, account_id=each)
            ]

    found = asyncio.run(run())
    if as_json:
        printing.document([{"account_id": each, **msgspec.structs.asdict(standing)} for each, standing in found])
        return
    printing.columns(
        ("account", "provider_account", "mode", "compared", "next", "problem"),
        (
            (
                each,
                standing.provider_account_id,
                _mode(standing).value,
                _moment(standing.reconciled_at),
                _moment(standing.reconcile_at),
                standing.reconcile_problem or "",
            )
            for each, standing in found
        ),
    )


async def _accounts(pool: Pool, account_id: str | None) -> list[str]:
    """Return the accounts that are meant: one, or all. Raises ``NotFound``."""
    if account_id is None:
        return [each.account_id for each in await accounts.accounts(pool)]
    if await accounts.account(pool, account_id=account_id) is None:
        raise NotFound("There is no such account.")
    return [account_id]


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
    told = {side: None if text is None else msgspec.json.decode(text) for side, text in sides.items()}
    return {**msgspec.structs.asdict(case), **told}


def _mode(standing: Standing) -> Mode:
    return Mode.TEST if standing.test_mode else Mode.LIVE


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "never"
