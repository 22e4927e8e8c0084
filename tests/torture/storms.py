"""What happens to a whole machine: its database killed again and again, its disk full, under load."""

import asyncio
import itertools
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from tests.support import books
from tests.support import visitor as visitors
from tests.support.api import Client
from tests.support.life import Creators
from tests.support.life import Life as Kassa
from tests.support.merchant import Merchant
from tests.support.waiting import until
from tests.torture.lives import LIVES
from tests.torture.rig import PACE_SECONDS, Lived, Rig

LOAD: Final = 20
"""Acknowledged invoices between two deaths of the database."""
DISK: Final = "160m"
BALLAST: Final = "ballast"


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What came of one."""

    name: str
    acknowledged: int
    lost: int
    whole: bool
    """Whether all books agree."""


async def database_killed(kassa: Kassa, merchant: Merchant, *, kills: int) -> Storm:
    """Kill the database's first process so many times while merchants create invoices, and lives are lived."""
    await kassa.start()
    creators = Creators(shop=await kassa.office.account(callback_url=merchant.url))
    creators.start(6)
    async with visitors.visiting() as payer:
        rig = Rig(kassa=kassa, merchant=merchant, payer=payer, orders=kassa.folder / "orders")
        killing = asyncio.Event()
        living = asyncio.create_task(_lives(rig, killing))
        for _ in range(kills):
            before = len(creators.acknowledged)
            await until(lambda: len(creators.acknowledged) >= before + LOAD, seconds=60, what="load")  # noqa: B023
            kassa.kill_postmaster()
            await until(kassa.ready, seconds=60, what="the database's return")
        killing.set()
        await creators.stop()
        over = await living
        await rig.quiet(*(lived.shop for lived in over))
        for lived in over:
            await rig.found(lived)
    return await _judged(f"{kills} kills of the database", kassa, creators)


async def disk_filled(kassa: Kassa, merchant: Merchant) -> Storm:
    """Fill the disk that all of Kassa is on while merchants create invoices, and make room again."""
    await kassa.start()
    creators = Creators(shop=await kassa.office.account(callback_url=merchant.url))
    creators.start(6)
    await until(lambda: len(creators.acknowledged) >= LOAD, seconds=60, what="load")
    ballast = kassa.folder / BALLAST
    await asyncio.to_thread(_fill, ballast)
    await until(lambda: 503 in creators.statuses, seconds=120, what="a disk that is full")
    ballast.unlink()
    before = len(creators.acknowledged)
    await until(lambda: len(creators.acknowledged) > before + LOAD, seconds=60, what="the load's return")
    await creators.stop()
    assert creators.statuses <= {201, 409, 503}, creators.statuses
    return await _judged("a disk that was full", kassa, creators)


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


async def _lives(rig: Rig, ended: asyncio.Event) -> list[Lived]:
    """Live one life after the other until an event: side by side, each would move the clock that ends the others."""
    over: list[Lived] = []
    for life in itertools.cycle(life for life in LIVES if life.cards and not (life.desk or life.reserve)):
        if ended.is_set():
            break
        shop = await rig.patiently(partial(rig.shop, life))
        over.append(await rig.through(life, shop))
    return over


async def _judged(name: str, kassa: Kassa, creators: Creators) -> Storm:
    shop: Client = kassa.office.client(creators.shop.keys)
    await creators.again(shop)

    async def quiet() -> bool:
        if await books.quiet(kassa.office, shop.keys.id):
            return True
        await kassa.advance(seconds=PACE_SECONDS)
        return False

    await until(quiet, seconds=300, what="quiet")
    there = {row["reference_id"] for row in await _invoices(kassa, shop)}
    return Storm(
        name=name,
        acknowledged=len(creators.acknowledged),
        lost=len(set(creators.acknowledged) - there),
        whole=await books.agree(kassa.office, kassa.serving.served.bank_url),
    )


async def _invoices(kassa: Kassa, shop: Client) -> list[dict[str, str]]:
    return await kassa.office.fetch("SELECT reference_id FROM invoices WHERE account_id = $1", shop.keys.id)


def _fill(ballast: Path) -> None:
    with ballast.open("wb") as file:
        for size in (1 << 20, 1 << 12):
            try:
                while shutil.disk_usage(ballast.parent).free:
                    file.write(bytes(size))
                    file.flush()
            except OSError:
                continue
