import pytest

from tests.support import shop as shops
from tests.support.postgres import Database
from tests.support.shop import Shop


@pytest.fixture
async def shop(database: Database) -> Shop:
    """An account with one card service, in a database of its own."""
    return await shops.made(database.pool)
