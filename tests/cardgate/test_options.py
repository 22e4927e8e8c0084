"""``gateway_options.cardgate``: what a merchant may ask of the card page, and that it takes effect."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kassa.invoices.creating import options as gateway
from kassa.invoices.creating.options import CardGate
from kassa.pages import accent
from kassa.pages.accent import contrast
from kassa.pages.assets import FOLDER
from tests.conftest import OpenPage
from tests.support.api import Client
from tests.support.payer import PLAIN, REFUSED, SECURE, asked, decide, enter, heading
from tests.support.serving import Served
from tests.support.visitor import Visitor, visiting

BACK = "https://shop.example/back"
CARD = {"card_number": PLAIN, "expiry": "12/30", "cvc": "123"}
PREFIX = "gateway_options.cardgate"
BOOLEAN = "This value should be of type boolean."
LENGTH = "This value should be a whole number from 12 to 19."
ATTEMPTS = "This value should be a whole number from 1 to 20."
COLOUR = "This value should be a colour such as #4338ca."


@pytest.fixture
async def payer() -> AsyncIterator[Visitor]:
    """Somebody with scripts off."""
    async with visiting() as visitor:
        yield visitor


def options(**cardgate: object) -> dict[str, Any]:
    return {"gateway_options": {"cardgate": cardgate}}


@pytest.mark.parametrize(
    "given, member, message",
    [
        ({"retry_limit": 0}, "retry_limit", ATTEMPTS),
        ({"retry_limit": 21}, "retry_limit", ATTEMPTS),
        ({"retry_limit": 1.5}, "retry_limit", ATTEMPTS),
        ({"bypass_status_page": "yes"}, "bypass_status_page", BOOLEAN),
        ({"theme": 5}, "theme", "This value should be of type string."),
        ({"theme_options": "x"}, "theme_options", "This value should be an object."),
        (
            {"theme_options": {"merchant_name": 5}},
            "theme_options.merchant_name",
            "This value should be of type string.",
        ),
        (
            {"theme_options": {"merchant_name": "x" * 256}},
            "theme_options.merchant_name",
            "This value is too long. It should have 255 characters or less.",
        ),
        ({"theme_options": {"primary": "red"}}, "theme_options.primary", COLOUR),
        ({"theme_options": {"primary": "#4338ca;}*{display:none"}}, "theme_options.primary", COLOUR),
        ({"theme_options": {"primary": "#4338ca\n"}}, "theme_options.primary", COLOUR),
        ({"theme_options": {"primary": "#٤٣٣٨٩٩"}}, "theme_options.primary", COLOUR),
        ({"card_number_length": 11}, "card_number_length", LENGTH),
        ({"card_number_length": [16, 20]}, "card_number_length", LENGTH),
        ({"card_number_length": "16"}, "card_number_length", LENGTH),
        ({"card_number_length": True}, "card_number_length", LENGTH),
        ({"tokenize": True}, "tokenize", "Cards are not stored here."),
        ({"tokenize": "x"}, "tokenize", BOOLEAN),
    ],
)
async def test_what_cannot_be_is_refused_by_name(
    shop: Client, given: dict[str, object], member: str, message: str
) -> None:
    assert (await shop.create(**options(**given))).errors == {f"{PREFIX}.{member}": message}


@pytest.mark.parametrize("value", ["x", 5, ["x"]])
async def test_options_that_are_no_map_are_refused(shop: Client, value: object) -> None:
    refused = await shop.create(gateway_options={"cardgate": value})
    assert refused.errors == {PREFIX: "This value should be an object."}


async def test_everything_wrong_is_told_at_once(shop: Client) -> None:
    refused = await shop.create(**options(retry_limit=0, tokenize=True, card_number_length=1))
    assert list(refused.errors) == [f"{PREFIX}.{name}" for name in ("tokenize", "retry_limit", "card_number_length")]


def test_the_options_of_other_gateways_of_the_family_are_taken_and_change_nothing() -> None:
    errors: dict[str, str] = {}
    given = {
        "theme": "spoynt",
        "theme_options": {"merchant_name": "Shop", "powered_by": False, "card_holder": True},
        "bypass_status_page": False,
        "retry_limit": 3,
        "tokenize": False,
        "something": {"new": 1},
    }
    read = gateway.check({"cardgate": given, "other": 1}, errors)
    assert (read, errors) == (CardGate(retry_limit=3, merchant_name="Shop"), {})
    assert gateway.check({"cardgate": []}, errors) == gateway.options(None) == CardGate()
    assert errors == {}


def test_what_was_kept_is_read_leniently() -> None:
    kept = '{"cardgate": {"theme": "dark", "retry_limit": 99, "theme_options": {"primary": "#ABC"}}}'
    assert gateway.options(kept) == CardGate(theme="dark", primary="aabbcc")
    assert gateway.options("[]") == CardGate()


@pytest.mark.parametrize("limit", [1, 2])
async def test_retry_limit_is_the_number_of_attempts_in_all(shop: Client, payer: Visitor, limit: int) -> None:
    invoice_id, url = await asked(shop, **options(retry_limit=limit))
    page = await payer.open(url)
    for left in range(limit - 1, -1, -1):
        page = await payer.press(page, card_number=REFUSED, expiry="12/30", cvc="123")
        assert bool(page.forms) is (left > 0)
    assert (await shop.read(invoice_id)).attributes["status"] == "process_failed"


@pytest.mark.parametrize(
    "number, status, limit", [(PLAIN, "processed", 5), (REFUSED, "process_failed", 1)], ids=["paid", "failed"]
)
async def test_bypass_leads_straight_to_the_merchant_once_the_outcome_is_known(
    shop: Client, payer: Visitor, number: str, status: str, limit: int
) -> None:
    invoice_id, url = await asked(shop, return_url=BACK, **options(bypass_status_page=True, retry_limit=limit))
    card = await payer.open(url)
    sent = await payer.send(card.form.action, **{**card.form.fields, **CARD, "card_number": number})
    page = await payer._ask("GET", url, None)
    assert sent.status == 303
    assert page.refresh is not None
    assert page.refresh[0] == 0
    assert page.refresh[1].startswith(f"{BACK}?id={invoice_id}&")
    assert f"status={status}" in page.refresh[1]
    assert page.links["Back to Shop"] == page.refresh[1]


async def test_bypass_waits_for_the_outcome_and_for_an_address(shop: Client, payer: Visitor) -> None:
    _, url = await asked(shop, return_url=BACK, **options(bypass_status_page=True))
    page = await payer.press(await payer.open(url), **{**CARD, "expiry": "07/77"})
    assert page.heading == "Waiting for your bank"
    _, url = await asked(shop, **options(bypass_status_page=True))
    page = await payer.press(await payer.open(url), **CARD)
    assert page.heading == "Payment received"


@pytest.mark.parametrize("number", [PLAIN, SECURE])
@pytest.mark.parametrize("scripts", [True, False])
async def test_bypass_is_not_stopped_by_any_pages_policy(
    open_page: OpenPage, shop: Client, served: Served, number: str, *, scripts: bool
) -> None:
    back = f"{served.base_url}/demo/shop"
    _, url = await asked(shop, return_url=back, **options(bypass_status_page=True))
    async with open_page(java_script_enabled=scripts) as page:
        await page.goto(url)
        await enter(page, number)
        if number == SECURE:
            await page.wait_for_url("**/acs/**")
            await page.locator("button[name=decision][value=approve]").click()
        await page.wait_for_url(f"{back}?id=*")


@pytest.mark.parametrize(
    "theme, scheme, dark",
    [("dark", "light", True), ("light", "dark", False), ("auto", "dark", True), ("spoynt", "light", False)],
)
async def test_the_theme_wins_over_the_payers_device(
    open_page: OpenPage, shop: Client, theme: str, scheme: Any, *, dark: bool
) -> None:
    _, url = await asked(shop, **options(theme=theme))
    async with open_page(color_scheme=scheme) as page:
        await page.goto(url)
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(13, 15, 20)" if dark else "rgb(243, 244, 247)")
        field = await page.evaluate("getComputedStyle(document.querySelector('input:not([type=hidden])')).colorScheme")
        assert field == (theme if theme in {"light", "dark"} else "light dark")


async def test_a_merchants_name_and_colour_are_on_every_page_of_the_payment(open_page: OpenPage, shop: Client) -> None:
    _, url = await asked(shop, **options(theme_options={"merchant_name": "<b>Boutique</b>", "primary": "#0a7"}))
    async with open_page(color_scheme="light") as page:
        await page.goto(url)
        assert await page.locator(".merchant").inner_text() == "<b>Boutique</b>"
        button = await page.evaluate("getComputedStyle(document.querySelector('button.main')).backgroundColor")
        assert re.fullmatch(r"rgb\(0, (\d+), (\d+)\)", button)
        await enter(page, SECURE)
        await decide(page, "approve")
        await heading(page, "Payment received")
        assert await page.locator(".merchant").inner_text() == "<b>Boutique</b>"
        assert await page.locator("link[href*='/static/accent/00aa77.css']").count() == 1


async def test_a_colours_style_sheet_has_no_name_but_a_colour(shop: Client, served: Served) -> None:
    gate = Client(shop.session, served.gate_url, shop.keys)
    good = await gate.call("GET", "/static/accent/00aa77.css", anonymous=True)
    assert (good.status, good.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    for name in ("00AA77", "00aa7", "00aa77%7D", "red", "..%2Fpage"):
        assert (await gate.call("GET", f"/static/accent/{name}.css", anonymous=True)).status == 404


def colours(rules: str) -> list[tuple[int, int, int]]:
    found = re.findall(r"#([0-9a-f]{6})", rules)
    return [(int(c[:2], 16), int(c[2:4], 16), int(c[4:], 16)) for c in found]


@pytest.mark.parametrize("colour", ["ffffff", "000000", "ffff00", "4338ca", "808080", "ff0000", "00ff00", "0000ff"])
def test_text_in_and_on_a_merchants_colour_can_be_read(colour: str) -> None:
    main, over, ink, dark_main, dark_over, dark_ink, *again = colours(accent.style_sheet(colour))
    assert again == [dark_main, dark_over, dark_ink]
    for pair in ((main, ink), (over, ink), (dark_main, dark_ink), (dark_over, dark_ink)):
        assert contrast(*pair) >= 4.5
    for ground in ((255, 255, 255), (0xF3, 0xF4, 0xF7)):
        assert contrast(main, ground) >= 4.5
    for ground in ((0x0D, 0x0F, 0x14), (0x16, 0x1A, 0x22)):
        assert contrast(dark_main, ground) >= 4.5


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert accent.style_sheet("4338ca").startswith(":root{--main:#4338ca;")
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)


def test_both_ways_to_the_dark_colours_lead_to_the_same() -> None:
    css = (FOLDER / "page.css").read_text()
    asked_for = re.search(r"^:root\.dark \{(.+?)^\}", css, re.MULTILINE | re.DOTALL)
    by_device = re.search(r":root:not\(\.light\) \{(.+?)\}", css, re.DOTALL)
    assert asked_for is not None
    assert by_device is not None
    assert asked_for[1].split() == by_device[1].split()


@pytest.mark.parametrize("language, text", [("en", "Only card numbers with 15, 18 digits"), ("uk", "15, 18")])
async def test_other_lengths_are_refused_by_the_server(shop: Client, payer: Visitor, language: str, text: str) -> None:
    invoice_id, url = await asked(shop, locale=language, **options(card_number_length=[18, 15]))
    page = await payer.press(await payer.open(url), **CARD)
    assert page.status == 422
    assert text in page.text.partition("<main")[2]
    assert (await shop.read(invoice_id)).attributes["payload"] is None


async def test_other_lengths_are_refused_by_the_script_and_the_right_one_pays(
    open_page: OpenPage, shop: Client
) -> None:
    _, url = await asked(shop, **options(card_number_length=15))
    async with open_page() as page:
        await page.goto(url)
        await page.get_by_label("Card number").fill(PLAIN)
        await page.get_by_label("Security code").focus()
        fault = page.locator("#card_number-fault")
        assert await fault.inner_text() == "Only card numbers with 15 digits are accepted here. Try another card."
    _, url = await asked(shop, **options(card_number_length=16))
    async with open_page() as page:
        await page.goto(url)
        await enter(page, PLAIN)
        await heading(page, "Payment received")


async def test_unknown_members_are_kept_and_do_no_harm(shop: Client, payer: Visitor) -> None:
    pages = [await payer.open((await asked(shop, **options(x={"y": [1]}, theme="<x>")))[1])]
    assert await asyncio.gather(*(payer.open(page.url) for page in pages))
    assert pages[0].status == 200
    assert "<x>" not in pages[0].text
