"""What tests are handed: a database, a running Kassa, a merchant that listens, a browser."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Page

from tests.support import browser as browsers
from tests.support import merchant as merchants
from tests.support import postgres, serving
from tests.support.merchant import Merchant
from tests.support.postgres import Database
from tests.support.serving import Served, Serving

OpenPage = Callable[..., AbstractAsyncContextManager[Page]]

_WORKERS_MAX: Final = 4
LONG: Final = [
    "stories/test_machine.py",
    "api/test_schemathesis.py",
    "stories/test_torture.py",
    "stories/test_faults.py",
    "cardgate/test_browser.py",
    "demo/test_browser.py",
    "stories/test_roles.py",
    "stories/test_kills.py",
    "stories/test_backlog.py",
    "cli/test_invoices.py",
    "api/test_openapi.py",
]
"""The files that take longest. They are begun first, so that none is left to run alone at the end."""


def pytest_xdist_auto_num_workers() -> int:
    """Run one file more at a time than there are processors: a good part of the tests' time is spent on waiting."""
    return min((os.cpu_count() or 1) + 1, _WORKERS_MAX)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; within a file nothing moves."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session", autouse=True)
def _settings_come_from_tests_alone() -> None:
    for name in [name for name in os.environ if name.startswith("KASSA_")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def folders() -> Iterator[Callable[[], Path]]:
    """Make folders for homes: unlike ``tmp_path``, the user that a server started by root runs as can enter them."""
    made: list[Path] = []

    def make() -> Path:
        folder = Path(tempfile.mkdtemp(prefix="kassa-test-"))
        folder.chmod(0o711)
        made.append(folder)
        return folder

    yield make
    for folder in made:
        shutil.rmtree(folder)


@pytest.fixture
def folder(folders: Callable[[], Path]) -> Path:
    """A folder of a test's own, for homes."""
    return folders()


@pytest.fixture(scope="session")
async def postgres_url(folders: Callable[[], Path]) -> AsyncIterator[str]:
    """The tests' own PostgreSQL: its owner's URL, on the migrated template."""
    async with postgres.server(folders()) as url:
        yield url


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """A fresh, migrated database for one test."""
    async with postgres.database(postgres_url) as fresh:
        yield fresh


@pytest.fixture(scope="module")
async def module_database(postgres_url: str) -> AsyncIterator[Database]:
    """A fresh, migrated database for the tests of one file."""
    async with postgres.database(postgres_url) as fresh:
        yield fresh


@pytest.fixture(scope="session")
async def serving_kassa(folders: Callable[[], Path]) -> AsyncIterator[Serving]:
    """The whole of Kassa in demo mode, as a process; it has to end well when the tests are done."""
    async with serving.running(folders()) as running:
        yield running


@pytest.fixture(scope="session")
def served(serving_kassa: Serving) -> Served:
    """Where the running Kassa answers, and its demo account's keys: shared, so no test changes its options."""
    return serving_kassa.served


@pytest.fixture
async def merchant() -> AsyncIterator[Merchant]:
    """A merchant's own server, which records the callbacks that it gets."""
    async with merchants.listening() as listening:
        yield listening


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One Chromium for all tests."""
    async with browsers.launched() as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Browser) -> OpenPage:
    """Open pages, as in ``async with open_page(locale="uk") as page``; a complaint on the console fails the test."""
    return partial(browsers.opened, chromium)
