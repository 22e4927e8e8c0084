from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kassa.accounts.model import Account
from tests.support import world as worlds
from tests.support.postgres import Database
from tests.support.world import World


@pytest.fixture(scope="module")
async def world(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A platform and a bank for the tests of one file, each of which uses an account of its own."""
    home: Path = tmp_path_factory.mktemp("world")
    async with worlds.opened(module_database, home) as opened:
        yield opened


@pytest.fixture(scope="module")
async def eldest(world: World) -> Account:
    """The account that had the bank's merchant first, which all accounts share: what is nobody's is its own."""
    return await world.account()


@pytest.fixture(autouse=True)
def _time_is_real_and_the_line_works(world: World, eldest: Account) -> Iterator[None]:
    world.platform.clock.test_offset = timedelta()
    yield
    world.wire.fault = None
