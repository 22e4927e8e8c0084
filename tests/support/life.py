"""One Kassa through several deaths: the same home and the same ports each time, and a line to its bank."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp

from tests.support import office as offices
from tests.support import ports
from tests.support import serving as servings
from tests.support import wire as wires
from tests.support.api import Client
from tests.support.office import Office
from tests.support.serving import Serving
from tests.support.wire import Wire

_PACE_SECONDS = 0.1


@dataclass(kw_only=True)
class Life:
    """A Kassa that is killed and started again."""

    folder: Path
    wire: Wire
    options: list[str]
    environment: dict[str, str]
    database_url: str | None = None
    """The operator's own way to the database, where Kassa's is disturbed."""
    _running: Serving | None = None
    _office: Office | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def serving(self) -> Serving:
        """The present run."""
        assert self._running is not None
        return self._running

    @property
    def started(self) -> bool:
        """Whether it has ever run."""
        return self._running is not None

    @property
    def office(self) -> Office:
        """Its operator."""
        assert self._office is not None
        return self._office

    async def start(self) -> None:
        """Start it, unless it runs."""
        if self._running is not None and self._running.process.returncode is None:
            return
        await self._stack.aclose()
        self._running = await servings.start(self.folder, *self.options, environment=self.environment)
        try:
            self._office = await self._stack.enter_async_context(offices.opened(self._running, url=self.database_url))
        except BaseException:
            # It may have died under its operator's hands; one without an operator is of no use.
            await self.kill()
            raise

    async def kill(self) -> None:
        """End it as a failing machine does: at once, with no chance to say a word."""
        with suppress(ProcessLookupError):
            self.serving.process.kill()
        await self.serving.process.wait()
        await self._stack.aclose()

    async def restart(self) -> None:
        """Kill it and start it again."""
        await self.kill()
        await self.start()

    async def stop(self) -> None:
        """End it well."""
        await self._stack.aclose()
        if self._running is not None and self._running.process.returncode is None:
            assert await self._running.stop() == 0

    def listens(self) -> bool:
        """Tell whether somebody listens where the API is."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.options[-1]))) == 0

    async def ready(self) -> bool:
        """Tell whether it says that it can do its work."""
        async with self.office.session.get(f"{self.serving.served.health_url}/readyz") as answer:
            return answer.status == 200

    def kill_postmaster(self) -> None:
        """Kill the database's first process; its children see to themselves."""
        number = self.postmaster()
        assert number is not None
        os.kill(number, signal.SIGKILL)

    def postmaster(self) -> int | None:
        """Return the number of the database's first process, as its file tells it; None while there is no file."""
        try:
            text = (self.folder / "home" / "postgres" / "data" / "postmaster.pid").read_text()
        except FileNotFoundError:
            return None
        return int(text.splitlines()[0]) if text else None

    async def advance(self, **step: float) -> None:
        """Move the clock of test mode on."""
        await self.office.advance(timedelta(**step))


@dataclass(kw_only=True)
class Creators:
    """Merchants that create invoices one after the other, and ask again where no good answer came: honest ones."""

    shop: Client
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Ids by reference, of all that were answered with 201, or with 409 when asked again."""
    unanswered: list[str] = field(default_factory=list)
    """References whose answer had not come at the end."""
    statuses: set[int] = field(default_factory=set)
    _numbers: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: bool = False

    def start(self, count: int) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._create()) for _ in range(count)]

    async def stop(self) -> None:
        """Stop, and let what is under way end."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def again(self, shop: Client) -> set[int]:
        """Ask once more for whatever was not answered, and return the statuses."""
        return {(await shop.create(reference_id=reference)).status for reference in self.unanswered}

    async def _create(self) -> None:
        while not self._stopping:
            self._numbers += 1
            reference = f"order {self._numbers}"
            while not await self._answered(reference):
                if self._leave(reference):
                    break
                await asyncio.sleep(_PACE_SECONDS)

    def _leave(self, reference: str) -> bool:
        if self._stopping:
            self.unanswered.append(reference)
        return self._stopping

    async def _answered(self, reference: str) -> bool:
        try:
            answer = await self.shop.create(reference_id=reference)
        except (aiohttp.ClientError, OSError):
            return False
        self.statuses.add(answer.status)
        if answer.status not in (201, 409):
            return False
        self.acknowledged[reference] = answer.document["data"]["id"]
        return True


@asynccontextmanager
async def lived(folder: Path) -> AsyncIterator[Life]:
    """Give a Kassa that is not started yet; what runs at the end has to end well."""
    base, gate, bank = ports.free(3)
    async with wires.laid(f"http://127.0.0.1:{bank}") as wire:
        environment = {
            "KASSA_GATE_PORT": str(gate),
            "KASSA_BANK_PORT": str(bank),
            "KASSA_BANK_URL": wire.url,
            "KASSA_HEALTH_PORT": "0",
        }
        life = Life(folder=folder, wire=wire, options=["--port", str(base)], environment=environment)
        try:
            yield life
        finally:
            wire.let_go.set()
            await life.stop()
