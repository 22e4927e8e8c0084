from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import office as offices
from tests.support import visitor
from tests.support import world as worlds
from tests.support.office import Office
from tests.support.postgres import Database
from tests.support.serving import Serving
from tests.support.visitor import Visitor
from tests.support.world import World


@pytest.fixture(scope="module")
async def world(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A platform and a bank for the tests of one file, each of which uses an account of its own."""
    home: Path = tmp_path_factory.mktemp("world")
    async with worlds.opened(module_database, home) as opened:
        yield opened


@pytest.fixture(scope="session")
async def office(serving_kassa: Serving) -> AsyncIterator[Office]:
    """The operator of the running Kassa."""
    async with offices.opened(serving_kassa) as opened:
        yield opened


@pytest.fixture
async def payer() -> AsyncIterator[Visitor]:
    """Somebody with scripts off."""
    async with visitor.visiting() as visiting:
        yield visiting
