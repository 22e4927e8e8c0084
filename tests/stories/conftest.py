from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support import office as offices
from tests.support import serving, visitor
from tests.support.office import Office
from tests.support.serving import Served, Serving
from tests.support.visitor import Visitor


@pytest.fixture(scope="session")
async def stage(folders: Callable[[], Path]) -> AsyncIterator[Serving]:
    """A running Kassa of the stories' own, whose test clock they move."""
    async with serving.running(folders()) as running:
        yield running


@pytest.fixture(scope="session")
def place(stage: Serving) -> Served:
    """Where it answers."""
    return stage.served


@pytest.fixture(scope="session")
async def office(stage: Serving) -> AsyncIterator[Office]:
    """Its operator."""
    async with offices.opened(stage) as opened:
        yield opened


@pytest.fixture
async def payer() -> AsyncIterator[Visitor]:
    """Somebody with scripts off."""
    async with visitor.visiting() as visiting:
        yield visiting


@pytest.fixture
def kept(stage: Serving) -> Callable[[], bytes]:
    """Read all that Kassa keeps on disk: the database's files, its log, the bank's books, what it printed."""

    def read() -> bytes:
        files = (path for path in stage.folder.rglob("*") if path.is_file() and "binaries" not in str(path))
        return b"\n".join(path.read_bytes() for path in files)

    return read
