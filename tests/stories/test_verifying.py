"""Cards that are only checked: the same page, no money, and a merchant who is told how it went."""

import pytest

from tests.support import books
from tests.support.api import Client
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.visitor import Page, Visitor
from tests.support.world import BAD, BAD_SECURE, GOOD, GOOD_SECURE


@pytest.fixture
async def shop(office: Office, merchant: Merchant) -> Client:
    """A shop of a test's own, which listens."""
    return await office.account(callback_url=merchant.url)


async def check(payer: Visitor, url: str, number: str, expiry: str = "12/30") -> Page:
    """Enter a card, and approve where its bank asks."""
    page = await payer.press(await payer.open(url), card_number=number, expiry=expiry, cvc="123")
    return await payer.press(page, "approve") if "/acs/" in page.url else page


async def test_a_payer_knows_before_he_sends_a_card_that_nothing_is_taken(shop: Client, payer: Visitor) -> None:
    created = await shop.create(flow="verify", amount=12.5)
    url = created.attributes["flow_data"]["action"]
    page = await payer.open(url)
    assert page.heading == "Check the card"
    assert "We'll only check the card: no money will be taken." in page.text
    assert "12.50" not in page.text
    declined = await check(payer, url, BAD, "04/28")
    assert declined.headings[:2] == ["Check the card", "The card could not be verified"]
    assert (
        "No money will be taken" not in (await payer.open((await shop.create()).attributes["flow_data"]["action"])).text
    )


@pytest.mark.parametrize("number", [GOOD, GOOD_SECURE])
async def test_a_good_card_is_verified_and_nothing_is_taken(
    office: Office, shop: Client, merchant: Merchant, payer: Visitor, *, place: Served, number: str
) -> None:
    created = await shop.create(flow="verify")
    assert (created.attributes["payment_flow"], created.attributes["status"]) == ("verify", "process_pending")
    page = await check(payer, created.attributes["flow_data"]["action"], number)
    assert page.heading == "Card verified"
    found = (await shop.read(created.data["id"])).attributes
    assert (found["status"], found["resolution"]) == ("verified", "ok")
    money = ("processed", "processed_amount", "processed_fee", "processed_deposit", "refunded_amount")
    assert {name: found[name] for name in money} == dict.fromkeys(money)
    assert found["payload"]["payment_card"]["first"] == number[:6]
    assert await books.taken_for(office, place.bank_url, created.data["id"]) == []
    first, last = await merchant.told(2)
    assert [(each["status"], each["payment_flow"]) for each in (first, last)] == [
        ("process_pending", "verify"),
        ("verified", "verify"),
    ]
    assert last["processed_amount"] is None
    assert last["updated"] > first["updated"]
    assert await books.agree(office, place.bank_url)


@pytest.mark.parametrize("number", [BAD, BAD_SECURE])
async def test_a_bad_card_fails_its_verification_with_its_reason(
    office: Office, shop: Client, merchant: Merchant, payer: Visitor, *, place: Served, number: str
) -> None:
    created = await shop.create(flow="verify", gateway_options={"cardgate": {"retry_limit": 1}})
    page = await check(payer, created.attributes["flow_data"]["action"], number, "04/28")
    assert page.heading == "The card could not be verified"
    assert "Your bank says that this card has expired. You have no attempts left." in page.text
    found = (await shop.read(created.data["id"])).attributes
    assert (found["status"], found["resolution"], found["processed_amount"]) == ("verify_failed", "card_expired", None)
    assert await books.taken_for(office, place.bank_url, created.data["id"]) == []
    assert [each["status"] for each in await merchant.told(2)] == ["process_pending", "verify_failed"]


async def test_a_verification_that_failed_once_may_be_tried_with_another_card(shop: Client, payer: Visitor) -> None:
    created = await shop.create(flow="verify")
    url = created.attributes["flow_data"]["action"]
    page = await check(payer, url, BAD)
    assert "The card could not be verified" in page.headings
    assert (await check(payer, url, GOOD)).heading == "Card verified"
    assert (await shop.read(created.data["id"])).attributes["status"] == "verified"


async def test_only_cards_are_verified(office: Office) -> None:
    shop = await office.account(services=("applepay_usd_hpp", "test_usd_test"))
    for service, fields in (("applepay_usd_hpp", None), ("test_usd_test", {"status": "success"})):
        refused = await shop.create(flow="verify", service=service, service_fields=fields)
        assert list(refused.errors) == ["flow"]
