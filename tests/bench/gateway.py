"""The whole gateway under load: one ``kassa serve``, clients over HTTP, and the bare statements beside them."""

import contextlib
import hashlib
import random
import time
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import psutil

from tests.bench import bare, filling, load
from tests.bench.load import Caller, Rate
from tests.bench.merchant import Merchant
from tests.bench.sink import Sink
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.waiting import until

CLIENTS: Final = bare.CLIENTS
PAYERS: Final = 32
_BACKLOG: Final = 2000
"""Callbacks queued for each second of their measurement, one an invoice at most: more than are delivered."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table."""

    what: str
    rate: Rate
    bare: float | None = None


@dataclass(kw_only=True)
class Bench:
    """One merchant of one running Kassa."""

    office: Office
    owner: asyncpg.Connection
    served: Served
    process: psutil.Process
    sink: Sink
    seconds: float
    size: int = 0
    sample: str = ""
    """The paid invoice that all others are copies of."""
    plain: str = ""
    """An invoice that is told of nowhere and paid by nobody: what creations are measured with."""
    _merchant: Merchant | None = None
    _tag: str = ""
    _waits: list[float] = field(default_factory=list)
    _had: dict[int, float] = field(default_factory=dict)
    """What each process has had of the processors, in seconds."""

    async def open(self) -> None:
        """Add the merchant, and let it have its first invoice paid."""
        shop = await self.office.account()
        self._merchant = Merchant(
            base_url=self.served.base_url, account_id=shop.keys.id, api_key=shop.keys.api_key, sink=self.sink
        )
        caller = Caller()
        self.sample = await self._live(caller)
        self.plain = (await self.merchant.create(caller)).invoice_id
        self._tag = self.sample[4:8]
        caller.close()

    @property
    def merchant(self) -> Merchant:
        """The merchant, once there is one."""
        assert self._merchant is not None
        return self._merchant

    async def grow(self, size: int) -> float:
        """Fill up to so many invoices, and return the seconds that this took."""
        began = time.monotonic()
        await filling.fill(self.owner, self.sample, first=self.size + 1, last=size)
        self.size = size
        return time.monotonic() - began

    async def lines(self) -> list[Line]:
        """Measure everything at the present size."""
        url, seconds = self.served.database_url, self.seconds
        creation = await self._measured(self._create)
        bare_creation = await bare.creations(self.owner, url, self.plain, seconds=seconds)
        reading = await self._measured(self._read)
        bare_reading = await bare.reads(self.owner, url, self.sample, size=self.size, seconds=seconds)
        listing = await self._measured(self._list)
        self._waits.clear()
        living = await self._measured(self._live_once, clients=PAYERS)
        return [
            Line(what="creations", rate=creation, bare=bare_creation),
            Line(what="reads by id", rate=reading, bare=bare_reading),
            Line(what="lists, a page of 20", rate=listing),
            Line(what="whole lives", rate=living),
            Line(what="callback deliveries *", rate=await self._delivered()),
        ]

    async def _measured(self, work: load.Work, *, clients: int = CLIENTS) -> Rate:
        return await load.measure(work, clients=clients, seconds=self.seconds, spending=self._spent)

    def _spent(self) -> tuple[float, float]:
        """Return what Kassa, and what its PostgreSQL has had of the processors, in seconds."""
        for process in (self.process, *self.process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                # What one had that has ended since stays counted.
                self._had[process.pid] = times.user + times.system
        kassa = self._had[self.process.pid]
        return kassa, sum(self._had.values()) - kassa

    async def _create(self, caller: Caller) -> None:
        await self.merchant.create(caller)

    def _any_id(self) -> str:
        number = random.randint(1, self.size)  # noqa: S311 (nobody's secret)
        return f"cpi_{self._tag}{hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()[:12]}"

    async def _read(self, caller: Caller) -> None:
        await self.merchant.read(caller, self._any_id())

    async def _list(self, caller: Caller) -> None:
        await self.merchant.list(caller, self._any_id())

    async def _live_once(self, caller: Caller) -> None:
        await self._live(caller)

    async def _live(self, caller: Caller) -> str:
        """Let an invoice have a whole life, and return its id."""
        created = await self.merchant.create(caller, callback_url=self.sink.url)
        self._waits.append(await self.merchant.pay_securely(caller, created))
        return created.invoice_id

    async def _delivered(self) -> Rate:
        """Queue callbacks of many invoices, and count those that arrive; the times are those of the whole lives."""
        await self._quiet()
        self.sink.reset()
        now = self.office.clock.real()
        url = f"{self.sink.url}/queued"
        queued = min(round(self.seconds * _BACKLOG), self.size)
        await self.owner.execute(_QUEUE, self.sample, url, now, queued)
        end = time.monotonic() + self.seconds
        await until(lambda: self.sink.received >= queued or time.monotonic() >= end, seconds=self.seconds + 5)
        count, seconds = self.sink.received, self.sink.last - self.sink.first
        await self.owner.execute("DELETE FROM callbacks WHERE url = $1", url)
        waits = load.rate(self._waits, self.seconds)
        return Rate(per_second=count / max(seconds, 0.001), p50=waits.p50, p99=waits.p99)

    async def _quiet(self) -> None:
        """Wait until nothing is told any more."""

        async def quiet() -> bool:
            return not await self.owner.fetchval("SELECT count(*) FROM callbacks WHERE due_at IS NOT NULL")

        await until(quiet, seconds=30, what="the end of all callbacks under way")


_QUEUE: Final = """
INSERT INTO callbacks (account_id, callback_id, invoice_id, test_mode, invoice_status, final, logged_at, url, body,
    status, created_at, due_at)
SELECT account_id, 'msg_' || substr(callback_id, 5, 4) || substr(md5(n::text), 1, 12),
    left(invoice_id, 8) || substr(md5(n::text), 1, 12), test_mode, invoice_status, final, logged_at, $2, body,
    'pending', $3, $3
FROM (SELECT * FROM callbacks WHERE invoice_id = $1 ORDER BY logged_at LIMIT 1) s
CROSS JOIN generate_series(1, $4::int) AS n
"""
