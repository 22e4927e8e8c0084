"""The home: the folder with what Kassa must not lose, its lock, its secrets and the embedded database's address."""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import psutil

from kassa.config import Settings
from kassa.db import contact, embedded, migrate
from kassa.db.files import read_private, write_private
from kassa.errors import HomeBusy, SettingsWrong
from kassa.sealing import Root

COMMAND_WAIT_SECONDS = 30.0
"""How long a command waits for another one that holds the home, or for a server that is still starting."""

_POLL_SECONDS = 0.1


class ServerFile(msgspec.Struct, frozen=True, kw_only=True):
    """What ``server.json`` says while a server runs on the home."""

    database_url: str
    pid: int
    bank_url: str | None = None
    """The fake bank's, in demo mode."""
    base_url: str | None = None
    gate_url: str | None = None

    def __repr__(self) -> str:
        return f"ServerFile({self.pid}, …)"


def prepare(home: Path) -> None:
    """Make the home, or take the one that is there, with the tightest mode that works.

    Root's home can be entered by everyone, not listed, because the embedded server runs as another user.
    Raises ``SettingsWrong`` when the home cannot be made or written to.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        if home.stat().st_uid == os.geteuid():
            home.chmod(embedded.folder_mode())
    except OSError as error:
        raise SettingsWrong(f"The home {home} cannot be made: {error.strerror}. Set KASSA_HOME to another.") from None
    _check_access(home)


def _check_access(home: Path) -> None:
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise SettingsWrong(f"The home {home} belongs to another user. Set KASSA_HOME to another folder.")


@contextlib.asynccontextmanager
async def hold(home: Path, *, wait_seconds: float) -> AsyncIterator[None]:
    """Hold the home alone for as long as the context lasts; the system lets go of it when the process dies.

    Raises ``HomeBusy`` at once when a server runs on it, and after ``wait_seconds`` when a command does.
    """
    refusal = f"Another Kassa runs on the home {home}"
    async with _alone(home / "lock", lambda waited: announced(home) is not None or waited >= wait_seconds, refusal):
        withdraw(home)
        yield


@contextlib.asynccontextmanager
async def hold_bank(home: Path) -> AsyncIterator[None]:
    """Hold the fake bank's books alone: a second bank would send every notification again.

    Raises ``HomeBusy`` at once.
    """
    folder = home / "bank"
    folder.mkdir(mode=0o700, exist_ok=True)
    refusal = f"Another fake bank runs on the home {home}"
    async with _alone(folder / "lock", lambda _: True, refusal):
        yield


@contextlib.asynccontextmanager
async def _alone(lock: Path, enough: Callable[[float], bool], refusal: str) -> AsyncIterator[None]:
    begun = time.monotonic()
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _try_lock(descriptor):
            if enough(time.monotonic() - begun):
                raise HomeBusy(
                    f"{refusal}{_holder(descriptor)}: stop it, or set KASSA_HOME or --home to another folder."
                )
            await asyncio.sleep(_POLL_SECONDS)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    """Return who holds a lock, as far as it says so: a process writes its number right after it took the lock."""
    pid = os.pread(descriptor, 20, 0).decode(errors="replace")
    return f" (process {pid})" if pid.isdigit() else ""


def announce(
    home: Path,
    database_url: str,
    *,
    bank_url: str | None = None,
    base_url: str | None = None,
    gate_url: str | None = None,
) -> None:
    """Write down for commands where the server on this home answers, its database is, and in demo mode the bank."""
    server = ServerFile(
        database_url=database_url, pid=os.getpid(), bank_url=bank_url, base_url=base_url, gate_url=gate_url
    )
    write_private(home / "server.json", msgspec.json.encode(server))


def withdraw(home: Path) -> None:
    """Remove what ``announce`` has written."""
    (home / "server.json").unlink(missing_ok=True)


def announced(home: Path) -> ServerFile | None:
    """Return what the running server announced, or None when none runs; a killed server's file is ignored."""
    text = read_private(home / "server.json")
    if text is None:
        return None
    try:
        server = msgspec.json.decode(text, type=ServerFile)
    except msgspec.DecodeError:
        return None
    return server if psutil.pid_exists(server.pid) else None


def load_root(settings: Settings) -> Root:
    """Return the root of all keys: the operator's, else the home's own, which is made at the first call.

    Raises ``SettingsWrong`` when it is not 32 bytes in base64url.
    """
    if settings.secret_key:
        return Root(settings.secret_key)
    path = settings.home_path() / "secret.key"
    text = read_private(path)
    if text is None:
        prepare(path.parent)
        write_private(path, Root.generate().encode(), replace=False)
        text = read_private(path)
    return Root((text or b"").decode(errors="replace"))


@contextlib.asynccontextmanager
async def open_database(settings: Settings, *, migrated: bool = True, creates: bool = False) -> AsyncIterator[str]:
    """Give a command the database's address: the operator's, the running server's, or an embedded one just for it.

    With ``migrated`` an embedded database is brought up to date first, and an operator's must be. Only a command that
    ``creates`` may make a home, a database or a secret key; the others make nothing where there is no Kassa.
    Raises ``SettingsWrong`` when there is none or migrations wait for ``kassa migrate``, ``HomeBusy`` when the home
    stays taken, ``DatabaseUnusable`` naming what is wrong with the database.
    """
    home = settings.home_path()
    with contact.naming(settings):
        if settings.database_url:
            if migrated and await migrate.pending(settings.database_url):
                raise SettingsWrong("The database waits for migrations: run kassa migrate.")
            if not creates:
                check(settings)
            yield settings.database_url
            return
        if creates:
            prepare(home)
        else:
            check(settings)
        async with contextlib.AsyncExitStack() as stack:
            url = await _running_or_own(stack, settings, home, creates=creates)
            if migrated:
                await migrate.migrate(url)
            yield url


def check(settings: Settings) -> None:
    """See that there is a Kassa for a command to work on, without making anything. Raises ``SettingsWrong``."""
    home = settings.home_path()
    if settings.database_url is None:
        if not (home / "lock").exists():
            raise _no_kassa(home)
        _check_access(home)
    elif settings.secret_key is None and not (home / "secret.key").exists():
        raise SettingsWrong(
            f"There is no secret key in {home} (KASSA_HOME): set KASSA_SECRET_KEY_FILE to the one that "
            "kassa serve uses, or start one with kassa serve."
        )


def _no_kassa(home: Path) -> SettingsWrong:
    return SettingsWrong(f"There is no Kassa in {home} (KASSA_HOME). Start one with kassa serve.")


async def _running_or_own(stack: contextlib.AsyncExitStack, settings: Settings, home: Path, *, creates: bool) -> str:
    deadline = time.monotonic() + COMMAND_WAIT_SECONDS
    while True:
        try:
            await stack.enter_async_context(hold(home, wait_seconds=0))
            if not creates and not embedded.exists(home):
                raise _no_kassa(home)
            return await stack.enter_async_context(embedded.running(home, port=settings.database_port))
        except HomeBusy:
            server = announced(home)
            if server is not None:
                return server.database_url
            if time.monotonic() >= deadline:
                raise
        await asyncio.sleep(_POLL_SECONDS)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
