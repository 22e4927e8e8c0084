"""Runs the whole of Kassa as its user does, as a process of its own, and stops it with SIGTERM."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from tests.support import seeds
from tests.support.waiting import until

_START_SECONDS = 90
_STOP_SECONDS = 60
_LOG_LINES = 40


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The demo account's id and keys, as the ready file tells them."""

    id: str
    api_key: str
    public_key_test: str
    public_key_live: str
    private_key_test: str
    private_key_live: str


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running Kassa answers: the ready file."""

    base_url: str
    gate_url: str
    bank_url: str
    health_url: str
    database_url: str
    account: Keys


class Serving:
    """One run of ``kassa serve``: its process, its folder and what its ready file says."""

    def __init__(self, process: Process, folder: Path, served: Served) -> None:
        self.process = process
        self.folder = folder
        self.served = served

    async def stop(self) -> int:
        """Ask it to end with SIGTERM and return its exit status. Raises ``TimeoutError`` after a minute."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), _STOP_SECONDS)


async def start(
    folder: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = (sys.executable, "-m", "kassa"),
    seeded: bool = True,
) -> Serving:
    """Start ``kassa serve --demo`` with its home and logs in ``folder`` and return when its ready file is there.

    If ``seeded``, it finds an empty database in a new home; else it makes its own.
    """
    if seeded:
        await seeds.lay(folder / "home")
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    command = [*program, "serve", "--demo", "--port", "0", "--home", str(folder / "home")]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KASSA_")}
    with (folder / "stdout.log").open("ab") as stdout, (folder / "stderr.log").open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command,
            "--ready-file",
            str(ready),
            *options,
            env={**inherited, "KASSA_DRAIN_SECONDS": "0", **(environment or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    try:
        await until(lambda: ready.exists() or process.returncode is not None, seconds=_START_SECONDS, what="the start")
        assert process.returncode is None, f"kassa serve ended with {process.returncode}:\n{_tail(folder)}"
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return Serving(process, folder, msgspec.json.decode(ready.read_bytes(), type=Served))


@asynccontextmanager
async def running(
    folder: Path,
    *options: str,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = (sys.executable, "-m", "kassa"),
    seeded: bool = True,
) -> AsyncIterator[Serving]:
    """Run Kassa for a while; it has to end with status 0 after SIGTERM, unless the test ended it itself."""
    serving = await start(folder, *options, environment=environment, program=program, seeded=seeded)
    try:
        yield serving
        if serving.process.returncode is None:
            status = await serving.stop()
            assert status == 0, f"kassa serve ended with {status}:\n{_tail(folder)}"
    finally:
        if serving.process.returncode is None:
            serving.process.kill()
            await serving.process.wait()


def _tail(folder: Path) -> str:
    return "\n".join((folder / "stderr.log").read_text(errors="replace").splitlines()[-_LOG_LINES:])
