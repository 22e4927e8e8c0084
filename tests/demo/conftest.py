from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kassa.accounts import demo
from kassa.accounts.model import Keys
from kassa.config import Settings
from kassa.platform import Platform
from tests.support import platform as platforms
from tests.support import visitor
from tests.support.postgres import Database
from tests.support.visitor import Visitor

GATE_URL = "http://gate.test"


@pytest.fixture
async def platform(database: Database, tmp_path: Path) -> AsyncIterator[Platform]:
    """A platform in demo mode, whose API does not answer."""
    settings = Settings(demo=True, home=str(tmp_path), base_url="http://127.0.0.1:9", gate_url=GATE_URL)
    async with platforms.opened(database, settings) as opened:
        yield opened


@pytest.fixture
async def keys(platform: Platform) -> Keys:
    """The demo account's."""
    home = platform.settings.home_path()
    shop = {"callback_url": "http://127.0.0.1:9/demo/shop/callbacks"}
    return await demo.ensure(platform.pool, platform.root, platform.clock, home, shop, services=[])


@pytest.fixture
async def payer() -> AsyncIterator[Visitor]:
    """Somebody with scripts off."""
    async with visitor.visiting() as visiting:
        yield visiting
