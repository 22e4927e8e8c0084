"""Checkouts of Kassa, each with an interpreter that runs its code: this one, and that of an earlier commit."""

import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Tree:
    """One checkout."""

    name: str
    """The commit, or what else tells it from others."""
    python: Path
    """Runs ``-m kassa`` of this checkout."""


def present() -> Tree:
    """Return the checkout that this is."""
    return Tree(name="here", python=Path(sys.executable))


@contextmanager
def checked_out(revision: str) -> Iterator[Tree]:
    """Check a commit out beside this tree for a while, in an environment of its own that has this one's packages.

    Raises ``subprocess.CalledProcessError`` where there is no such commit, or it cannot be installed.
    """
    commit = _git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="kassa-bench-tree-") as name:
        folder, environment = Path(name) / "tree", Path(name) / "venv"
        _git("worktree", "add", "--quiet", "--detach", str(folder), commit)
        try:
            yield Tree(name=commit[:7], python=_install(folder, environment))
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _install(folder: Path, environment: Path) -> Path:
    """Install a checkout, so that its own entry points count and not those that are installed here."""
    venv.create(environment, symlinks=True, with_pip=False)
    python = environment / "bin" / "python"
    packages = sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)})
    (Path(packages) / "reused.pth").write_text(sysconfig.get_path("purelib") + "\n")
    options = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--no-build-isolation")
    _run(sys.executable, "-m", "pip", "--python", str(python), "install", *options, "--editable", str(folder))
    found = _run(str(python), "-c", "import kassa; print(kassa.__file__)")
    assert Path(found).is_relative_to(folder), f"{found} is not of {folder}"
    return python


def _git(*arguments: str) -> str:
    return _run("git", "-C", str(ROOT), *arguments)


def _run(*command: str) -> str:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
