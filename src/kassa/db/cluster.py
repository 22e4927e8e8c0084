"""The embedded database's files: made once, with a login that owns the database ``kassa`` and is no superuser.

The superuser has no password, and only passwords let anyone in, over loopback TCP alone: no one can log in as one.
"""

import secrets
import shutil
import subprocess
from pathlib import Path

from kassa.db.binaries import Programs, run
from kassa.db.files import read_private, sync_folder, write_private
from kassa.errors import DatabaseUnavailable, SettingsWrong

OWNER = "kassa_owner"
DATABASE = "kassa"
_SUPERUSER = "postgres"

_ACCESS = b"""# Written by Kassa at each start: passwords only, this machine only.
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""


def ensure(folder: Path, programs: Programs) -> str:
    """Make the database's files in ``folder/data`` unless they are there, and return the owner's password.

    Whatever moment a kill hits, the next call finds whole files or starts again. Raises ``SettingsWrong`` for files of
    another PostgreSQL version, ``DatabaseUnavailable`` when they cannot be made.
    """
    access = folder / "pg_hba.conf"
    write_private(access, _ACCESS)
    access.chmod(0o644)
    data = folder / "data"
    password = (read_private(folder / "password") or b"").decode()
    if data.exists():
        _check_version(data, programs)
        return password or _set_password(folder, data, programs)
    _remove_drafts(folder)
    return _make(folder, data, programs)


def _make(folder: Path, data: Path, programs: Programs) -> str:
    draft = folder / f".data-{secrets.token_hex(4)}"
    draft.mkdir(mode=0o700)
    if programs.user is not None:
        shutil.chown(draft, programs.user.uid, programs.user.gid)
    # "reject": the file that initdb writes lets no one in, should anyone ever start the server without ours.
    _run(
        programs,
        "initdb",
        *("-D", str(draft), "-U", _SUPERUSER, "-A", "reject", "-E", "UTF8", "--no-instructions"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--data-checksums"),
    )
    password = _new_password(folder)
    _alone(
        programs,
        draft,
        f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{password}'",
        f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
    )
    draft.rename(data)
    sync_folder(folder)
    return password


def _set_password(folder: Path, data: Path, programs: Programs) -> str:
    password = _new_password(folder)
    _alone(programs, data, f"ALTER ROLE {OWNER} PASSWORD '{password}'")
    return password


def _new_password(folder: Path) -> str:
    password = secrets.token_urlsafe(32)
    write_private(folder / "password", password.encode())
    return password


def _alone(programs: Programs, data: Path, *statements: str) -> None:
    """Run statements as superuser with the server down: the one moment when that role is used."""
    quiet = ("-c", "log_min_error_statement=panic", "-c", "log_error_verbosity=terse", "-c", "exit_on_error=on")
    text = "".join(f"{statement}\n" for statement in statements)
    _run(programs, "postgres", "--single", "-D", str(data), *quiet, _SUPERUSER, text=text)


def _run(programs: Programs, name: str, *arguments: str, text: str | None = None) -> None:
    try:
        run(programs, name, *arguments, text=text)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DatabaseUnavailable(f"The embedded PostgreSQL cannot be set up: {reason}") from None


def _check_version(data: Path, programs: Programs) -> None:
    written = (read_private(data / "PG_VERSION") or b"?").decode().strip()
    ours = run(programs, "postgres", "--version").split()[-1].split(".")[0]
    if written != ours:
        raise SettingsWrong(
            f"The data in {data} was written by PostgreSQL {written}, and this Kassa brings {ours}: "
            "dump it with the Kassa that wrote it and restore it here."
        )


def _remove_drafts(folder: Path) -> None:
    for draft in folder.glob(".data-*"):
        shutil.rmtree(draft, ignore_errors=True)
