"""Whole lives of invoices: a shop asks, a payer with scripts off pays, the shop is told, the books agree."""

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support import books, command
from tests.support.api import Answer, Client
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Served, Serving
from tests.support.visitor import Page, Visitor
from tests.support.waiting import until
from tests.support.world import BAD, BAD_SECURE, GOOD, GOOD_SECURE

PAID = "Payment received"
DECLINED = "The payment was declined"
CONFIRM = "Confirm with your bank"


def action(created: Answer) -> str:
    url: str = created.attributes["flow_data"]["action"]
    return url


def card(number: str, expiry: str = "12/30") -> dict[str, str]:
    return {"card_number": number, "expiry": expiry, "cvc": "123"}


async def pay(payer: Visitor, url: str, number: str, expiry: str = "12/30") -> Page:
    """Fill in the card page."""
    return await payer.press(await payer.open(url), **card(number, expiry))


async def status(shop: Client, invoice_id: str) -> tuple[str, str]:
    found = (await shop.read(invoice_id)).attributes
    return found["status"], found["resolution"]


async def test_the_card_without_3d_secure_is_paid_at_once(office: Office, payer: Visitor, place: Served) -> None:
    shop = await office.account()
    created = await shop.create(amount=123.45)
    form = await payer.open(action(created))
    assert form.heading == "$123.45"
    assert set(form.form.fields) == {"number", "card_number", "expiry", "cvc"}
    page = await payer.press(form, **card(GOOD))
    assert (page.status, page.heading, page.url) == (200, PAID, action(created))
    found = (await shop.read(created.data["id"])).attributes
    (line,) = await books.taken_for(office, place.bank_url, created.data["id"])
    assert (line["amount"], line["currency"], line["rrn"]) == (12345, "USD", found["rrn"])
    assert (found["status"], found["resolution"], str(found["processed_amount"])) == ("processed", "ok", "123.45")
    assert found["created"] <= found["processed"] <= found["updated"]
    assert found["payload"]["payment_card"] == {
        "last": "0000",
        "mask": "551928******0000",
        "brand": "mastercard",
        "first": "551928",
        "holder": None,
        "network": "mastercard",
        "expiry_year": "30",
        "issuer_name": found["payload"]["payment_card"]["issuer_name"],
        "expiry_month": "12",
        "issuer_country": found["payload"]["payment_card"]["issuer_country"],
    }
    assert found["original_data"]["external_id"] == action(created).rpartition("/")[2]
    assert found["original_data"]["merchant_id"] == "host2hostTest"
    assert found["original_data"]["provider_code"] == "test"
    public = (await shop.read_publicly(created.data["id"])).data
    assert (public["status"], public["resolution"], public["active_payment"]["status"]) == (
        "processed",
        "OK",
        "processed",
    )
    assert await books.agree(office, place.bank_url)


async def test_the_card_with_3d_secure_is_paid_when_the_payer_approves(
    office: Office, payer: Visitor, place: Served
) -> None:
    shop = await office.account()
    created = await shop.create()
    challenge = await pay(payer, action(created), GOOD_SECURE)
    assert challenge.url.startswith(f"{place.bank_url}/acs/")
    assert {value for _, value in challenge.form.buttons} == {"approve", "decline", "abandon"}
    assert await status(shop, created.data["id"]) == ("process_pending", "ok")
    assert (await shop.read(created.data["id"])).attributes["payload"]["payment_card"]["mask"] == "512381******0000"
    page = await payer.press(challenge, "approve")
    assert (page.heading, page.url) == (PAID, action(created))
    found = (await shop.read(created.data["id"])).attributes
    assert found["status"] == "processed"
    assert found["payload"]["payment_card"]["issuer_name"] == "FIRST DATA CORPORATION"
    assert found["payload"]["payment_card"]["issuer_country"] == "US"
    assert len(await books.taken_for(office, place.bank_url, created.data["id"])) == 1
    again = await payer.open(challenge.url)
    assert (await payer.follow(again, "Back to the shop")).heading == PAID


async def test_a_payer_who_declines_at_the_bank_may_try_another_card(
    office: Office, payer: Visitor, place: Served
) -> None:
    shop = await office.account()
    created = await shop.create()
    challenge = await pay(payer, action(created), GOOD_SECURE)
    page = await payer.press(challenge, "decline")
    assert (page.url, DECLINED in page.headings) == (action(created), True)
    assert await status(shop, created.data["id"]) == ("process_pending", "ok")
    assert page.form.fields["number"] == "2"
    assert (await payer.press(page, **card(GOOD))).heading == PAID
    assert len(await books.taken_for(office, place.bank_url, created.data["id"])) == 1


