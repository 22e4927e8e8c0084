"""Kassa as several processes on one PostgreSQL: two of each part behind a proxy, and one fake bank."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.support import balancer as balancers
from tests.support import office as offices
from tests.support.balancer import Balancer
from tests.support.office import Office
from tests.support.ports import free
from tests.support.serving import Served, Serving
from tests.support.waiting import until

DRAIN_SECONDS: Final = 1
_START_SECONDS: Final = 90
_STOP_SECONDS: Final = 60


@dataclass(kw_only=True)
class Member:
    """One process; it keeps its ports when it is started again."""

    name: str
    folder: Path
    options: list[str]
    environment: Mapping[str, str]
    _process: Process | None = None

    @property
    def process(self) -> Process:
        """The process that runs."""
        assert self._process is not None
        return self._process

    @property
    def log(self) -> Path:
        """What it has logged, over all its lives."""
        return self.folder / f"{self.name}.log"

    @property
    def told(self) -> Any:
        """What its ready file says."""
        return msgspec.json.decode((self.folder / f"{self.name}.json").read_bytes())

    async def start(self) -> None:
        """Start it, and return when it is ready."""
        ready = self.folder / f"{self.name}.json"
        ready.unlink(missing_ok=True)
        command = [sys.executable, "-m", "kassa", "serve", "--demo", *self.options, "--ready-file", str(ready)]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KASSA_")}
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                env={**inherited, **self.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        await until(lambda: ready.exists() or self.process.returncode is not None, seconds=_START_SECONDS)
        assert self.process.returncode is None, self.log.read_text()[-4000:]

    async def stop(self) -> None:
        """End it well."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(self.process.wait(), _STOP_SECONDS) == 0, self.log.read_text()[-4000:]

    async def roll(self) -> None:
        """Stop it and start it again."""
        await self.stop()
        await self.start()

    async def kill(self) -> None:
        """End it as a failing machine does."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@dataclass(kw_only=True)
class Fleet:
    """All of it."""

    members: dict[str, Member]
    api: Balancer
    gate: Balancer
    bank_url: str
    _office: Office | None = field(default=None)

    @property
    def office(self) -> Office:
        """Its operator, who comes in by the proxy like everyone."""
        assert self._office is not None
        return self._office


@asynccontextmanager
async def sailing(folder: Path, database_url: str) -> AsyncIterator[Fleet]:
    """Run two of each part and one bank; what runs at the end has to end well."""
    apis, gates, (bank,) = free(2), free(2), free(1)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(balancers.balancing([f"http://127.0.0.1:{port}" for port in apis]))
        gate = await stack.enter_async_context(balancers.balancing([f"http://127.0.0.1:{port}" for port in gates]))
        shared = {
            "KASSA_HOME": str(folder / "home"),
            "KASSA_DATABASE_URL": database_url,
            "KASSA_BASE_URL": api.url,
            "KASSA_GATE_URL": gate.url,
            "KASSA_BANK_URL": f"http://127.0.0.1:{bank}",
            "KASSA_DRAIN_SECONDS": str(DRAIN_SECONDS),
        }
        ports: dict[str, list[dict[str, str]]] = {
            "api": [{"KASSA_PORT": str(port)} for port in apis],
            "gate": [{"KASSA_GATE_PORT": str(port)} for port in gates],
            "worker": [{}, {}],
            "bank": [{"KASSA_BANK_PORT": str(bank)}],
        }
        members = {
            f"{role}{number}": Member(
                name=f"{role}{number}", folder=folder, options=["--only", role], environment={**shared, **own}
            )
            for role, all_of_it in ports.items()
            for number, own in enumerate(all_of_it, 1)
        }
        fleet = Fleet(members=members, api=api, gate=gate, bank_url=shared["KASSA_BANK_URL"])
        for member in members.values():
            stack.push_async_callback(member.kill)
        await asyncio.gather(*(member.start() for member in members.values()))
        served = msgspec.convert(members["api1"].told, Served)
        serving = Serving(members["api1"].process, folder, served)
        fleet._office = await stack.enter_async_context(offices.opened(serving))
        yield fleet
        await asyncio.gather(*(member.stop() for member in members.values()))
