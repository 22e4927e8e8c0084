"""mutmut's small changes to the files where every line counts, and how many of them the tests notice."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

NOTICED_MIN: Final = 0.9
"""The share of a file's changes that has to be noticed."""

_UNNOTICED: Final = frozenset({0, 33})
"""mutmut's codes for a change that no test minds, and for one that no test meets."""


class _Results(msgspec.Struct, frozen=True, kw_only=True):
    """What mutmut keeps of a file; None stands for a change that it has not come to."""

    exit_code_by_key: dict[str, int | None]


def told(copy: Path, console: Console, *, environment: Mapping[str, str]) -> list[str]:
    """Run mutmut in a copy of the tree, tell each file's share, and return the files of which too little is noticed."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(os.cpu_count() or 1)]
    # The tests import what mutmut makes of the sources, which it puts in the path's front itself.
    plain = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=copy, env=plain, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"mutmut did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    few: list[str] = []
    for path in sorted((copy / "mutants" / "src").rglob("*.meta")):
        codes = msgspec.json.decode(path.read_bytes(), type=_Results).exit_code_by_key
        if not codes:
            continue
        unnoticed = [name for name, code in codes.items() if code is None or code in _UNNOTICED]
        share = 1 - len(unnoticed) / len(codes)
        file = path.relative_to(copy / "mutants").with_suffix("").as_posix()
        console.print(f"{file} | {len(codes) - len(unnoticed)} of {len(codes)} changes noticed | {share:.0%}")
        if share < NOTICED_MIN:
            few.append(file)
            console.print("\n".join(f"  {name}" for name in unnoticed))
    return few
