"""The embedded PostgreSQL's life: our direct child, started again when it is killed, gone when we are gone."""

import asyncio
import contextlib
import ctypes
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import psutil
import structlog

from kassa.db import binaries, cluster
from kassa.db.binaries import Programs
from kassa.db.files import read_private
from kassa.errors import DatabaseUnavailable, KassaError

START_SECONDS = 60.0
"""How long the server may take to answer: after a crash it replays its log first."""

CONNECTIONS_MIN = 100
"""PostgreSQL's own default."""

_POLL_SECONDS = 0.05
_RESTART_PAUSE_SECONDS = 2.0
_PORT_TRIES = 3
_LOG_BYTES_MAX = 1_000_000
_PR_SET_PDEATHSIG = 1
_STATUS_LINE = 7
# How a server is stopped: politely; without putting its files in order; by force; and the seconds that each may take.
_STOP_SIGNALS = ((signal.SIGINT, 3.0), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 1.0))
# What is left of a killed server: stopped politely, then firmly, then killed, at these seconds.
_SURVIVOR_SIGNALS = ((0.0, signal.SIGINT), (5.0, signal.SIGQUIT), (8.0, signal.SIGKILL))
_SURVIVOR_SECONDS = 12.0

_log = structlog.get_logger(__name__)


def folder_mode() -> int:
    """Return the mode of the folders above the database: root's can be entered, not listed, by the server's user."""
    return 0o711 if os.geteuid() == 0 else 0o700


def exists(home: Path) -> bool:
    """Return whether a home has an embedded database already."""
    return (home / "postgres" / "data").exists()


@contextlib.asynccontextmanager
async def running(home: Path, *, port: int = 0, connections: int = 0) -> AsyncIterator[str]:
    """Run the embedded server while the context lasts; the caller holds the home. Gives the owner's URL.

    It takes as many connections as are asked for, and never less than PostgreSQL does by itself.

    Raises ``SettingsWrong`` when it can never run here, ``DatabaseUnavailable`` when it does not start this time.
    """
    server = Server(home / "postgres", port=port, connections=connections)
    watch = None
    try:
        await server.start()
        watch = asyncio.create_task(server.watch(), name="embedded PostgreSQL")
        yield server.url
    finally:
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        await server.stop()