async def test_a_payer_who_walks_away_from_the_bank_goes_on_later(office: Office, payer: Visitor) -> None:
    shop = await office.account()
    created = await shop.create()
    challenge = await pay(payer, action(created), GOOD_SECURE)
    page = await payer.press(challenge, "abandon")
    assert (page.url, page.heading, page.forms) == (action(created), CONFIRM, [])
    assert await status(shop, created.data["id"]) == ("process_pending", "ok")
    back = await payer.follow(await payer.open(action(created)), "Continue to your bank")
    assert back.url == challenge.url
    assert (await payer.press(back, "approve")).heading == PAID


async def test_a_payer_who_approves_and_closes_the_window_has_paid(office: Office, payer: Visitor) -> None:
    shop = await office.account()
    created = await shop.create()
    challenge = await pay(payer, action(created), GOOD_SECURE)
    # The bank is told, and nobody ever comes back: its own notification brings the news.
    await payer.send(challenge.form.action, decision="approve")

    async def processed() -> bool:
        return await status(shop, created.data["id"]) == ("processed", "ok")

    await until(processed, what="the bank's notification")


async def test_the_failing_card_with_3d_secure_fails_after_it(office: Office, payer: Visitor) -> None:
    shop = await office.account()
    created = await shop.create(gateway_options={"cardgate": {"retry_limit": 1}})
    challenge = await pay(payer, action(created), BAD_SECURE, "05/29")
    page = await payer.press(challenge, "approve")
    assert (page.heading, page.forms) == ("Payment failed", [])
    assert await status(shop, created.data["id"]) == ("process_failed", "insufficient_funds")


async def test_declines_may_be_retried_as_often_as_the_account_says(office: Office, payer: Visitor) -> None:
    shop = await office.account(attempts="3")
    created = await shop.create()
    page = await payer.open(action(created))
    for left in (2, 1):
        page = await payer.press(page, **card(BAD, "04/28"))
        assert DECLINED in page.headings
        assert ("You can try once more." if left == 1 else "You can try 2 more times.") in page.text
        assert await status(shop, created.data["id"]) == ("process_pending", "ok")
    page = await payer.press(page, **card(BAD, "05/29"))
    assert page.heading == "Payment failed"
    assert await status(shop, created.data["id"]) == ("process_failed", "insufficient_funds")
    rows = await office.fetch(
        "SELECT resolution FROM payments WHERE invoice_id = $1 ORDER BY attempt_number", created.data["id"]
    )
    assert [row["resolution"] for row in rows] == ["card_expired", "card_expired", "insufficient_funds"]
    found = (await shop.read(created.data["id"])).attributes
    assert (found["processed"], found["processed_amount"]) == (None, None)
    assert found["failed"] >= found["created"]


REASONS = {
    "08/56": "access_denied",
    "07/55": "error",
    "06/54": "provider_error",
    "05/53": "unknown",
    "04/52": "duplicated_transaction",
    "03/51": "auth_fatal_error",
    "02/50": "unable_to_determine_3ds_enrolment",
    "01/49": "card_is_3ds_enrolled",
    "12/48": "card_is_not_3ds_enrolled",
    "11/47": "issuer_decline",
    "10/46": "client_auth_failed",
    "09/45": "provider_fatal_error",
    "08/44": "invalid_details",
    "07/43": "invalid_pin",
    "06/42": "antifraud_error",
    "05/41": "invalid_card",
    "04/40": "fatal_error",
    "03/39": "unable_to_reconcile",
    "02/38": "invalid_amount",
    "01/37": "limit_violation",
    "12/36": "functionality_is_not_permitted",
    "11/35": "invalid_request",
    "10/34": "lost_or_stolen_card",
    "09/33": "declined",
    "08/32": "invalid_otp",
    "07/31": "invalid_3ds_code",
    "06/30": "invalid_card_status",
    "05/29": "insufficient_funds",
    "04/28": "card_expired",
    "03/27": "invalid_cvv",
    "02/26": "invalid_pan",
    "01/25": "invalid_credentials",
    "12/30": "general_fatal_error",
    "07/77": "general_fatal_error",
}


@pytest.mark.parametrize("expiry,reason", REASONS.items())
async def test_the_failing_card_fails_as_its_expiry_date_says(
    office: Office, payer: Visitor, expiry: str, reason: str, refusing: Client
) -> None:
    created = await refusing.create()
    page = await pay(payer, action(created), BAD, expiry)
    assert page.heading == "Payment failed"
    assert await status(refusing, created.data["id"]) == ("process_failed", reason)
    public = (await refusing.read_publicly(created.data["id"])).data
    assert (public["status"], public["resolution"]) == ("process_failed", reason.upper())
    assert public["active_payment"]["status"] == "process_failed"


