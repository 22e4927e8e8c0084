"""What a merchant hears of its invoices, and what it finds when it asks."""

import asyncio
import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from kassa.clock import Clock
from tests.support import books
from tests.support import merchant as merchants
from tests.support.api import INVOICES, Client
from tests.support.merchant import Merchant, Received
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.visitor import Visitor
from tests.support.waiting import until
from tests.support.world import BAD, GOOD, GOOD_SECURE

SOON_SECONDS = 60


def genuine(callback: Received, shop: Client) -> bool:
    """Check both signatures as merchants do, with the key that they have."""
    key = shop.keys.private_key_test
    envelope = base64.b64encode(hashlib.sha1(key.encode() + callback.body + key.encode()).digest()).decode()  # noqa: S324
    webhook = Webhook("whsec_" + base64.b64encode(key.encode()).decode())
    webhook.verify(callback.body.decode(), dict(callback.headers.items()))
    return callback.headers["X-Signature"] == envelope


def attributes(callback: Received) -> dict[str, Any]:
    found: dict[str, Any] = callback.document["data"]["attributes"]
    return found


async def pay(payer: Visitor, url: str, number: str, expiry: str = "12/30") -> None:
    page = await payer.press(await payer.open(url), card_number=number, expiry=expiry, cvc="123")
    if number == GOOD_SECURE:
        await payer.press(page, "approve")


async def test_every_change_of_status_is_told_once_signed_twice_and_in_order(
    office: Office, payer: Visitor, merchant: Merchant
) -> None:
    shop = await office.account(callback_url=merchant.url)
    created = await shop.create(customer={"reference_id": "7", "name": "Jo"})
    first = await merchant.wait_for(lambda _: True, seconds=SOON_SECONDS)
    await pay(payer, created.attributes["flow_data"]["action"], BAD)
    await pay(payer, created.attributes["flow_data"]["action"], GOOD_SECURE)
    told = await merchant.wait_for_count(2, seconds=SOON_SECONDS)
    assert all(genuine(callback, shop) for callback in told)
    assert [callback.method for callback in told] == ["POST", "POST"]
    assert [callback.headers["Content-Type"] for callback in told] == ["application/json"] * 2
    assert [attributes(callback)["status"] for callback in told] == ["process_pending", "processed"]
    assert attributes(told[1])["updated"] >= attributes(told[0])["updated"] + 1
    assert len({callback.headers["webhook-id"] for callback in told}) == 2
    document = json.loads(first.body)
    assert document["data"] | {"attributes": None} == created.document["data"] | {"attributes": None}
    assert attributes(first) == created.attributes | {"callback_logs": []}
    assert [each["attributes"]["name"] for each in document["included"]] == ["Jo"]
    assert attributes(told[1])["payload"]["payment_card"]["mask"] == "512381******0000"


async def test_what_was_told_is_listed_in_the_invoice(office: Office, payer: Visitor, merchant: Merchant) -> None:
    shop = await office.account()
    created = await shop.create(callback_url=merchant.url)
    await pay(payer, created.attributes["flow_data"]["action"], GOOD)
    await merchant.wait_for_count(2, seconds=SOON_SECONDS)

    async def logs() -> Any:
        found = (await shop.read(created.data["id"])).attributes["callback_logs"]
        return found if all(entry["status"] == "done" for entry in found.values()) else None

    listed = await until(logs, seconds=SOON_SECONDS, what="both callbacks to be marked")
    assert [entry["transaction_status"] for entry in listed.values()] == ["process_pending", "processed"]
    seconds = [int(second) for second in listed]
    assert created.attributes["created"] == seconds[0] < seconds[1]
    for entry in listed.values():
        assert list(entry) == ["status", "processed", "response_code", "transaction_status"]
        assert (entry["status"], entry["response_code"]) == ("done", 200)
        assert entry["processed"] >= seconds[0]


async def test_an_account_may_hear_of_ends_alone(office: Office, payer: Visitor, merchant: Merchant) -> None:
    shop = await office.account(callback_url=merchant.url, only_final_callbacks="true")
    created = await shop.create()
    await pay(payer, created.attributes["flow_data"]["action"], GOOD)
    told = await merchant.wait_for_count(1, seconds=SOON_SECONDS)
    assert [attributes(callback)["status"] for callback in told] == ["processed"]


async def test_the_last_decline_is_told(office: Office, payer: Visitor, merchant: Merchant) -> None:
    shop = await office.account(callback_url=merchant.url, attempts="1")
    created = await shop.create()
    await pay(payer, created.attributes["flow_data"]["action"], BAD, "05/29")
    last = await merchant.wait_for(lambda told: attributes(told)["status"] == "process_failed", seconds=SOON_SECONDS)
    assert genuine(last, shop)
    assert attributes(last)["resolution"] == "insufficient_funds"


