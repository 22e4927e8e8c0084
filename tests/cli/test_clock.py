from datetime import timedelta

import pytest

from kassa.cli.clock import read_duration
from kassa.db import queries
from kassa.errors import Invalid
from kassa.sealing import Root
from tests.support import command
from tests.support.command import Ran
from tests.support.postgres import Database


async def clock(database: Database, *words: str) -> Ran:
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_SECRET_KEY": Root.generate()}
    return await command.run("clock", *words, environment=environment)


async def test_the_clock_of_test_mode_moves_on_and_comes_back(database: Database) -> None:
    assert (await clock(database, "show")).out.endswith(" UTC in test mode, the same as real time\n")
    assert (await clock(database, "advance", "3h")).out.endswith(" UTC in test mode, 3:00:00 ahead of real time\n")
    await clock(database, "advance", "1d30m")
    assert await queries.test_offset(database.pool) == timedelta(days=1, hours=3, minutes=30)
    await clock(database, "reset")
    assert await queries.test_offset(database.pool) == timedelta()


async def test_the_clock_goes_no_further_than_ten_years(database: Database) -> None:
    assert (await clock(database, "advance", "3649d")).status == 0
    ran = await clock(database, "advance", "2d")
    assert (ran.status, ran.err) == (1, "duration: Test mode goes no further than 3650 days ahead.\n")
    assert await queries.test_offset(database.pool) == timedelta(days=3649)


@pytest.mark.parametrize(
    "text,duration",
    [
        ("3h", timedelta(hours=3)),
        ("90m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1D2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        (" 45s ", timedelta(seconds=45)),
    ],
)
def test_a_duration_is_read(text: str, duration: timedelta) -> None:
    assert read_duration(text) == duration


@pytest.mark.parametrize("text", ["", "0h", "3", "h", "-3h", "3 h", "1m2h", "3w", "999999d", "٣h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_duration(text)
