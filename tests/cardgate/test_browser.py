import asyncio

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, Response, ViewportSize

from tests.conftest import OpenPage
from tests.support.api import Client
from tests.support.office import Office
from tests.support.payer import PLAIN, REFUSED, SECURE, SECURE_REFUSED, asked, decide, enter, heading
from tests.support.serving import Served

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
BUDGET_BYTES = 25_000
BUDGET_REQUESTS = 5
PATIENCE_MILLISECONDS = 60_000

with_and_without_scripts = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])


async def status_of(shop: Client, invoice_id: str) -> tuple[str, str]:
    attributes = (await shop.read(invoice_id)).attributes
    return attributes["status"], attributes["resolution"]


async def accessible(page: Page) -> None:
    found = await Axe().run(page, options=RULES)
    assert found.violations_count == 0, found.generate_report()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"


@with_and_without_scripts
async def test_a_payer_pays_through_3d_secure(open_page: OpenPage, shop: Client, *, scripts: bool) -> None:
    invoice_id, url = await asked(shop)
    async with open_page(java_script_enabled=scripts) as page:
        await page.goto(url)
        await enter(page, SECURE)
        await decide(page, "approve")
        await heading(page, "Payment received")
        assert page.url == url
    assert await status_of(shop, invoice_id) == ("processed", "ok")


@with_and_without_scripts
async def test_a_declined_payer_is_told_why_and_pays_with_another_card(
    open_page: OpenPage, shop: Client, *, scripts: bool
) -> None:
    invoice_id, url = await asked(shop)
    async with open_page(java_script_enabled=scripts) as page:
        await page.goto(url)
        await enter(page, REFUSED, expiry="05/29")
        await heading(page, "The payment was declined")
        assert "Your card has insufficient funds." in await page.get_by_role("alert").inner_text()
        assert await page.get_by_label("Card number").input_value() == ""
        await enter(page, SECURE_REFUSED, expiry="03/27")
        await decide(page, "approve")
        await heading(page, "The payment was declined")
        assert "You can try 3 more times." in await page.get_by_role("alert").inner_text()
        await enter(page, PLAIN)
        await heading(page, "Payment received")
    assert await status_of(shop, invoice_id) == ("processed", "ok")


@with_and_without_scripts
async def test_a_payer_who_leaves_the_banks_page_can_go_back_to_it(
    open_page: OpenPage, shop: Client, *, scripts: bool
) -> None:
    invoice_id, url = await asked(shop)
    async with open_page(java_script_enabled=scripts) as page:
        await page.goto(url)
        await enter(page, SECURE)
        await decide(page, "abandon")
        await heading(page, "Confirm with your bank")
        assert await status_of(shop, invoice_id) == ("process_pending", "ok")
        await page.get_by_role("link", name="Continue to your bank").click()
        await decide(page, "decline")
        await heading(page, "The payment was declined")


@with_and_without_scripts
async def test_a_pending_page_finds_the_outcome_by_itself(
    open_page: OpenPage, shop: Client, office: Office, served: Served, *, scripts: bool
) -> None:
    invoice_id, url = await asked(shop)
    async with open_page(java_script_enabled=scripts) as page:
        await page.goto(url)
        await enter(page, PLAIN, expiry="07/77")
        await heading(page, "Waiting for your bank")
        [row] = await office.fetch("SELECT payment_id FROM payments WHERE invoice_id = $1", invoice_id)
        async with open_page() as desk:
            await desk.goto(served.bank_url)
            await desk.locator(f"form[action$='/{row['payment_id']}'] button[value=approve]").click()
        await heading(page, "Payment received")


