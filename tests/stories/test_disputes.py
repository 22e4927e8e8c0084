"""Disputes that are won and lost, and a refund that comes back: the merchant is notified, and the books agree."""

from typing import Any

import pytest

from kassa.accounts.operations import BANK_MERCHANT_ID
from tests.support import books
from tests.support.api import Answer, Client
from tests.support.merchant import Merchant, Received
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.waiting import until


async def at_desk(office: Office, place: Served, path: str, **form: str) -> None:
    """Do something at the bank's desk."""
    url = f"{place.bank_url}/desk/{BANK_MERCHANT_ID}/{path}"
    async with office.session.post(url, data=form, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()


async def order_of(office: Office, invoice_id: str) -> str:
    """Return the bank's name of the payment of an invoice."""
    (row,) = await office.fetch("SELECT payment_id FROM payments WHERE invoice_id = $1", invoice_id)
    return str(row["payment_id"])


async def disputed(office: Office, place: Served, merchant: Merchant) -> tuple[Client, Answer, str]:
    """Pay an invoice and dispute 40 of its 100; return the merchant, the invoice and the chargeback's desk."""
    shop = await office.account(callback_url=merchant.url)
    paid = await shop.pay(await shop.create(), place.gate_url)
    order = await order_of(office, paid.data["id"])
    await at_desk(office, place, f"{order}/charge-back", amount="40", reason="fraudulent")
    await merchant.wait_for(lambda each: status(each) == "partially_charged_back")
    (dispute,) = await listed(shop)
    (row,) = await office.fetch("SELECT external_id FROM disputes WHERE dispute_id = $1", dispute["id"])
    return shop, paid, f"{order}/charge-backs/{row['external_id']}"


def status(callback: Received) -> Any:
    return callback.document["data"]["attributes"]["status"]


async def listed(shop: Client, query: str = "") -> list[Any]:
    answer = await shop.call("GET", f"/api/disputes?{query}")
    assert answer.status == 200, answer.text
    return list(answer.document["data"])


async def kinds(shop: Client, invoice_id: str) -> list[str]:
    found = await shop.call("GET", f"/api/payment-invoices/{invoice_id}/events?page[size]=100")
    return [row["attributes"]["kind"] for row in found.document["data"]]


async def test_a_dispute_that_is_won_is_the_merchants_money_again(
    office: Office, place: Served, merchant: Merchant
) -> None:
    shop, paid, desk = await disputed(office, place, merchant)
    (opened,) = await listed(shop)
    attributes = opened["attributes"]
    assert opened["relationships"] == {"payment-invoice": {"data": {"type": "payment-invoices", "id": paid.data["id"]}}}
    assert attributes["deadline"] > attributes["opened"]
    assert {name: attributes[name] for name in ("status", "reason", "amount", "currency", "provider_amount")} == {
        "status": "open",
        "reason": "fraudulent",
        "amount": 40,
        "currency": "USD",
        "provider_amount": 40,
    }
    await at_desk(office, place, desk, decision="won")

    async def notified() -> bool:
        return [status(each) for each in merchant.received][-2:] == ["partially_charged_back", "processed"]

    await until(notified, what="the callback about the dispute that was won")
    assert not merchant.received[-1].document["data"]["attributes"]["charged_back_amount"]
    (won,) = await listed(shop, "filter[status]=won")
    assert won["attributes"]["closed"] is not None
    assert await listed(shop, "filter[status]=open") == []
    assert [kind for kind in await kinds(shop, paid.data["id"]) if kind.startswith("dispute")] == [
        "dispute.opened",
        "dispute.won",
    ]
    assert await books.differences(office, place.bank_url) == []


async def test_a_dispute_that_is_lost_stays_with_the_payer(office: Office, place: Served, merchant: Merchant) -> None:
    shop, paid, desk = await disputed(office, place, merchant)
    await at_desk(office, place, desk, decision="lost")

    async def lost() -> bool:
        return bool(await listed(shop, "filter[status]=lost"))

    await until(lost, what="the dispute's end")
    assert (await shop.read(paid.data["id"])).attributes["status"] == "partially_charged_back"
    assert (await kinds(shop, paid.data["id"]))[-1] == "dispute.lost"
    assert await books.differences(office, place.bank_url) == []


async def test_a_refund_that_comes_back_has_failed_and_can_be_made_again(
    office: Office, place: Served, merchant: Merchant
) -> None:
    shop = await office.account(callback_url=merchant.url)
    paid = await shop.pay(await shop.create(), place.gate_url)
    refunded = await shop.refund(paid.data["id"], amount=100)
    (refund,) = refunded.attributes["refunds"]
    assert refund["status"] == "refunded"
    order = await order_of(office, paid.data["id"])
    await at_desk(office, place, f"{order}/refunds/{refund['id']}/return")
    callback = await merchant.wait_for(lambda each: status(each) == "refund_failed")
    (failed,) = callback.document["data"]["attributes"]["refunds"]
    assert (failed["id"], failed["status"]) == (refund["id"], "refund_failed")
    assert await books.differences(office, place.bank_url) == []
    again = await shop.refund(paid.data["id"], amount=100)
    assert again.attributes["status"] == "refunded"
    assert await books.differences(office, place.bank_url) == []
    assert "refund.reversed" in await kinds(shop, paid.data["id"])


async def test_disputes_are_read_page_by_page_and_by_their_account_alone(
    office: Office, place: Served, merchant: Merchant
) -> None:
    shop, paid, _ = await disputed(office, place, merchant)
    foreign = await office.account()
    order = await order_of(office, paid.data["id"])
    await at_desk(office, place, f"{order}/charge-back", amount="10")

    async def both() -> bool:
        return len(await listed(shop)) == 2

    await until(both, what="the second dispute")
    newest, oldest = await listed(shop)
    page = (await shop.call("GET", "/api/disputes?page[size]=1&filter[test_mode]=true")).document
    assert page["data"] == [newest]
    following = (await shop.call("GET", page["links"]["next"])).document
    assert (following["data"], following["links"]["next"]) == ([oldest], "")
    assert await listed(shop, "filter[test_mode]=false") == []
    assert (await shop.call("GET", f"/api/disputes/{newest['id']}")).document == {"data": newest}
    assert (await foreign.call("GET", f"/api/disputes/{newest['id']}")).status == 404
    assert (await foreign.call("GET", f"/api/disputes?page[before]={newest['id']}")).status == 404
    assert await listed(foreign) == []
    assert (await shop.call("GET", "/api/disputes", anonymous=True)).status == 401


@pytest.mark.parametrize(
    "query",
    [
        "filter[status]=closed",
        "filter[test_mode]=both",
        "filter[reason]=general",
        "status=won",
        "page[after]=dis_0000000000000000",
        "page[size]=0",
        "page[size]=101",
    ],
)
async def test_what_cannot_be_asked_of_disputes_is_refused(office: Office, query: str) -> None:
    foreign = await office.account()
    assert (await foreign.call("GET", f"/api/disputes?{query}")).status == 400


@pytest.mark.parametrize("before", ["x", "dis_0000000000000000"])
async def test_a_page_before_a_dispute_that_is_not_there_is_not_found(office: Office, before: str) -> None:
    shop = await office.account()
    assert (await shop.call("GET", f"/api/disputes?page[before]={before}")).status == 404
