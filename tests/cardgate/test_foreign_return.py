"""A public key makes no page of ours that takes payers to a third party's site by itself, or calls that the shop."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from kassa.pages import return_links
from tests.support.api import Client
from tests.support.office import Office
from tests.support.sessions import ACCOUNT, invoice
from tests.support.visitor import Page, Visitor, visiting
from tests.support.world import GOOD

EVIL = "https://evil.example/login?a=1"
BYPASS = {"cardgate": {"bypass_status_page": True}}


@pytest.fixture
async def payer() -> AsyncIterator[Visitor]:
    async with visiting() as visitor:
        yield visitor


async def paid(payer: Visitor, shop: Client, *, publicly: bool, **changes: Any) -> Page:
    """Create an invoice, pay it and return the page that the payer ends on."""
    if publicly:
        created = await shop.create_publicly(**changes)
        form = await payer.open(f"{shop.base_url}/hpp/?cpi={created.data['id']}")
    else:
        form = await payer.open((await shop.create(**changes)).attributes["flow_data"]["action"])
    return await payer.press(form, card_number=GOOD, expiry="12/30", cvc="123")


@pytest.mark.parametrize(
    "language,words",
    [("en", "Continue to evil.example"), ("ru", "Перейти на evil.example"), ("uk", "Перейти на evil.example")],
)
async def test_a_strangers_address_is_named_and_only_followed_by_hand(
    office: Office, payer: Visitor, language: str, words: str
) -> None:
    shop = await office.account(merchant_url="https://shop.example")
    page = await paid(payer, shop, publicly=True, return_url=EVIL, locale=language)
    assert page.status == 200
    assert page.links[words].startswith(EVIL)
    assert (page.refresh, "data-return=" in page.text) == (None, False)
    assert [words] == [name for name, url in page.links.items() if "evil" in url]


async def test_the_result_page_does_the_same(office: Office, payer: Visitor) -> None:
    shop = await office.account()
    created = await shop.create_publicly(return_urls={"success": EVIL, "fail": EVIL, "pending": EVIL})
    await payer.press(
        await payer.open(f"{shop.base_url}/hpp/?cpi={created.data['id']}"),
        card_number=GOOD,
        expiry="12/30",
        cvc="123",
    )
    page = await payer.open(f"{shop.base_url}/hpp/result/{created.data['id']}")
    assert (page.refresh, "Continue to evil.example" in page.links) == (None, True)


@pytest.mark.parametrize("option", ["return_url", "merchant_url"])
async def test_the_merchants_own_hosts_are_gone_to_as_ever(office: Office, payer: Visitor, option: str) -> None:
    shop = await office.account(**{option: "https://Shop.example/start"})
    page = await paid(payer, shop, publicly=True, return_url="https://shop.example:8443/back")
    assert page.refresh is not None
    assert (page.refresh[0], page.links["Back to Shop"]) == (10, page.refresh[1])


async def test_what_the_merchants_server_asks_for_is_done(office: Office, payer: Visitor) -> None:
    page = await paid(payer, await office.account(), publicly=False, return_url=EVIL)
    assert page.refresh == (10, page.links["Back to Shop"])


async def test_a_strangers_address_is_not_gone_to_past_the_page(office: Office, payer: Visitor) -> None:
    shop = await office.account()
    created = await shop.create(return_url=EVIL, gateway_options=BYPASS)
    # Public creations take no such option today: the row is made to be of one that did.
    await office.owner.execute(
        "UPDATE invoices SET source = 'platform_public_api' WHERE account_id = $1 AND invoice_id = $2",
        shop.keys.id,
        created.data["id"],
    )
    form = await payer.open(created.attributes["flow_data"]["action"])
    page = await payer.press(form, card_number=GOOD, expiry="12/30", cvc="123")
    assert (page.refresh, "Continue to evil.example" in page.links) == (None, True)


@pytest.mark.parametrize(
    "url,host",
    [
        ("https://shop.example", None),
        ("http://SHOP.example:81/x", None),
        ("https://www.shop.example/", "www.shop.example"),
        ("https://shop.example.evil.example/", "shop.example.evil.example"),
        ("https://evil.example/shop.example", "evil.example"),
        ("https://ѕhop.example/", "xn--hop-ehd.example"),
        ("https://[::1]/", "::1"),
    ],
)
def test_a_host_is_compared_whole_and_told_in_plain_letters(url: str, host: str | None) -> None:
    account = msgspec.structs.replace(ACCOUNT, website="https://shop.example")
    assert return_links.foreign_host(url, invoice(source="platform_public_api"), account) == host
    assert return_links.foreign_host(url, invoice(), account) is None
