"""How commands print: tables that fit a terminal, plain columns for other programs, JSON for scripts."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import typer

NOTHING: Final = ""

_WHOLE: Final = 21
"""Texts of this length, as ids are, are never folded: they are there to be copied."""
_FOLDED: Final = 10
"""The width that longer ones are given at least."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a command prints: a document for ``--json``, which is the whole truth, and words for people."""

    document: object
    words: Callable[[], None]
    status: int = 0
    """The exit code."""
    notes: Sequence[str] = field(default=())
    """What is said on standard error beside either."""


def rows(
    heads: Sequence[str],
    lines: Iterable[Sequence[str]],
    document: object,
    *,
    empty: str,
    after: str = NOTHING,
    status: int = 0,
) -> Shown:
    """Show a table; where it has no lines, ``empty`` says so on standard error."""
    table = [tuple(line) for line in lines]

    def words() -> None:
        if table:
            columns(heads, table)
        if after:
            typer.echo(after)

    return Shown(document=document, words=words, status=status, notes=() if table else (empty,))


def fact_list(pairs: Iterable[tuple[str, str]], document: object, *, after: str = NOTHING) -> Shown:
    """Show names and values, one pair a line."""
    lines = list(pairs)

    def words() -> None:
        facts(lines)
        if after:
            typer.echo(after)

    return Shown(document=document, words=words)


def line(text_: str, document: object, *, status: int = 0) -> Shown:
    """Show one sentence."""
    return Shown(document=document, words=lambda: typer.echo(text_), status=status)


def show(shown: Shown, *, as_json: bool) -> None:
    """Print what a command returned."""
    if as_json:
        document(shown.document)
    else:
        shown.words()
    for note in shown.notes:
        typer.echo(note, err=True)


def columns(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Print lines under their heads: fitted to a terminal, never cut or wrapped for anything else."""
    table = [tuple(each) for each in lines]
    if sys.stdout.isatty():
        _fitted(heads, table)
        return
    everything = [tuple(heads), *table]
    widths = [max(len(each[index]) for each in everything) for index in range(len(heads))]
    for each in everything:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)).rstrip())


def _fitted(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print a table whose long texts are folded, or each line as a list of facts where even that is too wide."""
    # Imported here, for it takes longer than many a command.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    widths = [max(len(cell) for cell in column) for column in zip(heads, *lines, strict=True)]
    least = [width if width <= _WHOLE else max(len(head), _FOLDED) for head, width in zip(heads, widths, strict=True)]
    if sum(least) + 2 * (len(heads) - 1) > console.width:
        for line in lines:
            grid = Table.grid(padding=(0, 2))
            grid.add_column(style="bold", no_wrap=True)
            grid.add_column(overflow="fold")
            for head, cell in zip(heads, line, strict=True):
                grid.add_row(head, Text(cell))
            console.print(grid)
            console.print()
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for head, width, narrow in zip(heads, widths, least, strict=True):
        table.add_column(head, overflow="fold", min_width=narrow, no_wrap=width <= _WHOLE)
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    console.print(table)


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line."""
    lines = list(pairs)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        typer.echo(f"{name.ljust(width)}  {value}".rstrip())


def document(value: object) -> None:
    """Print a value as JSON."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def text(value: object) -> str:
    """Return a value as people read it, in the words that ``kassa accounts set`` takes."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case bytes():
            return f"{len(value)} bytes"
        case tuple() | list():
            return ",".join(str(each) for each in value)
        case _:
            return str(value)
