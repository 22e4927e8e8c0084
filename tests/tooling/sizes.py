"""Finds files and functions that are too long to be read in one go: ``python -m tests.tooling.sizes``.

Linters count statements; readers see lines, docstrings and arguments included.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]


class Limits(NamedTuple):
    """How many lines a file and a function of it may have."""

    file: int
    function: int


LIMITS: Final[Mapping[str, Limits]] = {"src": Limits(300, 40), "tests": Limits(500, 60)}
"""Of the folders. A test's lines are read as a list: what there is, what happens, what follows."""


def too_long(text: str, limits: Limits) -> Iterator[str]:
    """Give a sentence for the text of a module, and for each function in it, that is longer than its limit."""
    if (lines := text.count("\n")) > limits.file:
        yield f"the file has {lines} lines, and {limits.file} are the most"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > limits.function:
                yield f"{node.name} in line {node.lineno} has {lines} lines, and {limits.function} are the most"


def main() -> int:
    """Print what is too long, and return how much of it there is."""
    found = 0
    for folder, limits in LIMITS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            for sentence in too_long(path.read_text(), limits):
                found += 1
                sys.stdout.write(f"{name}: {sentence}\n")
    return found


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
