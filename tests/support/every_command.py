"""Run each command of ``kassa`` once, one after the other, and print as JSON how each ended: ``python -m …``.

Arguments that a command needs are made up by their names and types, so that a new command is run as it comes.
"""

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import typer
from typer.testing import CliRunner

from kassa.cli import app
from kassa.cli.lazy import Lazy
from kassa.errors import KassaError

LEFT_OUT: Final = frozenset({"serve", "migrate", "accounts create"})
"""The commands that make a Kassa where there is none."""
_CATALOGUE: Final = Path(__file__).parents[1] / "catalogue" / "sample"
_SAMPLES: Final = {"pairs": "attempts=3", "event": "paid", "duration": "1h", "rate": "1.1", "folder": str(_CATALOGUE)}


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a command ended, and what it said."""

    status: int
    text: str


def commands() -> Iterator[tuple[list[str], Any]]:
    """Return the words of every command, with the command."""

    def walk(words: list[str], each: Any) -> Iterator[tuple[list[str], Any]]:
        if isinstance(each, Lazy):
            each = each.load()
        if not hasattr(each, "list_commands"):
            yield words, each
            return
        context = typer.Context(each)
        for name in each.list_commands(context):
            yield from walk([*words, name], each.get_command(context, name))

    return walk([], typer.main.get_command(app))


def arguments(each: Any) -> Iterator[str]:
    """Make up what a command cannot be run without."""
    for parameter in each.params:
        if parameter.required:
            if parameter.param_type_name == "option":
                yield parameter.opts[0]
            yield _sample(parameter)


def _sample(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    kind = next((each for each in get_args(annotation) if isinstance(each, type)), annotation)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return str(next(iter(kind)).value)
    if kind is Path:
        return _SAMPLES.get(parameter.name, "/")
    return _SAMPLES.get(parameter.name, "1" if kind is int else "coma_0000000000000000")


def run(words: list[str]) -> Ended:
    ended = CliRunner().invoke(app, words)
    text = str(ended.exception) if isinstance(ended.exception, KassaError) else ended.output
    return Ended(status=ended.exit_code, text=text)


if __name__ == "__main__":
    chosen = [(words, each) for words, each in commands() if " ".join(words) not in LEFT_OUT]
    runs = {" ".join(words): run([*words, *arguments(each)]) for words, each in chosen}
    sys.stdout.write(msgspec.json.encode(runs).decode())
