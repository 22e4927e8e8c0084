from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support import world as worlds
from tests.support.listener import listen
from tests.support.postgres import Database
from tests.support.world import World

__all__ = ["listen"]


@pytest.fixture(scope="module")
async def world(module_database: Database, folders: Callable[[], Path]) -> AsyncIterator[World]:
    async with worlds.opened(module_database, folders()) as opened:
        yield opened
