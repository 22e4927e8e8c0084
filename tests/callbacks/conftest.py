from collections.abc import AsyncIterator

import pytest

from kassa.platform import Platform
from tests.support import platform as platforms
from tests.support.listener import listen
from tests.support.postgres import Database

__all__ = ["listen"]


@pytest.fixture
async def platform(database: Database) -> AsyncIterator[Platform]:
    async with platforms.opened(database) as opened:
        yield opened