@pytest.fixture(scope="module")
async def refusing(office: Office) -> Client:
    """A shop that lets its payers try once."""
    return await office.account(attempts="1")


async def test_a_form_that_is_sent_many_times_at_once_is_one_purchase(
    office: Office, payer: Visitor, place: Served
) -> None:
    shop = await office.account()
    created = await shop.create()
    form = await payer.open(action(created))
    assert set(await payer.press_at_once(form, 10, **card(GOOD))) == {303}
    assert len(await books.taken_for(office, place.bank_url, created.data["id"])) == 1
    assert await status(shop, created.data["id"]) == ("processed", "ok")
    again = await payer.press(form, **card(GOOD))
    assert again.heading == PAID
    assert len(await books.taken_for(office, place.bank_url, created.data["id"])) == 1


async def test_two_forms_in_two_tabs_are_one_purchase(office: Office, payer: Visitor, place: Served) -> None:
    shop = await office.account()
    created = await shop.create()
    first, second = await payer.open(action(created)), await payer.open(action(created))
    challenge = await payer.press(first, **card(GOOD_SECURE))
    other = await payer.press(second, **card(GOOD))
    assert (other.url.partition("?")[0], other.heading) == (action(created), CONFIRM)
    assert "was not charged" in other.text
    assert other.links["Continue to your bank"]
    assert (await payer.press(challenge, "approve")).heading == PAID
    assert (await payer.open(action(created))).heading == PAID
    assert len(await books.taken_for(office, place.bank_url, created.data["id"])) == 1


async def test_a_wrong_card_costs_no_attempt_and_comes_back_without_itself(office: Office, payer: Visitor) -> None:
    shop = await office.account()
    created = await shop.create()
    page = await pay(payer, action(created), "5519283812030001")
    assert (page.status, page.form.fields) == (422, {"number": "1", "card_number": "", "expiry": "", "cvc": ""})
    assert "5519283812030001" not in page.text
    assert (await payer.press(page, **card(GOOD))).heading == PAID


async def test_the_card_that_stays_pending_stays_so_until_the_invoice_expires(
    office: Office, payer: Visitor, place: Served, stage: Serving, merchant: Merchant
) -> None:
    shop = await office.account(callback_url=merchant.url)
    created = await shop.create()
    page = await pay(payer, action(created), GOOD, "07/77")
    assert (page.heading, page.forms) == ("Waiting for your bank", [])
    assert page.refresh is not None
    assert (await payer.wait(page)).heading == "Waiting for your bank"
    assert await status(shop, created.data["id"]) == ("process_pending", "ok")
    environment = {"KASSA_HOME": str(stage.folder / "home")}
    assert (await command.run("clock", "advance", "31m", environment=environment)).status == 0
    told = await merchant.wait_for(lambda callback: "process_failed" in callback.body.decode())
    assert told.document["data"]["attributes"]["resolution"] == "expired"
    assert await status(shop, created.data["id"]) == ("process_failed", "expired")
    assert (await payer.open(action(created))).heading == "This payment has expired"
    assert await books.taken_for(office, place.bank_url, created.data["id"]) == []


async def test_what_the_bank_decides_late_is_booked_and_told(
    office: Office, payer: Visitor, place: Served, merchant: Merchant
) -> None:
    shop = await office.account(callback_url=merchant.url)
    created = await shop.create()
    await pay(payer, action(created), GOOD, "07/77")
    await office.told(shop)
    await office.advance(timedelta(minutes=31))
    await merchant.wait_for(lambda callback: "process_failed" in callback.body.decode())
    (order,) = await office.fetch("SELECT payment_id FROM payments WHERE invoice_id = $1", created.data["id"])
    desk = f"{place.bank_url}/desk/host2hostTest/{order['payment_id']}"
    await payer.send(desk, decision="approve")
    told = await merchant.wait_for(lambda callback: b'"status":"processed"' in callback.body)
    statuses = [callback.document["data"]["attributes"]["status"] for callback in merchant.received]
    assert statuses == ["process_pending", "process_failed", "processed"]
    assert told.document["data"]["attributes"]["resolution"] == "ok"
    assert (await payer.open(action(created))).heading == PAID
    assert await books.agree(office, place.bank_url)


async def test_an_invoice_that_nobody_pays_expires_and_its_page_says_so(office: Office, payer: Visitor) -> None:
    shop = await office.account()
    created = await shop.create()
    form = await payer.open(action(created))
    await office.advance(timedelta(minutes=30))
    page = await payer.press(form, **card(GOOD))
    assert (page.heading, page.forms) == ("This payment has expired", [])

    async def expired() -> bool:
        return await status(shop, created.data["id"]) == ("process_failed", "expired")

    await until(expired, what="the expiry")
    assert (await shop.read_publicly(created.data["id"])).data["active_payment"]["status"] == "process_failed"


