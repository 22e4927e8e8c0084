"""How commands print: tables that fit a terminal, plain columns for other programs, JSON for scripts."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import typer

NOTHING: Final = ""


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
    # Imported here, for it takes longer than many a command.
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for each in lines:
        table.add_row(*(Text(cell) for cell in each))
    Console().print(table)


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
