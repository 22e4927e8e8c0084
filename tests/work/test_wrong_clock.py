"""A worker on a machine whose clock is wrong ends no invoice early: it takes nothing until the clock is set."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kassa import app
from kassa.clock import Clock
from kassa.serving.readiness import Readiness
from kassa.work.worker import Worker
from tests.support import world as worlds
from tests.support.postgres import Database
from tests.support.waiting import until

WRONG = {"ahead": timedelta(hours=1), "behind": timedelta(hours=-1)}


class Turned(Clock):
    """A machine's clock that is set wrong, and counts who looks at it."""

    step = timedelta()
    looks = 0

    def real(self) -> datetime:  # type: ignore[override]  # this one is a machine's own
        self.looks += 1
        return datetime.now(UTC) + self.step  # noqa: TID251  # the clock's double


@pytest.mark.parametrize("direction", WRONG)
async def test_a_worker_whose_clock_is_wrong_takes_nothing(database: Database, tmp_path: Path, direction: str) -> None:
    async with worlds.opened(database, tmp_path) as world:
        clock = Turned()
        platform, account = replace(world.platform, clock=clock), await world.account()
        invoice = await world.invoice(account)
        readiness = Readiness(platform, database.url)
        clock.step = WRONG[direction]
        # By this clock the invoice is over: in the one case too early, in the other for an hour.
        clock.test_offset = timedelta(hours=0 if direction == "ahead" else 2)
        await app.compare(platform.clock, platform.pool)
        with capture_logs() as lines:
            worker = Worker(platform.pool, clock, app.jobs(platform))
            running = asyncio.create_task(worker.run())
            looks = clock.looks
            await until(lambda: clock.looks >= looks + 30, what="some rounds")
            assert (await readiness.checks())["clock"] == "3600 s from the database's"
            assert (await world.changes(invoice)).status == "process_pending"
            clock.step, clock.test_offset = timedelta(), timedelta(hours=2)

            async def ended() -> bool:
                return (await world.changes(invoice)).status == "process_failed"

            await until(ended)
            assert (await readiness.checks())["clock"] == ""
            await worker.stop()
            await running
        assert [line["event"] for line in lines].count("no work taken, the clock is wrong") == 1