@with_and_without_scripts
async def test_a_paid_payer_is_taken_back_to_the_shop(
    open_page: OpenPage, shop: Client, served: Served, *, scripts: bool
) -> None:
    other, _ = await asked(shop)
    back = f"{served.base_url}/hpp/result/{other}"
    invoice_id, url = await asked(shop, return_urls={"success": back, "pending": "https://shop.example/"})
    async with open_page(java_script_enabled=scripts) as page:
        await page.goto(url)
        await enter(page, PLAIN)
        await heading(page, "Payment received")
        # The page itself waits for ten seconds, all that the browser's other waits may take.
        await page.wait_for_url(
            f"{back}?id={invoice_id}&**status=processed&**", wait_until="commit", timeout=PATIENCE_MILLISECONDS
        )


async def test_a_payer_may_stay_on_the_result(open_page: OpenPage, shop: Client) -> None:
    _, url = await asked(shop, return_url="https://shop.example/")
    async with open_page() as page:
        await page.goto(url)
        await enter(page, PLAIN)
        await page.get_by_role("link", name="Stay here").click()
        await page.get_by_text("Taking you back").wait_for(state="hidden")
        assert page.url == url


@with_and_without_scripts
async def test_back_and_reload_land_on_what_has_become_of_the_payment(
    open_page: OpenPage, shop: Client, *, scripts: bool
) -> None:
    invoice_id, url = await asked(shop)
    async with open_page(java_script_enabled=scripts) as page:
        await page.goto("about:blank")
        await page.goto(url)
        await enter(page, PLAIN)
        await heading(page, "Payment received")
        await page.reload()
        await heading(page, "Payment received")
        await page.go_back()
        await page.go_forward()
        await heading(page, "Payment received")
    assert (await shop.read(invoice_id)).attributes["processed_amount"] == 100


async def test_two_tabs_make_one_payment(open_page: OpenPage, shop: Client, office: Office) -> None:
    invoice_id, url = await asked(shop)
    async with open_page() as first, open_page() as second:
        await asyncio.gather(first.goto(url), second.goto(url))
        await asyncio.gather(enter(first, PLAIN), enter(second, PLAIN))
        await asyncio.gather(heading(first, "Payment received"), heading(second, "Payment received"))
    rows = await office.fetch("SELECT status FROM payments WHERE invoice_id = $1", invoice_id)
    assert rows == [{"status": "processed"}]


async def test_typing_is_helped_and_checked_on_the_spot(open_page: OpenPage, shop: Client) -> None:
    _, url = await asked(shop)
    async with open_page() as page:
        await page.goto(url)
        number, expiry, code = (page.get_by_label(label) for label in ("Card number", "Expiry date", "Security code"))
        await number.press_sequentially("371449635398431")
        assert await number.input_value() == "3714 496353 98431"
        await page.get_by_role("status").get_by_text("American Express").wait_for(state="attached")
        assert await page.locator("#typed:visible use").get_attribute("href") == "#brand-amex"
        await code.fill("123")
        await code.blur()
        await page.get_by_text("The security code has 4 digits.").wait_for()
        await number.fill("5123-8172-3406-0000")
        assert await number.input_value() == "5123 8172 3406 0000"
        await expiry.press_sequentially("530")
        assert await expiry.input_value() == "05 / 30"
        await number.fill("2204")
        await page.get_by_text("Mir cards aren't accepted here.").wait_for()


async def test_the_caret_stays_where_the_payer_is_typing(open_page: OpenPage, shop: Client) -> None:
    _, url = await asked(shop)
    async with open_page() as page:
        await page.goto(url)
        number = page.get_by_label("Card number")
        await number.fill("5123 1723 4060 000")
        await number.evaluate("field => field.setSelectionRange(5, 5)")
        await page.keyboard.type("8")
        assert await number.input_value() == "5123 8172 3406 0000"
        assert await number.evaluate("field => field.selectionStart") == 6


@pytest.mark.parametrize("viewport", [{"width": 390, "height": 640}, {"width": 1280, "height": 720}])
async def test_what_is_wrong_moves_nothing_away_from_under_a_click(
    open_page: OpenPage, shop: Client, viewport: ViewportSize
) -> None:
    _, url = await asked(shop)
    async with open_page(viewport=viewport) as page:
        await page.goto(url)
        await page.get_by_label("Card number").press_sequentially("5519")
        await press_slowly(page, page.get_by_role("link", name="Русский"))
        await page.wait_for_selector("html[lang=ru]")
        await page.goto(url)
        await enter_wrong_code(page)
        await press_slowly(page, page.locator("form#card button[type=submit]"))
        await page.wait_for_selector("#faults:focus")


