"""The demo in a real browser: from the front door to the callback, on a screen and on a phone, scripts on and off."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, Response, ViewportSize

from tests.conftest import OpenPage
from tests.support.payer import SECURE, heading
from tests.support.serving import Served

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
BUDGET_BYTES = 25_000
BUDGET_REQUESTS = 5
PATHS = ("/", "/demo/shop", "/demo/shop/callbacks")

SCREEN: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 360, "height": 700}

with_and_without_scripts = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])


async def fits(page: Page) -> None:
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} scrolls sideways"
    outside = await page.evaluate(
        """() => [...document.querySelectorAll("a, button, summary, code:not(pre code)")]
            .filter((each) => each.checkVisibility() && each.getBoundingClientRect().right > innerWidth)
            .map((each) => each.textContent)"""
    )
    assert outside == []


async def accessible(page: Page) -> None:
    found = await Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()
    await fits(page)


async def fill(page: Page, *, scripts: bool) -> None:
    """Enter the test card that the demo names: by a click, or by hand where there are no scripts."""
    if scripts:
        await page.get_by_text("Test cards").click()
        await page.get_by_role("button", name="5123 8172 3406 0000").click()
        return
    await page.locator("[autocomplete=cc-number]").fill(SECURE)
    await page.locator("[autocomplete=cc-exp]").fill("12/30")
    await page.locator("[autocomplete=cc-csc]").fill("123")


async def pay(page: Page) -> None:
    await page.locator("form#card [type=submit]").click()
    await page.wait_for_url("**/acs/**")
    await page.locator("button[name=decision][value=approve]").click()
    await page.wait_for_url("**/hpp/**")


@with_and_without_scripts
@pytest.mark.parametrize("viewport", [SCREEN, PHONE], ids=["screen", "phone"])
async def test_three_clicks_lead_to_the_pay_button_and_the_rest_to_a_verified_callback(
    open_page: OpenPage, served: Served, viewport: ViewportSize, *, scripts: bool
) -> None:
    async with open_page(java_script_enabled=scripts, viewport=viewport) as page:
        await page.goto(served.base_url)
        await page.get_by_role("button", name="Buy").click()
        await page.wait_for_url(f"{served.gate_url}/hpp/**")
        await fill(page, scripts=scripts)
        await pay(page)
        await page.get_by_role("link", name="Back to Kassa Demo").click()
        await heading(page, "Thank you for your order")
        await heading(page, "Signature verified")
        assert await page.locator(".checks .right").count() == 3
        if scripts:
            await page.get_by_text("The body, as JSON").click()
            assert '"status": "processed"' in await page.locator("details pre").inner_text()
            await accessible(page)


@with_and_without_scripts
async def test_the_shop_finds_the_callback_by_itself(open_page: OpenPage, served: Served, *, scripts: bool) -> None:
    async with open_page(java_script_enabled=scripts) as payer, open_page(java_script_enabled=scripts) as waiting:
        await payer.goto(f"{served.base_url}/demo/shop")
        order = await payer.locator("input[name=order]").get_attribute("value")
        await payer.get_by_role("button", name="Buy").click()
        await payer.wait_for_url(f"{served.gate_url}/hpp/**")
        await waiting.goto(f"{served.base_url}/demo/shop/orders/{order}")
        await heading(waiting, "Waiting for the callback")
        await fill(payer, scripts=scripts)
        await pay(payer)
        await heading(waiting, "Thank you for your order")


async def test_the_list_of_callbacks_grows_while_it_is_looked_at(open_page: OpenPage, served: Served) -> None:
    async with open_page() as payer, open_page() as watching:
        await watching.goto(f"{served.base_url}/demo/shop/callbacks")
        await payer.goto(f"{served.base_url}/demo/shop")
        order = await payer.locator("input[name=order]").get_attribute("value")
        await payer.get_by_role("button", name="Buy").click()
        await payer.wait_for_url(f"{served.gate_url}/hpp/**")
        await watching.get_by_text(order or "").first.wait_for()


async def test_a_double_click_leads_to_one_order(open_page: OpenPage, served: Served) -> None:
    async with open_page() as page:
        await page.goto(f"{served.base_url}/demo/shop")
        await page.get_by_role("button", name="Buy").dblclick()
        await page.wait_for_url(f"{served.gate_url}/hpp/**")
        await heading(page, "$12.50")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("locale,width", [("en-GB", 1280), ("ru-RU", 320), ("uk-UA", 360)])
async def test_every_page_is_accessible_and_fits(
    open_page: OpenPage, served: Served, color_scheme: str, locale: str, width: int
) -> None:
    viewport = {"width": width, "height": 700}
    async with open_page(color_scheme=color_scheme, locale=locale, viewport=viewport) as page:
        await page.goto(f"{served.base_url}/demo/shop")
        order = await page.locator("input[name=order]").get_attribute("value")
        await page.locator("form [type=submit]").click()
        await page.wait_for_url(f"{served.gate_url}/hpp/**")
        orders = f"/demo/shop/orders/{order}"
        for path in (*PATHS, orders, f"{orders}/unpaid"):
            await page.goto(f"{served.base_url}{path}")
            assert await page.get_attribute("html", "lang") == locale[:2]
            await accessible(page)
            # Only the page that waits may move.
            assert path == orders or await page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("path", PATHS)
async def test_large_text_fits_a_phone(open_page: OpenPage, served: Served, path: str) -> None:
    async with open_page(viewport=PHONE) as page:
        await page.goto(f"{served.base_url}{path}")
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        await fits(page)


async def test_the_front_door_is_light_and_calls_no_one_else(open_page: OpenPage, served: Served) -> None:
    async with open_page() as page:
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright marks its handlers
        await page.goto(served.base_url, wait_until="networkidle")
        sizes = [await answer.request.sizes() for answer in answers]
        assert all(answer.url.startswith(served.base_url) for answer in answers)
        assert len(answers) <= BUDGET_REQUESTS
        assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) <= BUDGET_BYTES
