"""``kassa catalogue``: what can be paid with, beyond what Kassa brings along."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kassa.catalogue.openfintech import files
from kassa.catalogue.operations import Report, load, load_builtin
from kassa.cli import printing
from kassa.cli.opened import opened

app = typer.Typer(no_args_is_help=True, help="What can be paid with, beyond what Kassa brings along.")

_PLURALS: Final = {"currency": "currencies", "method": "methods", "service": "services"}
_COLUMNS: Final = ("read", "new", "changed", "unchanged", "ours", "refused")


@app.callback()
def catalogue() -> None:
    """What can be paid with, beyond what Kassa brings along."""


@app.command("import")
def import_folder(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A copy of OpenFintech's data, as JSON files.")],
    *,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 2 where rows were refused; the others are taken.")
    ] = False,
) -> None:
    """Add the currencies, methods and services of OpenFintech's data, or bring them up to date.

    Read are currencies.json, payment_methods.json and payment_services.json. What Kassa brings along is left alone, and
    nothing is taken away. Rows that cannot be taken are told by name; the others are. It can be repeated at any time.
    """
    report = asyncio.run(_import(folder))
    printing.columns(
        ("", *_COLUMNS),
        ((_PLURALS[tally.kind], *(str(getattr(tally, column)) for column in _COLUMNS)) for tally in report.tallies),
    )
    if report.dropped:
        typer.echo("\nPatterns that were dropped: they cannot be run or cannot be meant; their fields take any text:")
        for each in report.dropped:
            typer.echo(f"  {each}")
    if report.refused:
        typer.echo("\nRefused:")
        for each in report.refused:
            typer.echo(f"  {each}")
    if not report.changed:
        typer.echo("\nNothing has changed.")
    if strict and report.refused:
        raise typer.Exit(2)


async def _import(folder: Path) -> Report:
    found = files.read(folder)
    total = len(found.currencies.good) + len(found.methods.good) + len(found.services.good)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with opened() as kassa:
        await load_builtin(kassa.pool)
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("Importing", total=total)
            return await load(kassa.pool, found, advance=lambda rows: progress.advance(task, rows))
