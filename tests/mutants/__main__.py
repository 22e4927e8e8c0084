"""Break Kassa on purpose, in a copy, and see that the tests notice (``make mutants``).

First the faults that people make (``faults``), each with the test that has to turn red. Then mutmut's small changes to
the files where every line counts (``[tool.mutmut]`` in pyproject.toml): of each file nine in ten have to be noticed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from tests.mutants import survivors
from tests.mutants.faults import FAULTS, Fault

ROOT: Final = Path(__file__).parents[2]
COPIED: Final = ("src", "tests", "docs", "pyproject.toml", "README.md", "requirements")
_RED: Final = 1
"""What pytest ends with when a test failed; other codes tell that it ran none."""

_console = Console()


def main() -> bool:
    """Break everything once, tell what was noticed, and return whether anything was not."""
    with tempfile.TemporaryDirectory(prefix="kassa-") as name:
        copy = Path(name)
        copy.chmod(0o755)  # the tests' database runs as somebody else
        for each in COPIED:
            place = ROOT / each
            if place.is_dir():
                shutil.copytree(place, copy / each, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(place, copy / each)
        _check_copy(copy)
        green = [fault for fault in FAULTS if not _noticed(copy, fault)]
        few = survivors.told(copy, _console, environment=_environment(copy))
    _console.print(f"{len(FAULTS) - len(green)} of {len(FAULTS)} faults turn their test red")
    return bool(green or few)


def _check_copy(copy: Path) -> None:
    """Make sure that it is the copy that is imported, and that all is well without a fault."""
    where = subprocess.run(
        [sys.executable, "-c", "import kassa; print(kassa.__file__)"],
        env=_environment(copy),
        cwd=copy,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    if not Path(where).is_relative_to(copy):
        sys.exit(f"Not the copy was imported but {where}")
    if _pytest(copy, *dict.fromkeys(fault.red for fault in FAULTS)) != 0:
        sys.exit("Tests are red without a fault.")


def _noticed(copy: Path, fault: Fault) -> bool:
    """Make a fault, run the test that has to notice, unmake the fault, and tell whether it did."""
    file = copy / fault.file
    sound = file.read_text()
    if sound.count(fault.old) != 1:
        sys.exit(f"{fault.name}: {fault.file} does not hold this once: {fault.old}")
    file.write_text(sound.replace(fault.old, fault.new))
    started = time.monotonic()
    code = _pytest(copy, fault.red)
    file.write_text(sound)
    told = "red" if code == _RED else f"NOT RED ({code})"
    _console.print(f"{fault.name} | {told} by {fault.red} | {time.monotonic() - started:.1f} s", soft_wrap=True)
    return code == _RED


def _pytest(copy: Path, *tests: str) -> int:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=copy, env=_environment(copy), check=False, stdout=subprocess.DEVNULL).returncode


def _environment(copy: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1"}


if __name__ == "__main__":
    sys.exit(main())
