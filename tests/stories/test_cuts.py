"""The line to the database breaks at any message, most of all at commits: nothing is lost, nothing happens twice."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.support import cutting
from tests.support import life as lives
from tests.support.life import Creators
from tests.support.merchant import Merchant
from tests.support.postgres import Database
from tests.support.visitor import Visitor
from tests.support.waiting import until
from tests.torture.lives import LIVES
from tests.torture.rig import Rig

CUTS: Final = 40
CHANCE: Final = 0.01


@pytest.mark.timeout(120)
async def test_a_line_that_breaks_at_any_moment_loses_and_doubles_nothing(
    folder: Path, database: Database, merchant: Merchant, payer: Visitor
) -> None:
    async with cutting.laid(database.url) as line, lives.lived(folder) as kassa:
        kassa.environment["KASSA_DATABASE_URL"] = line.url
        kassa.database_url = database.url
        await kassa.start()
        rig = Rig(kassa=kassa, merchant=merchant, payer=payer, orders=folder / "orders")
        shops = [await rig.shop(life) for life in LIVES]
        creators = Creators(shop=await kassa.office.account(callback_url=merchant.url))
        line.chance = CHANCE
        creators.start(2)
        undisturbed = [life for life in LIVES if life.cards and not (life.desk or life.reserve)]
        over = await asyncio.gather(
            *(rig.through(life, shop) for life, shop in zip(LIVES, shops, strict=True) if life in undisturbed)
        )
        await until(lambda: line.cuts >= CUTS, seconds=60, what="enough breaks")
        line.chance = 0.0
        await creators.stop()
        assert line.cut_commits
        await rig.quiet(*(lived.shop for lived in over))
        for lived in over:
            await rig.found(lived)
        shop = kassa.office.client(creators.shop.keys)
        there = [partial(rig.patiently, partial(shop.read, each)) for each in creators.acknowledged.values()]
        found = await asyncio.gather(*(read() for read in there))
        assert [answer.attributes["reference_id"] for answer in found] == list(creators.acknowledged)
        assert await creators.again(shop) <= {201, 409}
        rows = await kassa.office.rows(shop.keys.id)
        assert rows["invoices"] == len(creators.acknowledged) + len(creators.unanswered)
