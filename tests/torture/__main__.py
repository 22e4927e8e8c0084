"""The long form: every life, every place that it meets, the first times there, and the storms (``make torture``)."""

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from kassa import failpoints
from tests.support import life as lives
from tests.support import merchant as merchants
from tests.support import visitor as visitors
from tests.support.life import Life as Kassa
from tests.support.merchant import Merchant
from tests.torture import storms
from tests.torture.lives import LIVES
from tests.torture.rig import Rig

TIMES: Final = 3
DATABASE_KILLS: Final = 100

_console = Console()


async def main() -> bool:
    """Run everything, tell what broke, and return whether anything did."""
    # What the tests' own connections to a killed database have to say.
    for name in ("aiohttp.server", "asyncio", "asyncpg"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="kassa-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # noqa: ASYNC240 (nothing else runs yet; the database runs as somebody else)
        broken = await _deaths(folder / "deaths")
        stormy = [await _storm(folder / "killed", partial(storms.database_killed, kills=DATABASE_KILLS))]
        if os.geteuid() == 0:
            with storms.small_disk(folder / "disk") as disk:
                stormy.append(await _storm(disk / "full", storms.disk_filled))
        else:
            _console.print("Not root: the full disk is left out, for nobody else can make a small one.")
    for storm in stormy:
        told = "the books agree" if storm.whole else "THE BOOKS DIFFER"
        _console.print(f"{storm.name}: {storm.acknowledged} acknowledged, {storm.lost} lost, {told}")
    return bool(broken) or any(storm.lost or not storm.whole for storm in stormy)


async def _deaths(folder: Path) -> list[str]:
    cases = [(life, point, times) for life in LIVES for point in sorted(life.meets) for times in range(1, TIMES + 1)]
    broken: list[str] = []
    kills = 0
    async with _place(folder) as (kassa, merchant), visitors.visiting() as payer:
        orders = folder / "orders"
        kassa.environment[failpoints.VARIABLE] = str(orders)
        rig = Rig(kassa=kassa, merchant=merchant, payer=payer, orders=orders)
        for number, (life, point, times) in enumerate(cases, 1):
            try:
                kills += await rig.live(life, point, times)
            except AssertionError as error:
                broken.append(f"{life.name}, {point} {times}: {error}")
                _console.print(broken[-1], style="red")
            merchant.received.clear()
            if number % len(LIVES) == 0:
                _console.print(f"{number} of {len(cases)} lives, {kills} kills, {len(broken)} broken")
    return broken


async def _storm(folder: Path, storm: Callable[[Kassa, Merchant], Awaitable[storms.Storm]]) -> storms.Storm:
    async with _place(folder) as (kassa, merchant):
        return await storm(kassa, merchant)


@asynccontextmanager
async def _place(folder: Path) -> AsyncIterator[tuple[Kassa, Merchant]]:
    folder.mkdir(mode=0o755)  # noqa: ASYNC240 (nothing else runs yet)
    async with lives.lived(folder) as kassa, merchants.listening() as merchant:
        yield kassa, merchant


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
