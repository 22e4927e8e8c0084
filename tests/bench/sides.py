"""One Kassa of two that are compared: its checkout, its home and its PostgreSQL, reached as its users reach it.

Nothing here looks inside: only the command line, the settings and HTTP are used, which an older commit has as well.
"""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import psutil

from tests.bench import server
from tests.bench.merchant import Merchant
from tests.bench.processors import spent
from tests.bench.server import Database
from tests.bench.sink import Sink
from tests.bench.trees import Tree
from tests.support.ports import free
from tests.support.waiting import until

FRONT: Final = ("api", "gate")
WORKER: Final = ("worker",)
BANK: Final = ("bank",)

_START_SECONDS: Final = 90
_STOP_SECONDS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Kassa:
    """A side's processes, while they run."""

    merchant: Merchant
    parts: Mapping[tuple[str, ...], int]
    """Each process's id, by the parts that it runs."""

    def spent(self) -> float:
        """Return what Kassa has had of the processors, in seconds: all but the fake bank."""
        return sum(spent(pid) for parts, pid in self.parts.items() if parts != BANK)

    def ports(self, parts: tuple[str, ...]) -> set[int]:
        """Return the ports that a process, with its children, is connected from."""
        process = psutil.Process(self.parts[parts])
        everyone = (process, *process.children(recursive=True))
        return {
            line.laddr.port
            for each in everyone
            for line in each.net_connections("tcp4")
            if line.status == psutil.CONN_ESTABLISHED
        }


@dataclass(frozen=True, kw_only=True)
class Side:
    """Its home and its database, which outlive its processes."""

    tree: Tree
    folder: Path
    database: Database
    sink: Sink
    environment: Mapping[str, str]

    @asynccontextmanager
    async def running(self, *, apart: bool = False) -> AsyncIterator[Kassa]:
        """Run it: the bank in a process of its own, and the worker too where it is wanted apart from the rest."""
        parts = [BANK, FRONT, WORKER] if apart else [BANK, (*FRONT, *WORKER)]
        async with AsyncExitStack() as stack:
            pids, ready = {}, {}
            for each in parts:
                pids[each], ready[each] = await stack.enter_async_context(self._process(each))
            account = ready[parts[1]]["account"]
            merchant = Merchant(
                base_url=self.environment["KASSA_BASE_URL"],
                account_id=account["id"],
                api_key=account["api_key"],
                sink=self.sink,
            )
            yield Kassa(merchant=merchant, parts=pids)

    async def command(self, *words: str) -> None:
        """Run a command of this side's own ``kassa``."""
        log = self.folder / "commands.log"
        with log.open("ab") as output:
            process = await self._start(words, output)
        assert await process.wait() == 0, _end(log)

    @asynccontextmanager
    async def _process(self, parts: Sequence[str]) -> AsyncIterator[tuple[int, dict[str, Any]]]:
        name = "-".join(parts)
        ready, log = self.folder / f"{name}.json", self.folder / f"{name}.log"
        only = [word for part in parts for word in ("--only", part)]
        with log.open("ab") as output:
            process = await self._start(["serve", "--demo", *only, "--ready-file", str(ready)], output)
        try:
            await until(lambda: ready.exists() or process.returncode is not None, seconds=_START_SECONDS, what=name)
            assert process.returncode is None, _end(log)
            yield process.pid, msgspec.json.decode(ready.read_bytes())
            assert process.returncode is None, _end(log)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), _STOP_SECONDS) == 0, _end(log)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _start(self, words: Sequence[str], output: Any) -> Process:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("KASSA_", "PYTHON"))}
        return await asyncio.create_subprocess_exec(
            *(str(self.tree.python), "-m", "kassa", *words),
            env={**inherited, **self.environment},
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )


@asynccontextmanager
async def opened(tree: Tree, folder: Path, sink: Sink) -> AsyncIterator[Side]:
    """Make a side with an empty database in a folder."""
    ports = dict(zip(("API", "GATE", "BANK"), free(3), strict=True))
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    async with server.running(folder) as database:
        environment = {
            "KASSA_HOME": str(folder / "home"),
            "KASSA_DATABASE_URL": database.url,
            "KASSA_PORT": str(ports["API"]),
            "KASSA_GATE_PORT": str(ports["GATE"]),
            "KASSA_BANK_PORT": str(ports["BANK"]),
            "KASSA_BASE_URL": urls["API"],
            "KASSA_GATE_URL": urls["GATE"],
            "KASSA_BANK_URL": urls["BANK"],
            "KASSA_DRAIN_SECONDS": "0",
        }
        yield Side(tree=tree, folder=folder, database=database, sink=sink, environment=environment)


def _end(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-40:])
