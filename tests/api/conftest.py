from collections.abc import AsyncIterator

import pytest

from tests.support import office as offices
from tests.support.api import Client
from tests.support.office import Office
from tests.support.serving import Serving

CARDS = tuple(f"payment_card_{currency}_hpp" for currency in ("usd", "eur"))


@pytest.fixture(scope="session")
async def office(serving_kassa: Serving) -> AsyncIterator[Office]:
    """The operator of the running Kassa."""
    async with offices.opened(serving_kassa) as opened:
        yield opened


@pytest.fixture(scope="session")
async def shop(office: Office) -> Client:
    """An account that tests share: none of them changes its options."""
    return await office.account(services=CARDS, merchant_url="https://shop.example")


@pytest.fixture
async def fresh(office: Office) -> Client:
    """An account of a test's own."""
    return await office.account(services=CARDS)
