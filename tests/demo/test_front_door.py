"""What is answered at ``/``: a page to browsers, and to machines what the API says of every address that is none."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from axe_playwright_python.async_playwright import Axe

from kassa import __version__, app
from kassa.config import Settings
from kassa.platform import Platform
from tests.conftest import OpenPage
from tests.support import platform as platforms
from tests.support import site
from tests.support.payer import heading
from tests.support.postgres import Database

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
NOT_FOUND = {"errors": [{"status": "Not Found", "code": "404"}]}


@pytest.fixture
async def demo(platform: Platform) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a Kassa in demo mode."""
    async with site.serving(app.base_app(platform)) as session:
        yield session


@pytest.fixture
async def sober(database: Database, tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of one that is not."""
    settings = Settings(home=str(tmp_path), base_url="https://pay.example/kassa", gate_url="https://gate.example")
    async with platforms.opened(database, settings) as opened, site.serving(app.base_app(opened)) as session:
        yield session


async def page(session: aiohttp.ClientSession, path: str = "/") -> str:
    async with session.get(path, headers={"Accept": BROWSER}) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert answer.headers["Vary"].startswith("Accept, ")
        return await answer.text()


async def answers_machines_as_the_api_does(session: aiohttp.ClientSession) -> None:
    for accept in ("application/json", "*/*", "", "application/vnd.api+json, */*;q=0.1", "text/plain"):
        async with session.get("/", headers={"Accept": accept}) as answer:
            assert (answer.status, await answer.json()) == (404, NOT_FOUND), accept
    async with session.post("/", headers={"Accept": BROWSER}) as answer:
        assert (answer.status, await answer.json()) == (404, NOT_FOUND)


async def test_machines_are_answered_as_the_api_answers_for_no_such_address(demo: aiohttp.ClientSession) -> None:
    await answers_machines_as_the_api_does(demo)


async def test_so_are_they_without_the_demo(sober: aiohttp.ClientSession) -> None:
    await answers_machines_as_the_api_does(sober)


@pytest.mark.parametrize(
    "locale,heading",
    [
        ("en", "A payment gateway, running on your machine"),
        ("ru", "Платёжный шлюз, который работает на вашем компьютере"),
        ("uk", "Платіжний шлюз, що працює на вашому комп’ютері"),
    ],
)
async def test_the_demo_shows_what_it_is_and_where_everything_is(
    demo: aiohttp.ClientSession, platform: Platform, locale: str, heading: str
) -> None:
    shown = await page(demo, f"/?locale={locale}")
    assert f"<h1>{heading}</h1>" in shown
    for text in ("5123 8172 3406 0000", 'action="/demo/shop/buy"', 'href="/docs"', 'href="/demo/shop/callbacks"'):
        assert text in shown
    assert f"{platform.settings.base_url}/api/payment-invoices" in shown
    assert len(shown.encode()) <= 25_000


async def test_the_bank_is_named_where_one_runs(database: Database, tmp_path: Path) -> None:
    for bank_url in ("http://127.0.0.1:8002", None):
        settings = Settings(demo=True, home=str(tmp_path), base_url="http://a.test", bank_url=bank_url)
        async with platforms.opened(database, settings) as opened, site.serving(app.base_app(opened)) as session:
            assert ('href="http://127.0.0.1:8002"' in await page(session)) is (bank_url is not None)


async def test_the_page_without_the_demo_is_accessible(open_page: OpenPage, database: Database, tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), base_url="http://base.test", gate_url="http://gate.test")
    async with (
        platforms.opened(database, settings) as opened,
        site.serving(app.base_app(opened)) as session,
        open_page(viewport={"width": 320, "height": 600}) as page,
    ):
        await page.goto(str(session._base_url))
        await heading(page, "Kassa")
        found = await Axe().run(page, options=RULES)
        assert found.violations_count == 0, found.generate_report()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_without_the_demo_it_says_no_more_than_that_this_is_an_api(sober: aiohttp.ClientSession) -> None:
    shown = await page(sober)
    assert "This is a payment API." in shown
    assert 'href="/kassa/docs"' in shown
    for inside in (__version__, "demo", "Test mode", "<form"):
        assert inside not in shown
    async with sober.get("/demo/shop", headers={"Accept": BROWSER}) as answer:
        assert answer.status == 404
