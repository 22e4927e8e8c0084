from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import bank as banks
from tests.support.bank import Bank


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    """A bank of a test's own."""
    async with banks.running(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
async def shared_bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bank]:
    """One bank for the tests of a file that leave nothing in its books."""
    async with banks.running(tmp_path_factory.mktemp("bank")) as running:
        yield running
