"""What happens to a whole machine under load: its processes killed again and again, its disk full."""

import asyncio
import itertools
import random
import shutil
import subprocess
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp

from tests.support import visitor as visitors
from tests.support.api import Client
from tests.support.life import Creators
from tests.support.life import Life as Kassa
from tests.support.merchant import Merchant
from tests.support.waiting import until
from tests.torture.lives import UNDISTURBED
from tests.torture.rig import Lived, Rig

LOAD: Final = 20
"""Acknowledged invoices between two blows."""
STORM_SECONDS: Final = 600
"""How long a life may take in which everything is killed again and again."""
DISK: Final = "160m"
BALLAST: Final = "ballast"


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What came of one."""

    name: str
    acknowledged: int
    lives: int

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.acknowledged} acknowledged, none lost, none doubled; "
            f"{self.lives} lives of a payment, and the books agree"
        )


async def database_killed(kassa: Kassa, merchant: Merchant, *, kills: int) -> Storm:
    """Kill the database's first process so many times."""
    async with _weather(kassa, merchant) as weather:
        for _ in range(kills):
            await weather.load(LOAD)
            kassa.kill_postmaster()
            await until(kassa.ready, seconds=60, what="the database's return")
    return weather.judged(f"{kills} kills of the database")


async def disk_filled(kassa: Kassa, merchant: Merchant, *, times: int) -> Storm:
    """Fill the disk that all of Kassa is on, the bank of the test world too, and make room again; so many times."""
    ballast = kassa.folder / BALLAST
    async with _weather(kassa, merchant) as weather:
        for _ in range(times):
            over = len(weather.over)
            await weather.load(LOAD)
            weather.creators.statuses.clear()
            await asyncio.to_thread(_fill, ballast)
            await until(lambda: 503 in weather.creators.statuses, seconds=120, what="a disk that is full")
            assert weather.creators.statuses <= {201, 409, 503}, weather.creators.statuses
            ballast.unlink()
            await until(lambda: len(weather.over) > over, seconds=90, what="the end of a life")  # noqa: B023
    return weather.judged(f"a disk that was full {times} times")


async def soaked(kassa: Kassa, merchant: Merchant, *, minutes: float, seed: int) -> Storm:
    """Kill Kassa, its database, or both, at moments that a seed chooses, for so many minutes."""
    dice, kills = random.Random(seed), Counter[str]()  # noqa: S311 (the same seed is to bring the same)
    end = time.monotonic() + 60 * minutes
    async with _weather(kassa, merchant) as weather:
        while time.monotonic() < end:
            await weather.load(dice.randrange(1, 2 * LOAD))
            victims = dice.choice((("the database",), ("Kassa",), ("the database", "Kassa")))
            kills.update(victims)
            before = (kassa.postmaster(), kassa.serving.process if "Kassa" in victims else None)
            if "the database" in victims:
                kassa.kill_postmaster()
            if "Kassa" in victims:
                # Whoever lives his life next finds that it is dead, and starts it; its database goes with it.
                kassa.serving.process.kill()
            await until(partial(_replaced, kassa, *before), seconds=90, what="the next life")
    told = " and ".join(f"{count} kills of {victim}" for victim, count in sorted(kills.items()))
    return weather.judged(f"{minutes:g} minutes with {told} (seed {seed})")


def _replaced(kassa: Kassa, postmaster: int | None, process: Process | None) -> bool:
    """Tell whether what was killed has been started again: nobody's number may be taken for another's."""
    database = kassa.postmaster() not in (None, postmaster)
    return database and kassa.serving.process is not process


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a folder on a disk of its own, in memory: only root on Linux can."""
    folder.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={DISK}", "kassa", folder], check=True)
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", folder], check=True)


@dataclass(frozen=True, kw_only=True)
class _Weather:
    """Merchants who create invoices, and one life after the other, whatever happens meanwhile."""

    rig: Rig
    creators: Creators
    over: list[Lived]

    async def load(self, count: int) -> None:
        """Wait until so many more invoices were acknowledged."""
        before = len(self.creators.acknowledged)
        await until(lambda: len(self.creators.acknowledged) >= before + count, seconds=90, what="load")

    async def live(self, ended: asyncio.Event) -> None:
        """Live lives until an event: side by side, each would move the clock that ends the others."""
        for life in itertools.cycle(UNDISTURBED):
            if ended.is_set():
                break
            shop = await self.rig.patiently(partial(self.rig.shop, life))
            self.over.append(await self.rig.through(life, shop))

    def judged(self, name: str) -> Storm:
        """Say what came of it, once all has been found in order."""
        return Storm(name=name, acknowledged=len(self.creators.acknowledged), lives=len(self.over))


@asynccontextmanager
async def _weather(kassa: Kassa, merchant: Merchant) -> AsyncIterator[_Weather]:
    """Put a Kassa under load; at the end let it come to rest, and compare all books. Raises ``AssertionError``."""
    await kassa.start()
    keys = (await kassa.office.account(callback_url=merchant.url)).keys
    async with visitors.visiting() as payer, aiohttp.ClientSession() as session:
        orders = kassa.folder / "orders"
        rig = Rig(kassa=kassa, merchant=merchant, payer=payer, orders=orders, patience_seconds=STORM_SECONDS)
        # They outlive Kassa and its operator.
        creators = Creators(shop=Client(session, kassa.office.base_url, keys))
        weather, ended = _Weather(rig=rig, creators=creators, over=[]), asyncio.Event()
        living = asyncio.create_task(weather.live(ended))
        creators.start(6)
        try:
            yield weather
        finally:
            ended.set()
            await creators.stop()
            await living
        await rig.quiet(creators.shop, *(lived.shop for lived in weather.over))
        for lived in weather.over:
            await rig.found(lived)
        await rig.kept(creators)


def _fill(ballast: Path) -> None:
    with ballast.open("wb") as file:
        for size in (1 << 20, 1 << 12):
            try:
                while shutil.disk_usage(ballast.parent).free:
                    file.write(bytes(size))
                    file.flush()
            except OSError:
                continue
