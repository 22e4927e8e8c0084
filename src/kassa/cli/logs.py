"""``kassa logs``: what the Kassa that runs on this home has logged, and goes on to log."""

import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from kassa import config
from kassa.cli.choosing import printable
from kassa.errors import Invalid, NotFound
from kassa.serving.journal import Journal

_LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_FIRST: Final = ("timestamp", "level", "event")
_LEFT_OUT: Final = ("logger", "surface")
_PAUSE_SECONDS: Final = 0.2

_line = msgspec.json.Decoder(dict[str, Any])


def logs(
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    invoice: Annotated[str | None, typer.Option(metavar="ID", help="Only lines that name this invoice, cpi_….")] = None,
    level: Annotated[str, typer.Option(metavar="LEVEL", help=f"The least: one of {', '.join(_LEVELS)}.")] = "debug",
    number: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print each line as it was written, in JSON.")] = False,
) -> None:
    """Print the last lines that the Kassa on this home has logged; it keeps some megabytes of them."""
    if level not in _LEVELS:
        raise Invalid({"--level": f"This value should be one of {', '.join(_LEVELS)}."})
    journal = Journal(config.load(os.environ).home_path())
    if not journal.path.exists():
        raise NotFound(f"Nothing was logged in {journal.path.parent} yet: kassa serve does.")
    wanted = _wanted(invoice, logging.getLevelNamesMapping()[level.upper()])
    with journal.path.open("rb") as file:
        last = deque((line for line in (*_lines_of(journal.older), *file) if wanted(line)), maxlen=number)
        for line in last:
            _print(line, as_json=as_json)
        if not follow:
            if not last:
                typer.echo("No such lines were logged.", err=True)
            return
        try:
            for line in _coming(journal.path, file.tell()):
                if wanted(line):
                    _print(line, as_json=as_json)
        except KeyboardInterrupt:
            return


def _lines_of(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except FileNotFoundError:
        return


def _coming(path: Path, place: int) -> Iterator[bytes]:
    """Yield the lines that are added from a place on, for ever, also after the file has been replaced."""
    file = path.open("rb")
    file.seek(place)
    started = b""
    while True:
        started += file.readline()
        if started.endswith(b"\n"):
            yield started
            started = b""
        elif not _is_at(path, file.fileno()):
            file.close()
            file = path.open("rb")
        else:
            _pause()


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:  # it is being replaced
        return True


def _pause() -> None:
    time.sleep(_PAUSE_SECONDS)  # noqa: TID251  # each system reports a file's growth in a way of its own


def _wanted(invoice: str | None, least: int) -> Callable[[bytes], bool]:
    levels = logging.getLevelNamesMapping()
    # Whole: one id may begin as another does.
    named = re.compile(rb"(?<![\w-])" + re.escape(invoice.encode()) + rb"(?![\w-])") if invoice is not None else None

    def wanted(line: bytes) -> bool:
        if named is not None and named.search(line) is None:
            return False
        return levels.get(str(_read(line).get("level", "")).upper(), logging.CRITICAL) >= least

    return wanted


def _read(line: bytes) -> dict[str, Any]:
    try:
        return _line.decode(line)
    except msgspec.MsgspecError:  # one that was cut by a full disk
        return {}


def _print(line: bytes, *, as_json: bool) -> None:
    if as_json:
        typer.echo(line.rstrip(b"\n"))
        return
    event = _read(line)
    begin = " ".join(str(event.pop(name, "")) for name in _FIRST)
    rest = "  ".join(f"{name}={value}" for name, value in event.items() if name not in (*_LEFT_OUT, "exception"))
    typer.echo(printable(f"{begin}  {rest}".rstrip()))
    if exception := event.get("exception"):
        for each in str(exception).splitlines():
            typer.echo(f"    {printable(each)}")
