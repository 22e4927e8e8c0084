"""localstripe beside us: a fake of another gateway's API in Python, which keeps all that it knows in memory.

It is no dependency of ours: it is installed into an environment of its own, below ``build``, where that can be done.
"""

import asyncio
import subprocess
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from tests.bench import load
from tests.bench.load import Caller, Rate
from tests.bench.processors import spent
from tests.bench.trees import ROOT
from tests.support.ports import free
from tests.support.waiting import until

PACKAGE: Final = "localstripe==1.15.10"
CLIENTS: Final = 16

_INSTALL_SECONDS: Final = 120
_START_SECONDS: Final = 30
_PATH: Final = "/v1/payment_intents"
_HEADERS: Final = "Authorization: Bearer sk_test_12345\r\nContent-Type: application/x-www-form-urlencoded\r\n"


def installed(environment: Path = ROOT / "build" / "localstripe") -> Path | None:
    """Return the interpreter that has localstripe, installing it first if need be; None where that cannot be done."""
    python = environment / "bin" / "python"
    done = environment / "installed"
    if done.exists():
        return python
    try:
        venv.create(environment, clear=True, symlinks=True, with_pip=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--no-input", PACKAGE]
        subprocess.run(command, check=True, capture_output=True, timeout=_INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    done.touch()
    return python


@dataclass(frozen=True, kw_only=True)
class LocalStripe:
    """The running program, and what was measured of it, a rate for each round."""

    url: str
    pid: int
    creations: list[Rate] = field(default_factory=list)
    reads: list[Rate] = field(default_factory=list)

    async def turn(self, seconds: float) -> None:
        """Measure creations and reads once."""
        caller = Caller()
        intent = await self._create(caller)
        caller.close()

        async def create(caller: Caller) -> None:
            await self._create(caller)

        async def read(caller: Caller) -> None:
            reply = await caller.ask("GET", f"{self.url}{_PATH}/{intent}", headers=_HEADERS)
            assert reply.status == 200, reply

        for work, rates in ((create, self.creations), (read, self.reads)):
            rates.append(await load.measure(work, clients=CLIENTS, seconds=seconds, spending=self._spent))

    def _spent(self) -> tuple[float]:
        return (spent(self.pid),)

    async def _create(self, caller: Caller) -> str:
        body = b"amount=10000&currency=usd"
        reply = await caller.ask("POST", f"{self.url}{_PATH}", headers=_HEADERS, body=body)
        assert reply.status == 200, reply
        intent: str = msgspec.json.decode(reply.body)["id"]
        return intent


@asynccontextmanager
async def running(python: Path, folder: Path) -> AsyncIterator[LocalStripe]:
    """Run it, with an empty memory."""
    (port,) = free(1)
    with (folder / "localstripe.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(python), "-m", "localstripe", "--port", str(port), "--from-scratch"),
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        await until(lambda: _answers(port), seconds=_START_SECONDS, what="localstripe")
        yield LocalStripe(url=f"http://127.0.0.1:{port}", pid=process.pid)
    finally:
        process.kill()
        await process.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
