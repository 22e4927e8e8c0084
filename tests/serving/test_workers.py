"""Several worker processes behind one set of ports: they share the work, are replaced, restarted and stopped."""

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import psutil
import pytest

from tests.support import command, serving
from tests.support.api import Client
from tests.support.postgres import Database
from tests.support.serving import Serving
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(180)

DRAIN_SECONDS = 1
INVOICES = "/payment-invoices"
"""The route of creations."""
IDLE_SECONDS = 0.3
"""How long a client keeps an idle connection: for less than a process that stops still listens."""


@asynccontextmanager
async def two_workers(folder: Path) -> AsyncIterator[Serving]:
    environment = {"KASSA_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    async with serving.running(folder, "--workers", "2", environment=environment) as kassa:
        yield kassa


@pytest.fixture(scope="module")
async def kassa(folders: Callable[[], Path]) -> AsyncIterator[Serving]:
    """One Kassa for the tests that leave it well."""
    async with two_workers(folders()) as running:
        yield running


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that keeps connections as a proxy should."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
    async with aiohttp.ClientSession(connector=connector) as opened:
        yield opened


def workers(kassa: Serving) -> list[psutil.Process]:
    try:
        return [each for each in psutil.Process(kassa.process.pid).children() if works(each)]
    except psutil.NoSuchProcess:
        return []


def works(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "kassa.serving.child" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def answered_by(kassa: Serving) -> set[int]:
    lines = (json.loads(line) for line in (kassa.folder / "stderr.log").read_text().splitlines())
    return {line["worker"] for line in lines if line["event"] == "request" and line.get("surface") == "base"}


async def counted(kassa: Serving, session: aiohttp.ClientSession, path: str) -> int:
    """Return how many requests of a path the metrics tell of."""
    async with session.get(f"{kassa.served.health_url}/metrics") as answer:
        text = await answer.text()
    line = rf'^kassa_http_requests_total\{{.*route="{re.escape(path)}".*surface="base"\}} (\S+)$'
    found = re.findall(line, text, re.MULTILINE)
    assert text.count("# TYPE kassa_http_requests_total ") == 1
    return int(sum(float(each) for each in found))


async def ready(kassa: Serving, session: aiohttp.ClientSession) -> bool:
    async with session.get(f"{kassa.served.health_url}/readyz") as answer:
        return answer.status == 200


@dataclass(kw_only=True)
class Load:
    """Clients that make one invoice after another, each under a name of its own."""

    client: Client
    acknowledged: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _stopped: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, clients: int) -> None:
        self._tasks = [asyncio.create_task(self._create()) for _ in range(clients)]

    async def _create(self) -> None:
        while not self._stopped:
            try:
                answer = await self.client.create()
            except aiohttp.ClientConnectorError:
                return  # no port any more
            except (aiohttp.ClientError, OSError) as error:
                self.broken.append(repr(error))
                continue
            self.acknowledged.append(answer.data["id"])

    async def more(self, count: int) -> None:
        wanted = len(self.acknowledged) + count
        await until(lambda: len(self.acknowledged) >= wanted, seconds=60, what="invoices")

    async def ended(self) -> None:
        """Wait until there is no port any more."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        self._stopped = True
        await self.ended()


@asynccontextmanager
async def loaded(kassa: Serving, session: aiohttp.ClientSession) -> AsyncIterator[Load]:
    load = Load(client=Client(session, kassa.served.base_url, kassa.served.account))
    load.start(6)
    try:
        yield load
    finally:
        await load.stop()


async def kept(kassa: Serving, invoice_ids: list[str]) -> bool:
    connection = await asyncpg.connect(kassa.served.database_url)
    try:
        found = await connection.fetchval("SELECT count(*) FROM invoices WHERE invoice_id = ANY($1)", invoice_ids)
    finally:
        await connection.close()
    return bool(found == len(set(invoice_ids)) == len(invoice_ids))


async def test_both_answer_and_what_they_count_is_added_up(kassa: Serving) -> None:
    url, sent = f"{kassa.served.base_url}/public-api/payment-invoices/cpi_none", 0

    async def ask() -> int:
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as answer:
            return answer.status

    async def both() -> bool:
        nonlocal sent
        assert set(await asyncio.gather(*(ask() for _ in range(20)))) == {404}
        sent += 20
        return answered_by(kassa) == {1, 2}

    await until(both, what="answers of both")
    async with aiohttp.ClientSession() as session:
        assert await counted(kassa, session, "/payment-invoices/{invoice_id}") == sent


async def test_a_killed_worker_is_replaced_and_nothing_acknowledged_or_counted_is_lost(
    kassa: Serving, session: aiohttp.ClientSession
) -> None:
    async with loaded(kassa, session) as load:
        await load.more(20)
        before, lost = await counted(kassa, session, INVOICES), workers(kassa)[0]
        lost.kill()
        await until(lambda: lost.pid not in pids(kassa) and len(workers(kassa)) == 2, what="another one")
        assert await ready(kassa, session)
        await load.more(20)
    assert await kept(kassa, load.acknowledged)
    assert await counted(kassa, session, INVOICES) >= before + 20
    log = (kassa.folder / "stderr.log").read_text()
    assert '"worker process ended, starting another"' in log


def pids(kassa: Serving) -> set[int]:
    return {each.pid for each in workers(kassa)}


async def test_worker_processes_are_restarted_in_turn_under_load_without_a_failed_request(
    kassa: Serving, session: aiohttp.ClientSession
) -> None:
    async with loaded(kassa, session) as load:
        for old in pids(kassa):
            await load.more(10)
            await restart(kassa, old)
            await load.more(10)
    assert load.broken == []
    assert await kept(kassa, load.acknowledged)


async def restart(kassa: Serving, pid: int) -> None:
    lines = started(kassa)
    psutil.Process(pid).send_signal(signal.SIGTERM)
    await until(lambda: pid not in pids(kassa), seconds=30, what="the end of the old one")
    await until(lambda: started(kassa) > lines, seconds=30, what="the new one")


def started(kassa: Serving) -> int:
    """Return how many worker processes have said that they are ready."""
    return (kassa.folder / "stderr.log").read_text().count('"worker process ready"')


async def test_the_shop_is_one_whoever_of_them_is_asked(kassa: Serving) -> None:
    shop = f"{kassa.served.base_url}/demo/shop"
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        form = {"order": "order-0123456789ab"}
        async with session.post(f"{shop}/buy", data=form, allow_redirects=False) as bought:
            assert (bought.status, bought.headers["location"].startswith(kassa.served.gate_url)) == (303, True)

        async def order() -> int:
            async with session.get(f"{shop}/orders/order-0123456789ab") as page:
                return page.status

        assert set(await asyncio.gather(*(order() for _ in range(20)))) == {200}
        async with session.post(f"{shop}/callbacks", data=b"x" * (256 * 1024 + 1)) as refused:
            assert refused.status == 413


async def test_sigterm_under_load_answers_all_that_was_sent(folder: Path, session: aiohttp.ClientSession) -> None:
    async with two_workers(folder) as kassa:
        old = pids(kassa)
        load = Load(client=Client(session, kassa.served.base_url, kassa.served.account))
        load.start(6)
        await load.more(20)
        kassa.process.send_signal(signal.SIGTERM)
        await until(lambda: stopping(folder) == 3, what="word of the end in all three")
        await load.stop()
        assert load.broken == []
        assert await kassa.stop() == 0
        assert not any(psutil.pid_exists(pid) for pid in old)
    async with two_workers(folder) as again:
        assert await kept(again, load.acknowledged)


def stopping(folder: Path) -> int:
    return (folder / "stderr.log").read_text().count('"event":"stopping"')


async def test_a_worker_that_ends_at_once_again_and_again_ends_kassa_with_a_sentence(folder: Path) -> None:
    async with two_workers(folder) as kassa:

        def ended() -> bool:
            if kassa.process.returncode is None:
                for each in workers(kassa):
                    each.kill()
            return kassa.process.returncode is not None

        await until(ended, seconds=60, what="the end of Kassa")
        assert kassa.process.returncode == 1
        text = "has ended 5 times in a row right after its start, the last time with status -9"
        assert text in (folder / "stderr.log").read_text().splitlines()[-1]


async def test_worker_processes_end_when_their_supervisor_is_killed(folder: Path) -> None:
    async with two_workers(folder) as kassa:
        left, url = workers(kassa), urlsplit(kassa.served.base_url)
        kassa.process.kill()
        await kassa.process.wait()
        await until(lambda: not any(each.is_running() for each in left), seconds=20, what="the end of all")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(url.hostname, url.port)


async def test_more_worker_processes_than_the_database_takes_are_refused(database: Database, folder: Path) -> None:
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_HOME": str(folder)}
    ran = await command.run("serve", "--port", "0", "--workers", "40", environment=environment)
    assert ran.status == 1
    assert ran.err.splitlines()[-1] == (
        "The database takes 97 connections, and 254 are needed for KASSA_WORKERS=40: "
        "raise max_connections in PostgreSQL, or set a lower KASSA_WORKERS or --workers."
    )
