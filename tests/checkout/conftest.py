from collections.abc import AsyncIterator

import pytest

from tests.support import office as offices
from tests.support.api import Client
from tests.support.office import Office
from tests.support.serving import Serving


@pytest.fixture(scope="session")
async def office(serving_kassa: Serving) -> AsyncIterator[Office]:
    """The operator of the running Kassa."""
    async with offices.opened(serving_kassa) as opened:
        yield opened


@pytest.fixture(scope="session")
async def shop(office: Office) -> Client:
    """An account that these tests share."""
    return await office.account()