async def enter_wrong_code(page: Page) -> None:
    await page.locator("#card_number").fill(PLAIN)
    await page.locator("#expiry").fill("12 / 30")
    await page.locator("#cvc").press_sequentially("12")


async def press_slowly(page: Page, target: Locator) -> None:
    """Press near the top, and let go when the page has had the time to move."""
    await target.scroll_into_view_if_needed()
    box = await target.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 10, box["y"] + 4)
    await page.mouse.down()
    await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    await page.mouse.up()


async def test_faults_are_summed_up_and_lead_to_their_fields(open_page: OpenPage, shop: Client) -> None:
    _, url = await asked(shop)
    async with open_page() as page:
        await page.goto(url)
        await page.get_by_role("button", name="Pay $").click()
        assert await page.evaluate("document.activeElement.id") == "faults"
        await accessible(page)
        await page.get_by_role("link", name="Enter the expiry date.").click()
        assert await page.evaluate("document.activeElement.id") == "expiry"


async def test_a_test_card_fills_the_form_and_the_keyboard_alone_pays(open_page: OpenPage, shop: Client) -> None:
    _, url = await asked(shop)
    async with open_page() as page:
        await page.goto(url)
        await page.get_by_text("Test cards").focus()
        await page.keyboard.press("Enter")
        await accessible(page)
        await page.get_by_role("button", name="5519 2838 1203 0000").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Enter")
        await heading(page, "Payment received")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
@pytest.mark.parametrize("locale,width", [("en-GB", 1280), ("ru-RU", 320), ("uk-UA", 390)])
async def test_every_page_is_accessible_and_fits(
    open_page: OpenPage, shop: Client, color_scheme: str, locale: str, width: int
) -> None:
    _, url = await asked(shop, return_url="https://shop.example/", description="Опис " * 40)
    async with open_page(color_scheme=color_scheme, locale=locale, viewport={"width": width, "height": 700}) as page:
        await page.goto(url)
        assert await page.get_attribute("html", "lang") == locale[:2]
        await accessible(page)
        await page.locator("[autocomplete=cc-number]").fill(SECURE)
        await page.locator("[autocomplete=cc-exp]").fill("12/30")
        await page.locator("[autocomplete=cc-csc]").fill("123")
        await page.locator("[type=submit]").click()
        await decide(page, "abandon")
        await accessible(page)
        await page.locator("a.main").click()
        await decide(page, "approve")
        await page.locator("[data-stay]").click()
        await accessible(page)


async def test_the_chosen_language_stays(open_page: OpenPage, shop: Client) -> None:
    _, url = await asked(shop)
    async with open_page(locale="en-GB") as page:
        await page.goto(url)
        await page.get_by_role("link", name="Українська").click()
        await page.get_by_role("button", name="Сплатити").wait_for()
        await page.goto(url)
        await page.get_by_role("button", name="Сплатити").wait_for()


async def test_the_card_page_keeps_its_budget_and_calls_nobody_else(
    open_page: OpenPage, shop: Client, served: Served
) -> None:
    _, url = await asked(shop)
    async with open_page() as page:
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright marks its handlers
        await page.goto(url, wait_until="networkidle")
        sizes = [await answer.request.sizes() for answer in answers]
        assert {answer.url.split("/")[2] for answer in answers} == {served.gate_url.split("/")[2]}
        assert len(answers) <= BUDGET_REQUESTS
        assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) <= BUDGET_BYTES
        scripts = await page.evaluate("[...document.scripts].map(script => script.src)")
        assert [script.rpartition("/")[2].partition(".")[0] for script in scripts] == ["page", "card"]