@pytest.mark.parametrize("number,outcome", [(GOOD, "success"), (BAD, "fail")])
async def test_the_payer_goes_back_to_the_address_for_the_outcome(
    office: Office, payer: Visitor, number: str, outcome: str
) -> None:
    shop = await office.account(attempts="1")
    urls = {name: f"http://127.0.0.1:9/{name}?kept=a%20b" for name in ("success", "fail", "pending")}
    created = await shop.create(return_url="http://127.0.0.1:9/other", return_urls=urls, reference_id=f"№ 7 {outcome}")
    page = await pay(payer, action(created), number)
    way = urlsplit(page.links["Back to Shop"])
    assert f"{way.scheme}://{way.netloc}{way.path}" == f"http://127.0.0.1:9/{outcome}"
    assert parse_qsl(way.query) == [
        ("kept", "a b"),
        ("id", created.data["id"]),
        ("reference_id", f"№ 7 {outcome}"),
        ("status", "processed" if outcome == "success" else "process_failed"),
        ("amount", "100"),
        ("currency", "USD"),
    ]
    if outcome == "success":
        assert page.refresh is not None
        assert page.refresh[1] == page.links["Back to Shop"]


async def test_coming_back_from_the_bank_without_having_been_there_changes_nothing(
    office: Office, payer: Visitor
) -> None:
    shop = await office.account()
    created, other = await shop.create(), await shop.create()
    for path in ("/return", "/return?transaction=x&status=approved", "/3ds"):
        page = await payer.open(action(created) + path)
        assert (page.url, page.form.fields["number"]) == (action(created), "1")
    challenge = await pay(payer, action(other), GOOD_SECURE)
    page = await payer.open(f"{action(other)}/return?transaction=x&status=approved")
    assert page.heading == CONFIRM
    assert await status(shop, other.data["id"]) == ("process_pending", "ok")
    assert (await payer.press(challenge, "approve")).heading == PAID


async def test_a_page_of_nobody_is_not_there(payer: Visitor, place: Served) -> None:
    for session in ("cgi_0000000000000000", "cgi_x", "x", "%00"):
        for end in ("", "/3ds", "/return"):
            page = await payer.open(f"{place.gate_url}/hpp/{session}{end}")
            assert page.status == 404


async def test_the_hosted_page_address_leads_to_the_card_page_and_then_to_the_outcome(
    office: Office, payer: Visitor
) -> None:
    shop = await office.account()
    created = await shop.create()
    page = await payer.open(created.attributes["hpp_url"])
    assert page.url == action(created)
    await payer.press(page, **card(GOOD))
    assert (await payer.open(created.attributes["hpp_url"])).heading == PAID


async def test_a_public_invoice_is_paid_the_same_way(office: Office, payer: Visitor) -> None:
    shop = await office.account()
    created = await shop.create_publicly(amount="7.50", description="Tea")
    form = created.data["active_payment"]["payload"]
    assert (form["method"], form["params"]) == ("GET", [])
    page = await pay(payer, form["action"], GOOD)
    assert page.heading == PAID
    data = (await shop.read_publicly(created.data["id"])).data
    assert (data["status"], str(data["processed_amount"])) == ("processed", "7.5")
    found = (await shop.find(created.data["reference_id"])).data
    assert [(each["id"], each["attributes"]["status"]) for each in found] == [(created.data["id"], "processed")]


async def test_a_card_is_found_nowhere_after_it_was_used(
    office: Office, payer: Visitor, kept: Callable[[], bytes], merchant: Merchant
) -> None:
    shop = await office.account(callback_url=merchant.url)
    created = await shop.create()
    await pay(payer, action(created), BAD)
    await pay(payer, action(created), GOOD_SECURE)
    await merchant.wait_for_count(1)
    spellings = [
        spelling
        for number in (BAD, GOOD_SECURE)
        for spelling in (
            number.encode(),
            " ".join(number[at : at + 4] for at in range(0, 16, 4)).encode(),
            base64.b64encode(number.encode()).rstrip(b"="),
            number.encode().hex().encode(),
            hashlib.sha256(number.encode()).hexdigest().encode(),
            hashlib.sha256(number.encode()).digest(),
            number[6:12].encode() + number[12:].encode(),
        )
    ]
    # The greeting names this one to everybody, as it was before anyone paid.
    everything = kept().replace(b"Test card        5123 8172 3406 0000", b"")
    assert b"512381" in everything
    assert [spelling for spelling in spellings if spelling in everything] == []
