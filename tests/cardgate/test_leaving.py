"""The ways off every page for payers: back to the shop, to its help and terms; and a form that is never out of date."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.cardgate.test_browser import accessible
from tests.conftest import OpenPage
from tests.support.api import Client
from tests.support.office import Office
from tests.support.payer import PLAIN, REFUSED, SECURE, asked, enter, heading
from tests.support.serving import Served
from tests.support.visitor import Page, Visitor, visiting

URLS = {name: f"https://shop.example/{name}?a=b" for name in ("success", "fail", "pending")}
CANCEL = "Cancel and return to Shop"
BACK = "Back to Shop"
HELP = "Help from Shop"


@pytest.fixture
async def payer() -> AsyncIterator[Visitor]:
    """Somebody with scripts off."""
    async with visiting() as visitor:
        yield visitor


async def pay(payer: Visitor, url: str, number: str, expiry: str = "12/30") -> Page:
    return await payer.press(await payer.open(url), card_number=number, expiry=expiry, cvc="123")


async def test_who_cancels_on_the_card_page_leaves_and_may_come_back(office: Office, payer: Visitor) -> None:
    shop = await office.account()
    invoice_id, url = await asked(shop, return_urls=URLS)
    link = (await payer.open(url)).links[CANCEL]
    assert link.startswith(f"https://shop.example/fail?a=b&id={invoice_id}&")
    assert "status=process_pending" in link
    assert (await shop.read(invoice_id)).attributes["status"] == "process_pending"
    assert (await pay(payer, url, PLAIN)).heading == "Payment received"


@pytest.mark.parametrize(
    "options, given, expected",
    [
        ({"return_url": "https://shop.example/account"}, {"return_url": "https://shop.example/r"}, "/r?id="),
        ({"return_url": "https://shop.example/account"}, {}, "/account?id="),
        ({"merchant_url": "https://shop.example/home"}, {}, "/home"),
    ],
)
async def test_the_cancel_link_goes_to_the_nearest_address_of_the_shop(
    office: Office, payer: Visitor, options: dict[str, str], given: dict[str, str], expected: str
) -> None:
    _, url = await asked(await office.account(**options), **given)
    assert (await payer.open(url)).links[CANCEL].startswith(f"https://shop.example{expected}")


async def test_a_shop_without_an_address_has_no_cancel_link(office: Office, payer: Visitor) -> None:
    _, url = await asked(await office.account())
    assert not [words for words in (await payer.open(url)).links if "Cancel" in words]


async def test_an_address_that_the_merchant_has_not_vouched_for_is_named(office: Office, payer: Visitor) -> None:
    shop = await office.account(merchant_url="https://shop.example")
    created = await shop.create_publicly(return_url="https://evil.example/login")
    page = await payer.open(f"{shop.base_url}/hpp/?cpi={created.data['id']}")
    [words] = [words for words, link in page.links.items() if link.startswith("https://evil.example/login?")]
    assert "evil.example" in words
    assert CANCEL not in page.links


async def test_a_receipt_without_a_way_back_leads_to_the_shops_own_site_by_hand(office: Office, payer: Visitor) -> None:
    _, url = await asked(await office.account(merchant_url="https://shop.example/home"))
    page = await pay(payer, url, PLAIN)
    assert (page.heading, page.links[BACK], page.refresh) == ("Payment received", "https://shop.example/home", None)


async def stages(office: Office, payer: Visitor, shop: Client, served: Served) -> AsyncIterator[tuple[str, Page]]:
    """Yield the page of each stage of a card's and of a wallet's payer."""

    async def url(**changes: Any) -> str:
        return (await asked(shop, **changes))[1]

    yield "form", await payer.open(await url())
    yield "faults", await pay(payer, await url(), "5519283812030001")
    yield "declined", await pay(payer, await url(), REFUSED)
    yield "paid", await pay(payer, await url(), PLAIN)
    yield "pending", await pay(payer, await url(), PLAIN, "07/77")
    challenged = await url()
    await pay(payer, challenged, SECURE)
    yield "confirm", await payer.open(challenged)
    failed = await url(gateway_options={"cardgate": {"retry_limit": 1}})
    yield "failed", await pay(payer, failed, REFUSED)
    wallet = await shop.create(service="applepay_usd_hpp")
    result = f"{served.base_url}/hpp/result/{wallet.data['id']}"
    yield "wallet", await payer.open(result)
    yield "wallet given up", await payer.give_up(await payer.open(result))


STAGES = ["form", "faults", "declined", "paid", "pending", "confirm", "failed", "wallet", "wallet given up"]


async def test_every_stage_has_a_way_out_with_help_and_terms(office: Office, payer: Visitor, served: Served) -> None:
    shop = await office.account(
        services=("payment_card_usd_hpp", "applepay_usd_hpp"),
        merchant_url="https://shop.example/home",
        support_email="help@shop.example",
        terms_url="https://shop.example/terms",
    )
    seen: list[str] = []
    async for name, page in stages(office, payer, shop, served):
        seen.append(name)
        out = CANCEL if page.forms and "card_number" in page.form.fields else BACK
        assert page.links[out] == "https://shop.example/home", name
        assert page.links[HELP] == "mailto:help@shop.example", name
        assert page.links["Terms"] == "https://shop.example/terms", name
    assert seen == STAGES


async def test_where_the_shop_has_no_address_what_has_ended_says_that_it_can_be_closed(
    office: Office, payer: Visitor, served: Served
) -> None:
    shop = await office.account(services=("payment_card_usd_hpp", "applepay_usd_hpp"))
    closable: list[str] = []
    async for name, page in stages(office, payer, shop, served):
        assert HELP not in page.links
        assert "Terms" not in page.links
        if "You can close this page." in page.text:
            closable.append(name)
    assert closable == ["paid", "failed", "wallet given up"]


async def test_a_page_for_help_comes_before_an_address(office: Office, payer: Visitor) -> None:
    shop = await office.account(support_url="https://shop.example/help", support_email="help@shop.example")
    _, url = await asked(shop)
    assert (await payer.open(url)).links[HELP] == "https://shop.example/help"


@pytest.mark.parametrize("path", ["/nothing", "/3ds/x", "/cancel"])
async def test_a_wrong_page_below_a_payment_leads_back_to_it(
    shop: Client, payer: Visitor, served: Served, path: str
) -> None:
    invoice_id, url = await asked(shop)
    for address in (url, f"{served.base_url}/hpp/result/{invoice_id}"):
        page = await payer.open(f"{address}{path}")
        assert page.status in (404, 405)
        assert page.links["Back to the payment"] == address
    wrong = await payer.open(f"{served.gate_url}/hpp/cgi_{'0' * 16}")
    assert (wrong.status, "Back to the payment" in wrong.links) == (404, False)


async def test_a_form_that_cannot_be_read_leads_back_to_the_payment(shop: Client, payer: Visitor) -> None:
    _, url = await asked(shop)
    page = await payer.send(url, **{f"field{number}": "x" for number in range(30)})
    assert (page.status, page.links["Back to the payment"]) == (400, url)


async def test_the_form_notices_what_another_tab_has_done(open_page: OpenPage, shop: Client, payer: Visitor) -> None:
    _, url = await asked(shop)
    async with open_page() as page:
        await page.goto(url)
        await page.get_by_label("Card number").fill(SECURE)
        await pay(payer, url, REFUSED)
        await heading(page, "The payment was declined")
        await accessible(page)
        await pay(payer, url, PLAIN)
        await heading(page, "Payment received")


async def test_a_form_that_was_sent_with_faults_notices_it_too_and_sends_nothing_again(
    chromium: Browser, shop: Client, payer: Visitor, office: Office
) -> None:
    invoice_id, url = await asked(shop)
    # Not by ``open_page``: a page that is answered with 422 is an error on the console.
    async with await chromium.new_context() as context:
        page = await context.new_page()
        posts: list[str] = []
        page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
        await page.goto(url)
        await page.evaluate("document.querySelector('#card').submit()")
        await heading(page, "Check the card details")
        await pay(payer, url, PLAIN)
        await heading(page, "Payment received")
        assert posts == [url]
    rows = await office.fetch("SELECT status FROM payments WHERE invoice_id = $1", invoice_id)
    assert rows == [{"status": "processed"}]


async def test_without_scripts_the_form_stays_until_it_is_sent(
    open_page: OpenPage, shop: Client, payer: Visitor
) -> None:
    _, url = await asked(shop)
    async with open_page(java_script_enabled=False) as page:
        await page.goto(url)
        await pay(payer, url, PLAIN)
        await enter(page, SECURE)
        await heading(page, "Payment received")


async def test_help_and_terms_are_accessible_and_fit(open_page: OpenPage, office: Office) -> None:
    shop = await office.account(
        merchant_url="https://shop.example/home",
        support_url="https://shop.example/help",
        terms_url="https://shop.example/terms",
    )
    _, url = await asked(shop)
    async with open_page(viewport={"width": 320, "height": 700}, locale="uk-UA") as page:
        await page.goto(url)
        await accessible(page)


LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20"/></svg>'


async def test_the_shops_logo_is_ours_to_serve_and_runs_nothing(
    open_page: OpenPage, office: Office, served: Served
) -> None:
    shop = await office.account(logo=base64.b64encode(LOGO).decode())
    _, url = await asked(shop)
    async with open_page() as page:
        await page.goto(url)
        await accessible(page)
        shown = page.locator("img.logo")
        assert await shown.evaluate("picture => picture.naturalWidth") == 40
        address = str(await shown.get_attribute("src"))
        await enter(page, PLAIN)
        await heading(page, "Payment received")
        assert await page.locator("img.logo").get_attribute("src") == address
    for site in (served.gate_url, served.base_url):
        async with office.session.get(f"{site}{address}") as answer:
            assert (answer.status, answer.content_type, await answer.read()) == (200, "image/svg+xml", LOGO)
            assert "immutable" in answer.headers["Cache-Control"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"].endswith("sandbox")


async def test_no_other_address_gives_a_logo(office: Office, served: Served, shop: Client) -> None:
    owner = await office.account(logo=base64.b64encode(LOGO).decode())
    page = await visit_form(owner)
    address = page.text.partition('class="logo" src="')[2].partition('"')[0]
    tag, name = address.split("/")[-2:]
    other = shop.keys.id.removeprefix("coma_")[:4]
    wrong = (f"{other}/{name}", f"{tag}/{'0' * 16}.svg", f"{tag}/{name[:-3]}png", f"zzzz/{name}", f"%00/{name}", tag)
    for path in wrong:
        async with office.session.get(f"{served.gate_url}/static/logos/{path}") as answer:
            assert answer.status == 404, path


async def visit_form(shop: Client) -> Page:
    _, url = await asked(shop)
    async with visiting() as visitor:
        return await visitor.open(url)
