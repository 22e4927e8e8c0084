"""The line to the database breaks at any message, most of all at writes, while payments are lived."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import cutting
from tests.support import life as lives
from tests.support.life import Creators
from tests.support.merchant import Merchant
from tests.support.visitor import Visitor
from tests.support.waiting import until
from tests.torture.lives import UNDISTURBED
from tests.torture.rig import Lived, Rig

CHANCE: Final = 0.01
ROUND: Final = 40
"""About as many breaks as it takes to live each life once."""
AFTER_SECONDS: Final = 60
"""How long merchants go on creating after the last life, until there were enough breaks."""


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """What came of it."""

    cuts: int
    writes: int
    acknowledged: int
    lives: int

    def __str__(self) -> str:
        return (
            f"{self.cuts} cuts of the database's line, {self.writes} of them at a write: {self.acknowledged} "
            f"acknowledged, none lost, none doubled; {self.lives} lives of a payment, and the books agree"
        )


async def cut(folder: Path, database_url: str, merchant: Merchant, payer: Visitor, *, cuts: int) -> Cuts:
    """Break the line at least so many times, and compare the books after. Raises ``AssertionError``."""
    async with cutting.laid(database_url) as line, lives.lived(folder) as kassa:
        kassa.environment["KASSA_DATABASE_URL"] = line.url
        kassa.database_url = database_url
        await kassa.start()
        rig = Rig(kassa=kassa, merchant=merchant, payer=payer, orders=folder / "orders")
        creators = Creators(shop=await kassa.office.account(callback_url=merchant.url))
        line.chance = CHANCE
        creators.start(2)
        over: list[Lived] = []
        while not over or line.cuts < cuts - ROUND:
            over += await _round(rig)
        await until(lambda: line.cuts >= cuts, seconds=AFTER_SECONDS, what="enough breaks")
        line.chance = 0.0
        await creators.stop()
        assert line.cut_writes
        await rig.quiet(creators.shop, *(lived.shop for lived in over))
        for lived in over:
            await rig.found(lived)
        await rig.kept(creators)
        return Cuts(cuts=line.cuts, writes=line.cut_writes, acknowledged=len(creators.acknowledged), lives=len(over))


async def _round(rig: Rig) -> list[Lived]:
    """Live each life once, side by side."""
    shops = [await rig.shop(life) for life in UNDISTURBED]
    return await asyncio.gather(*(rig.through(life, shop) for life, shop in zip(UNDISTURBED, shops, strict=True)))
