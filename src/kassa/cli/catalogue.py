"""``kassa catalogue``: what can be paid with, beyond what Kassa brings along."""

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kassa.catalogue.openfintech import files
from kassa.catalogue.operations import Report, load, load_builtin
from kassa.cli import printing
from kassa.cli.commands import command, group
from kassa.cli.opened import Opened, opened
from kassa.cli.printing import Shown

app = group("Import methods, services and currencies.")

_PLURALS: Final = {"currency": "currencies", "method": "methods", "service": "services"}
_COLUMNS: Final = ("read", "new", "changed", "unchanged", "ours", "refused")


@command(app, "import", opened, "kassa catalogue import openfintech/data --strict")
async def import_folder(
    kassa: Opened,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A copy of OpenFintech's data, as JSON files.")],
    *,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 2 where rows were refused; the others are taken.")
    ] = False,
) -> Shown:
    """Add the currencies, methods and services of OpenFintech's data, or bring them up to date.

    Read are currencies.json, payment_methods.json and payment_services.json. What Kassa brings along is left alone, and
    nothing is taken away. Rows that cannot be taken are named; the others are taken. It can be repeated at any time.
    """
    found = files.read(folder)
    total = len(found.currencies.good) + len(found.methods.good) + len(found.services.good)
    progress_columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    await load_builtin(kassa.pool)
    with Progress(*progress_columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Importing", total=total)
        report = await load(kassa.pool, found, advance=lambda count: progress.advance(task, count))
    lines = ((_PLURALS[tally.kind], *(str(getattr(tally, column)) for column in _COLUMNS)) for tally in report.tallies)
    return printing.rows(
        ("", *_COLUMNS),
        lines,
        report,
        empty="",
        after=_details(report),
        status=2 if strict and report.refused else 0,
    )


def _details(report: Report) -> str:
    lines: list[str] = []
    if report.dropped:
        lines.append("\nPatterns that were dropped: they cannot be run or cannot be meant; their fields take any text:")
        lines += [f"  {each}" for each in report.dropped]
    if report.refused:
        lines.append("\nRefused:")
        lines += [f"  {each}" for each in report.refused]
    if not report.changed:
        lines.append("\nNothing has changed.")
    return "\n".join(lines)
