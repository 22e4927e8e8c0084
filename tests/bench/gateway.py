"""The whole gateway under load: one ``kassa serve``, clients over HTTP, and the bare statements beside them."""

import asyncio
import base64
import contextlib
import hashlib
import random
import time
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import msgspec
import psutil

from tests.bench import bare, filling, load
from tests.bench.load import Caller, Rate
from tests.bench.sink import Sink
from tests.support.api import INVOICES, private_body
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.waiting import until
from tests.support.world import GOOD_SECURE

CLIENTS: Final = bare.CLIENTS
PAYERS: Final = 32
_BACKLOG: Final = 2000
"""Callbacks queued for each second of their measurement, one an invoice at most: more than are delivered."""
_FORM: Final = "Content-Type: application/x-www-form-urlencoded\r\n"
_CARD: Final = f"number=1&card_number={GOOD_SECURE}&expiry=12%2F30&cvc=123".encode()


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
    _headers: str = ""
    _tag: str = ""
    _waits: list[float] = field(default_factory=list)
    _had: dict[int, float] = field(default_factory=dict)
    """What each process has had of the processors, in seconds."""

    async def open(self) -> None:
        """Add the merchant, and let it have its first invoice paid."""
        shop = await self.office.account()
        token = base64.b64encode(f"{shop.keys.id}:{shop.keys.api_key}".encode()).decode()
        self._headers = f"Authorization: Basic {token}\r\nContent-Type: application/json\r\n"
        caller = Caller()
        self.sample = await self._live(caller)
        self.plain = (await self._created(caller))[0]
        self._tag = self.sample[4:8]
        caller.close()

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
        await self._created(caller)

    async def _created(self, caller: Caller, **asked: object) -> tuple[str, str]:
        """Create an invoice, and return its id and its card page."""
        body = msgspec.json.encode(private_body(**asked))
        reply = await caller.ask("POST", f"{self.served.base_url}{INVOICES}", headers=self._headers, body=body)
        assert reply.status == 201, reply.body
        data = msgspec.json.decode(reply.body)["data"]
        return data["id"], data["attributes"]["flow_data"]["action"]

    def _any_id(self) -> str:
        number = random.randint(1, self.size)  # noqa: S311 (nobody's secret)
        return f"cpi_{self._tag}{hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()[:12]}"

    async def _read(self, caller: Caller) -> None:
        url = f"{self.served.base_url}{INVOICES}/{self._any_id()}"
        reply = await caller.ask("GET", url, headers=self._headers)
        assert reply.status == 200, reply.body

    async def _list(self, caller: Caller) -> None:
        url = f"{self.served.base_url}{INVOICES}?page[size]=20&page[after]={self._any_id()}"
        reply = await caller.ask("GET", url, headers=self._headers)
        assert reply.status == 200, reply.body

    async def _live_once(self, caller: Caller) -> None:
        await self._live(caller)

    async def _live(self, caller: Caller) -> str:
        """Create, pay by card, approve at the bank's page, come back, and wait until the merchant is told."""
        invoice_id, page = await self._created(caller, callback_url=self.sink.url)
        told = self.sink.paid(invoice_id)
        sent = await caller.ask("POST", page, headers=_FORM, body=_CARD)
        assert sent.header(b"location").endswith("/3ds"), sent
        onward = await caller.ask("GET", f"{page}/3ds")
        challenge = onward.body.partition(b'content="0;url=')[2].partition(b'"')[0].decode()
        pressed = await caller.ask("POST", challenge, headers=_FORM, body=b"decision=approve")
        approved = time.monotonic()
        back = await caller.ask("GET", pressed.header(b"location"))
        assert back.status == 303, back
        async with asyncio.timeout(60):
            self._waits.append(await told - approved)
        return invoice_id

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
