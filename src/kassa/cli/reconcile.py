"""``kassa reconcile``: comparing our books with the providers'."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
import typer

from kassa.cli import choosing, printing
from kassa.cli.commands import LiveOrBoth, OneOrAll, command, group
from kassa.cli.opened import Opened, opened, opened_platform
from kassa.cli.printing import Shown
from kassa.errors import NotFound, ProviderGarbled, ProviderSilent
from kassa.platform import Platform
from kassa.reconciliation.comparing import Result, compared
from kassa.reconciliation.turns import queries
from kassa.reconciliation.turns.queries import Schedule

app = group("Compare the books with the providers'.")

_DAY: Final = timedelta(days=1)
_TIMES: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
_HEADS: Final = ("account", "provider_account", "mode", "lines", "entries", "differences", "closed", "open", "problem")


@command(
    app,
    "run",
    opened_platform,
    "kassa reconcile run",
    "kassa reconcile run --account coma_… --since 2026-03-01 --until 2026-04-01",
)
async def run(
    platform: Platform,
    *,
    account_id: OneOrAll = None,
    live: LiveOrBoth = None,
    since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", formats=_TIMES, help="From when on, UTC.  [default: a day before the end]"),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", formats=_TIMES, help="Until when, UTC.  [default: 15 minutes ago]"),
    ] = None,
) -> Shown:
    """Compare our books of a time with each provider's statement; exit code 1 where they differ or cannot be compared.

    What differs becomes a discrepancy. Where the provider's answer may end it, Kassa asks; nothing else changes.
    """
    found = [
        await _compare_one(platform, each.account_id, planned, since, until)
        for each in await choosing.one_or_all(platform.pool, account_id)
        for planned in await queries.schedules(platform.pool, account_id=each.account_id)
        if live is None or live is not planned.test_mode
    ]
    return printing.rows(
        _HEADS,
        ([str(row[head]) for head in _HEADS] for row in found),
        found,
        empty="No account has a provider account to compare with.",
        after=_summary(found),
        status=1 if any(row["open"] or row["problem"] for row in found) else 0,
    )


@command(app, "schedule", opened, "kassa reconcile schedule")
async def schedule(kassa: Opened, *, account_id: OneOrAll = None) -> Shown:
    """List when the books of each provider account were compared, when they are next, and what prevents it."""
    found = [
        (each.account_id, planned)
        for each in await choosing.one_or_all(kassa.pool, account_id)
        for planned in await queries.schedules(kassa.pool, account_id=each.account_id)
    ]
    lines = (
        (
            each,
            planned.provider_account_id,
            _mode(planned),
            _moment(planned.reconciled_at),
            _moment(planned.reconcile_at),
            planned.reconcile_problem or "",
        )
        for each, planned in found
    )
    document = [{"account_id": each, **msgspec.structs.asdict(planned)} for each, planned in found]
    heads = ("account", "provider_account", "mode", "compared", "next", "problem")
    return printing.rows(heads, lines, document, empty="No account has a provider account to compare with.")


async def _compare_one(
    platform: Platform, account_id: str, planned: Schedule, since: datetime | None, until: datetime | None
) -> dict[str, Any]:
    end = until.replace(tzinfo=UTC) if until else platform.clock.now(test_mode=planned.test_mode)
    begin = since.replace(tzinfo=UTC) if since else end - _DAY
    problem, result = "", None
    try:
        result = await compared(
            platform, account_id, planned.provider_account_id, since=begin, until=end if until else None
        )
    except (ProviderSilent, ProviderGarbled, NotFound) as error:
        problem = error.detail
    found = result or Result(lines=0, entries=0, kinds={}, asked=0, closed=0, open=0)
    return {
        "account": account_id,
        "provider_account": planned.provider_account_id,
        "mode": _mode(planned),
        "compared": result is not None,
        "lines": found.lines,
        "entries": found.entries,
        "kinds": found.kinds,
        "differences": sum(found.kinds.values()),
        "closed": found.closed,
        "open": found.open,
        "problem": problem,
    }


def _summary(rows: list[dict[str, Any]]) -> str:
    kinds: Counter[str] = Counter()
    for row in rows:
        kinds.update(row["kinds"])
    lines, entries = sum(row["lines"] for row in rows), sum(row["entries"] for row in rows)
    found = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "the books agree"
    return f"Read {lines} lines of statements and {entries} movements of ours: {found}."


def _mode(planned: Schedule) -> str:
    return "test" if planned.test_mode else "live"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "never"
