import pytest

from tests.conftest import OpenPage
from tests.support.api import Client
from tests.support.payer import PLAIN, asked, enter, heading
from tests.support.serving import Served


async def test_the_result_page_follows_the_invoice_and_shows_no_card(
    open_page: OpenPage, shop: Client, served: Served
) -> None:
    invoice_id, url = await asked(shop)
    async with open_page() as page:
        await page.goto(f"{served.base_url}/hpp/result/{invoice_id}")
        await heading(page, "Not paid yet")
        await page.get_by_role("link", name="Go to the payment page").click()
        assert page.url == url
        await enter(page, PLAIN)
        await heading(page, "Payment received")
        await page.goto(f"{served.base_url}/hpp/result/{invoice_id}")
        await heading(page, "Payment received")
        assert "••••" not in await page.content()


async def test_the_invoices_own_address_leads_to_its_page_in_the_language_asked_for(
    shop: Client, served: Served
) -> None:
    invoice_id, url = await asked(shop)
    entered = await shop.call("GET", f"/hpp/?cpi={invoice_id}&lang=uk", anonymous=True)
    assert (entered.status, entered.headers["Location"]) == (303, f"{url}?lang=uk")


@pytest.mark.parametrize("path", ["/hpp/", "/hpp/?cpi=x", "/hpp/result/cpi_0000000000000000", "/hpp/result/cgi_x"])
async def test_an_unknown_invoice_is_a_page_that_says_so(shop: Client, path: str) -> None:
    answer = await shop.call("GET", path, anonymous=True)
    assert answer.status == 404
    assert "Page not found" in answer.text


async def test_the_result_page_looks_as_the_merchant_asked(open_page: OpenPage, shop: Client, served: Served) -> None:
    style = {"merchant_name": "<b>Boutique</b>", "primary": "#0a7"}
    look = {"cardgate": {"theme": "dark", "theme_options": style}}
    invoice_id, _ = await asked(shop, gateway_options=look, return_url="https://shop.example/back")
    async with open_page(color_scheme="light") as page:
        await page.goto(f"{served.base_url}/hpp/result/{invoice_id}")
        await heading(page, "Not paid yet")
        colours = "[...document.querySelectorAll('link[rel=stylesheet]')].map(link => link.sheet.cssRules.length > 0)"
        assert await page.evaluate(colours) == [True, True]
        assert await page.locator("html").get_attribute("class") == "dark"
        assert await page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--main')") == "#00aa77"
        assert await page.get_by_role("link", name="Back to <b>Boutique</b>").count() == 1