async def test_a_merchant_that_was_away_hears_the_same_again(office: Office, merchant: Merchant) -> None:
    merchant.answers.extend([500, 302, 404])
    shop = await office.account(callback_url=merchant.url)
    created = await shop.create()
    for count in (1, 2, 3):
        await merchant.wait_for_count(count, seconds=SOON_SECONDS)

        async def marked(failures: int = count) -> bool:
            rows = await office.fetch(
                "SELECT 1 FROM callbacks WHERE invoice_id = $1 AND tries = $2 AND failure IS NOT NULL",
                created.data["id"],
                failures,
            )
            return bool(rows)

        await until(marked, seconds=SOON_SECONDS, what="the failure to be marked")
        await office.advance(timedelta(minutes=count))
    told = await merchant.wait_for_count(4, seconds=SOON_SECONDS)
    assert len({callback.body for callback in told}) == 1
    assert len({callback.headers["webhook-id"] for callback in told}) == 1
    assert all(genuine(callback, shop) for callback in told)


async def test_a_slow_endpoint_delays_no_other_account(office: Office, merchant: Merchant) -> None:
    slow = await office.account(callback_url=merchant.url)
    merchant.open.clear()
    await asyncio.gather(*(slow.create() for _ in range(20)))
    await merchant.wait_for_count(1, seconds=SOON_SECONDS)
    async with merchants.listening() as other:
        shop = await office.account(callback_url=other.url)
        created = [(await shop.create()).data["id"] for _ in range(10)]
        told = await other.wait_for_count(10, seconds=SOON_SECONDS)
    assert {callback.document["data"]["id"] for callback in told} == set(created)
    assert len(merchant.received) < 20
    merchant.open.set()
    await merchant.wait_for_count(20, seconds=SOON_SECONDS)


async def test_what_a_payer_paid_is_found_by_the_merchants_own_name(
    office: Office, payer: Visitor, place: Served
) -> None:
    shop = await office.account()
    created = [await shop.create(reference_id=f"order {number}", amount=number) for number in (1, 2, 3)]
    for each in created[:2]:
        await pay(payer, each.attributes["flow_data"]["action"], GOOD)
    found = [
        (await shop.call("GET", f"{INVOICES}?filter[reference_id]=order%20{number}")).data[0]["attributes"]
        for number in (1, 2, 3)
    ]
    assert [(each["status"], each["processed_amount"]) for each in found] == [
        ("processed", 1),
        ("processed", 2),
        ("process_pending", None),
    ]
    taken = [
        line["amount"] for each in created for line in await books.taken_for(office, place.bank_url, each.data["id"])
    ]
    assert taken == [100, 200]
    assert await books.agree(office, place.bank_url)


async def test_a_forged_notice_of_the_bank_is_refused_and_changes_nothing(
    office: Office, payer: Visitor, place: Served
) -> None:
    shop = await office.account()
    created = await shop.create()
    await pay(payer, created.attributes["flow_data"]["action"], GOOD, "07/77")
    (payment,) = await office.fetch("SELECT * FROM payments WHERE invoice_id = $1", created.data["id"])
    path = f"/providers/test/notifications/{payment['provider_account_id']}"
    claim = {"event": "purchase.approved", "purchase": {"order": payment["payment_id"], "state": "APPROVED"}}
    timestamp = str(int(Clock.real().timestamp()))
    headers = {"Bank-Notification-Id": "ntf-1", "Bank-Timestamp": timestamp, "Bank-Signature": "0" * 64}
    assert (await shop.call("POST", path, json_body=claim, headers=headers, anonymous=True)).status == 401
    assert (await shop.call("POST", path, json_body=claim, anonymous=True)).status == 401
    nobody = path[:-1] + ("0" if path[-1] != "0" else "1")
    assert (await shop.call("POST", nobody, json_body=claim, headers=headers, anonymous=True)).status == 404
    assert (await shop.read(created.data["id"])).attributes["status"] == "process_pending"
    assert await books.taken_for(office, place.bank_url, created.data["id"]) == []


@pytest.mark.parametrize("code", [200, 201, 204])
async def test_any_good_status_is_a_delivery(office: Office, merchant: Merchant, code: int) -> None:
    merchant.answers.append(code)
    shop = await office.account(callback_url=merchant.url)
    created = await shop.create()

    async def logged() -> Any:
        found = (await shop.read(created.data["id"])).attributes["callback_logs"]
        return next((entry for entry in found.values() if entry["status"] == "done"), None)

    assert (await until(logged, seconds=SOON_SECONDS))["response_code"] == code
