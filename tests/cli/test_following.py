import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
from structlog.testing import capture_logs

from kassa import app
from tests.support import world as worlds
from tests.support.postgres import Database
from tests.support.waiting import until


def failures(lines: Sequence[Any]) -> int:
    return sum(line["log_level"] == "error" for line in lines)


async def test_what_nobody_expected_does_not_end_the_following_of_the_operator(
    database: Database, tmp_path: Path
) -> None:
    owner = await asyncpg.connect(database.url)
    async with worlds.opened(database, tmp_path) as world:
        with capture_logs() as lines:
            following = asyncio.create_task(app.follow_operator(world.platform))
            await owner.execute("ALTER TABLE test_clock RENAME TO away")
            await until(lambda: failures(lines) or following.done(), what="the failure")
            assert not following.done()
            await owner.execute("ALTER TABLE away RENAME TO test_clock")
            await owner.execute("UPDATE test_clock SET test_offset = '1 hour'")
            await until(lambda: world.platform.clock.test_offset == timedelta(hours=1), what="the clock")
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    await owner.close()
    assert failures(lines) == 1
