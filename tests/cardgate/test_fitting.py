"""The payer's pages on a phone with large text, at the width of a desk, and in motion."""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.conftest import OpenPage
from tests.support.api import Client
from tests.support.payer import PLAIN, REFUSED, SECURE, asked, enter, heading
from tests.support.serving import Served

PHONE: Final = 360
PENDING: Final = "07/77"


async def form(page: Page) -> None:
    """Stay on the empty form."""


async def unfolded(page: Page) -> None:
    """Unfold the cards to try."""
    await page.locator("summary").click()


async def faults(page: Page) -> None:
    """Send a form of which nothing is right."""
    for label, value in (("Card number", "5123 8172"), ("Expiry date", "13/30"), ("Security code", "1")):
        await page.get_by_label(label).fill(value)
    await page.get_by_role("button", name="Pay $").click()
    await heading(page, "Check the card details")


async def decline(page: Page) -> None:
    """Try a card that is declined."""
    await enter(page, REFUSED, expiry="05/29")
    await heading(page, "The payment was declined")


async def pending(page: Page) -> None:
    """Pay with a card that the bank does not decide about."""
    await enter(page, PLAIN, expiry=PENDING)
    await heading(page, "Waiting for your bank")


async def bank(page: Page) -> None:
    """Go to the bank's page."""
    await enter(page, SECURE)
    await heading(page, "Confirm your payment")


async def confirm(page: Page) -> None:
    """Come back from the bank's page undecided."""
    await bank(page)
    await page.get_by_role("button", name="Go back without deciding").click()
    await heading(page, "Confirm with your bank")


async def paid(page: Page) -> None:
    """Pay."""
    await enter(page, PLAIN)
    await heading(page, "Payment received")


SCENES: Final = (form, unfolded, faults, decline, pending, bank, confirm, paid)


async def fits(page: Page, width: int) -> None:
    found = await page.evaluate("document.documentElement.scrollWidth")
    assert found <= width, f"{page.url} is {found} wide"
    for button in await page.locator("button:visible, a.main:visible, a.plain:visible, a.button:visible").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["x"] >= 0, await button.inner_text()
        assert box["x"] + box["width"] <= width, await button.inner_text()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_large_text_fits_on_a_phone_and_nothing_is_cut_anywhere(
    open_page: OpenPage, shop: Client, scene: Callable[[Page], Awaitable[None]]
) -> None:
    _, url = await asked(shop, return_url="https://shop.example/", description="Two notebooks, ruled " * 5)
    async with open_page(viewport={"width": PHONE, "height": 740}) as page:
        await page.goto(url)
        await scene(page)
        found = await Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
        assert found.violations_count == 0, found.generate_report()
        await fits(page, PHONE)
        await page.evaluate("document.documentElement.style.fontSize = '200%'")
        await fits(page, PHONE)
        await page.evaluate("document.documentElement.style.fontSize = ''")
        await page.set_viewport_size({"width": 1280, "height": 740})
        await fits(page, 1280)


@pytest.mark.parametrize("scene, moving", [(form, 0), (decline, 0), (pending, 1), (confirm, 0), (paid, 0)])
async def test_one_thing_moves_and_only_while_an_answer_is_awaited(
    open_page: OpenPage, shop: Client, scene: Callable[[Page], Awaitable[None]], moving: int
) -> None:
    _, url = await asked(shop)
    async with open_page() as page:
        await page.goto(url)
        await scene(page)
        assert await page.evaluate("document.getAnimations().length") == moving
        await page.emulate_media(reduced_motion="reduce")
        assert await page.evaluate("document.getAnimations().length") == 0


async def test_another_language_keeps_what_is_typed(open_page: OpenPage, shop: Client) -> None:
    _, url = await asked(shop)
    async with open_page() as page:
        await page.goto(url)
        await page.get_by_label("Card number").fill(PLAIN)
        await page.get_by_label("Expiry date").fill("12/30")
        await page.get_by_role("link", name="Русский").click()
        await page.wait_for_selector("html[lang=ru]")
        assert await page.title() == "Оплатить 100,00\u00a0$ — Shop"
        assert await page.get_by_label("Номер карты").input_value() == "5519 2838 1203 0000"
        assert await page.get_by_label("Срок действия").input_value() == "12 / 30"
        assert await page.locator("#typed:visible use").get_attribute("href") == "#brand-mastercard"
        await page.get_by_role("link", name="Українська").click()
        await page.wait_for_selector("html[lang=uk]")
        await page.get_by_label("CVC / CVV").fill("123")
        await page.get_by_role("button", name="Сплатити").click()
        await heading(page, "Оплату отримано")


async def test_a_month_that_there_is_not_is_said_on_the_spot(open_page: OpenPage, shop: Client) -> None:
    _, url = await asked(shop)
    async with open_page() as page:
        await page.goto(url)
        await page.get_by_label("Expiry date").fill("13/30")
        await page.get_by_label("Expiry date").blur()
        await page.get_by_text("Check the month: it should be from 01 to 12.").wait_for()


@pytest.mark.parametrize(
    "number, hint, side", [("371449635398431", "CID on the front", "4"), ("6011111111111117", "CID on the back", "3")]
)
@pytest.mark.parametrize("width", [PHONE, 1280])
async def test_the_picture_shows_the_code_where_the_hint_says(
    open_page: OpenPage, shop: Client, *, number: str, hint: str, side: str, width: int
) -> None:
    _, url = await asked(shop)
    async with open_page(viewport={"width": width, "height": 740}) as page:
        await page.goto(url)
        await page.get_by_label("Card number").fill(number)
        await page.get_by_text(hint).wait_for()
        shown = page.locator("[data-digits]:visible")
        assert [await each.get_attribute("data-digits") for each in await shown.all()] == [side]


async def test_the_banks_page_speaks_as_the_card_page_did(open_page: OpenPage, shop: Client, served: Served) -> None:
    _, url = await asked(shop, locale="ru")
    async with open_page() as page:
        await page.goto(f"{url}?locale=uk")
        for name, value in (("card_number", SECURE), ("expiry", "12/30"), ("cvc", "123")):
            await page.locator(f"#{name}").fill(value)
        await page.locator("#card button[type=submit]").click()
        await heading(page, "Підтвердьте платіж")
        assert page.url.startswith(served.bank_url)
        text = await page.inner_text("main")
        assert ("Shop" in text, "100,00\u00a0USD" in text, "host2host" in text) == (True, True, False)