class Server:
    """One embedded server and its folder."""

    def __init__(self, folder: Path, *, port: int, connections: int = 0) -> None:
        """Take the folder that holds the database's files, a port, where 0 means any that is free, and its size."""
        self.folder = folder
        self.data = folder / "data"
        # Shown in the title of each process of the server: it shows whose they are when their parent is gone.
        self.name = f"kassa-{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]}"
        self._wanted_port = port
        self._port = port
        self._connections = max(connections, CONNECTIONS_MIN)
        self._programs: Programs | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._password = ""

    @property
    def url(self) -> str:
        """The owner's way in."""
        return f"postgresql://{cluster.OWNER}:{self._password}@127.0.0.1:{self._port}/{cluster.DATABASE}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Make the files if there are none, wait out what a killed server left, start, wait for the first answer."""
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(folder_mode())
        programs = binaries.find(self.folder)
        await self._wait_out_survivors()
        self._password = cluster.ensure(self.folder, programs)
        self._programs = programs
        for tries_left in reversed(range(_PORT_TRIES)):
            self._port = self._wanted_port or _free_port()
            try:
                return await self._launch(programs)
            except DatabaseUnavailable:
                # A free port can be taken by another program before the server gets it.
                if self._wanted_port or not tries_left:
                    raise
        return None

    async def watch(self) -> None:
        """Start the server again, on the same port, whenever it ends by itself. This function never returns."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            if self._programs is None or self._process is None or self._process.poll() is None:
                continue
            _log.warning("database ended, starting it again", exit_code=self._process.returncode)
            try:
                await self._wait_out_survivors()
                await self._launch(self._programs)
                _log.warning("database started again")
            except (KassaError, OSError) as error:
                _log.error("database does not start", reason=str(error))
                await asyncio.sleep(_RESTART_PAUSE_SECONDS)

    async def stop(self) -> None:
        """Stop the server: connections are cut, what was acknowledged is on disk."""
        process = self._process
        if process is None:
            return
        for number, seconds in _STOP_SIGNALS:
            if process.poll() is not None:
                break
            process.send_signal(number)
            await _until(lambda: process.poll() is not None, seconds)
        self._process = None

    async def _launch(self, programs: Programs) -> None:
        # Nothing of ours runs on the data any more: any process that now has the number in this file is another one.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        log = self.folder / "log"
        if log.exists() and log.stat().st_size > _LOG_BYTES_MAX:
            log.replace(self.folder / "log.1")
        settings = [part for setting in self._settings() for part in ("-c", setting)]
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
            offset = output.tell()
            # From this very thread: the kernel takes the end of the one that starts it for ours.
            self._process = subprocess.Popen(  # noqa: ASYNC220
                [programs.command("postgres"), "-D", str(self.data), *settings],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                # Away from the terminal's group, so that Ctrl-C reaches us alone and we stop it when we are done.
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid()),  # noqa: PLW1509  # one system call, no lock taken
                **programs.options(),
            )
        await self._wait_for_answer(log, offset)

    def _settings(self) -> tuple[str, ...]:
        return (
            f"cluster_name={self.name}",
            f"hba_file={self.folder / 'pg_hba.conf'}",
            "listen_addresses=127.0.0.1",
            f"port={self._port}",
            f"max_connections={self._connections}",
            "unix_socket_directories=",
            "password_encryption=scram-sha-256",
            "fsync=on",
            "full_page_writes=on",
            "synchronous_commit=on",
            "timezone=UTC",
            "log_timezone=UTC",
            # Neither values nor statements: a log must not show what a row holds.
            "log_error_verbosity=terse",
            "log_min_error_statement=panic",
            "log_parameter_max_length_on_error=0",
        )

    async def _wait_for_answer(self, log: Path, offset: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise DatabaseUnavailable(f"The embedded PostgreSQL does not start: {_last_words(log, offset)}")
            if self._says_ready(self._process.pid):
                return await self._try_connecting()
            await asyncio.sleep(_POLL_SECONDS)
        raise DatabaseUnavailable(f"The embedded PostgreSQL did not answer within {START_SECONDS:.0f} s.")

    def _says_ready(self, pid: int) -> bool:
        """Return whether the server itself says so: another process on the port is not even connected to."""
        lines = (read_private(self.data / "postmaster.pid") or b"").decode(errors="replace").split("\n")
        return len(lines) > _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE].strip() == "ready"

    async def _try_connecting(self) -> None:
        try:
            connection = await asyncpg.connect(self.url, timeout=5)
        except (OSError, asyncpg.PostgresError) as error:
            raise DatabaseUnavailable(f"The embedded PostgreSQL does not let us in: {error}") from None
        await connection.close()

    async def _wait_out_survivors(self) -> None:
        """Wait until no process of an earlier server is left: two of them on the same files would destroy them."""
        begun = time.monotonic()
        signals = list(_SURVIVOR_SIGNALS)
        while survivors := self._survivors():
            elapsed = time.monotonic() - begun
            if elapsed > _SURVIVOR_SECONDS:
                raise DatabaseUnavailable("An earlier embedded PostgreSQL on this home does not end.")
            if signals and elapsed >= signals[0][0]:
                number = signals.pop(0)[1]
                for process in survivors:
                    with contextlib.suppress(psutil.Error):
                        process.send_signal(number)
            await asyncio.sleep(_POLL_SECONDS)

    def _survivors(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["name", "cmdline", "status"]):
            facts = process.info
            if facts["status"] == psutil.STATUS_ZOMBIE or not (facts["name"] or "").startswith("postgres"):
                continue
            if any(self.name in argument for argument in facts["cmdline"] or ()):
                found.append(process)
        return found


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """Return what a child does before it becomes the server: ask the kernel to be stopped when its parent dies."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _last_words(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode(errors="replace").splitlines()
    fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
    return (fatal or lines or ["it says nothing"])[-1]


async def _until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:  # noqa: ASYNC110  # a process does not announce that it ended
        await asyncio.sleep(_POLL_SECONDS)
