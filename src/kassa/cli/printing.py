"""How commands print: aligned columns for people, JSON for scripts, nothing wrapped or cut."""

from collections.abc import Iterable, Sequence

import msgspec
import typer


def columns(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their heads."""
    lines = [tuple(heads), *(tuple(row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(heads))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line."""
    pairs = list(rows)
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
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
