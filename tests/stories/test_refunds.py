"""Money that goes back: the merchant is told, the books agree, and no death of Kassa sends anything twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from kassa.accounts.operations import BANK_MERCHANT_ID
from tests.support import books, life
from tests.support.api import Answer, Client
from tests.support.life import Life
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.waiting import until
from tests.support.wire import Fault


@pytest.fixture(scope="module")
async def mortal(folders: Callable[[], Path]) -> AsyncIterator[Life]:
    """One Kassa for the deaths of this file."""
    async with life.lived(folders()) as lived:
        yield lived


async def gone(shop: Client, mortal: Life, invoice_id: str) -> list[tuple[str, int]]:
    """Return what the bank says that went back of an invoice."""
    lines = await books.taken_for(mortal.office, mortal.serving.served.bank_url, invoice_id)
    return [(line["kind"], line["amount"]) for line in lines if line["kind"] != "PURCHASE"]


@pytest.mark.parametrize("fault", [Fault.HOLD, Fault.HOLD_ANSWER])
async def test_a_kill_while_a_refund_is_asked_for_sends_it_once_and_books_it(
    mortal: Life, merchant: Merchant, fault: Fault
) -> None:
    await mortal.start()
    mortal.wire.let_go.clear()
    mortal.wire.held.clear()
    mortal.wire.refunds.clear()
    shop = await mortal.office.account(callback_url=merchant.url)
    paid = await shop.pay(await shop.create(), mortal.serving.served.gate_url)
    mortal.wire.refund_fault = fault
    refunding = asyncio.create_task(shop.refund(paid.data["id"], amount=40))
    await mortal.wire.held.wait()
    await mortal.restart()
    with pytest.raises((aiohttp.ClientError, OSError)):
        await refunding
    shop = mortal.office.client(shop.keys)
    assert (await shop.read(paid.data["id"])).attributes["status"] in ("refunding", "refund_pending")
    # What was on the line arrives after all.
    mortal.wire.let_go.set()

    async def settled() -> bool:
        if await books.quiet(mortal.office, shop.keys.id):
            return True
        await mortal.advance(seconds=40)
        return False

    await until(settled, what="quiet")
    found = (await shop.read(paid.data["id"])).attributes
    assert (found["status"], found["refunded_amount"]) == ("partially_refunded", 40)
    assert len(mortal.wire.refunds) == 1
    assert await gone(shop, mortal, paid.data["id"]) == [("REFUND", 4000)]
    assert await books.agree(mortal.office, mortal.serving.served.bank_url)
    told = [callback.document["data"]["attributes"]["status"] for callback in merchant.received]
    assert {"processed", "partially_refunded"} <= set(told)


async def charge_back(office: Office, place: Served, paid: Answer, amount: str) -> None:
    """Let the payer's bank charge money back, at the bank's own desk."""
    rows = await office.fetch("SELECT payment_id FROM payments WHERE invoice_id = $1", paid.data["id"])
    url = f"{place.bank_url}/desk/{BANK_MERCHANT_ID}/{rows[0]['payment_id']}/charge-back"
    async with office.session.post(url, data={"amount": amount}, allow_redirects=False) as answer:
        assert answer.status == 303


async def test_the_merchant_is_told_of_refunds_and_of_each_charge_back(
    office: Office, place: Served, merchant: Merchant
) -> None:
    shop = await office.account(callback_url=merchant.url)
    paid = await shop.pay(await shop.create(), place.gate_url)
    await shop.refund(paid.data["id"], amount=50)
    await merchant.wait_for(lambda each: each.document["data"]["attributes"]["status"] == "partially_refunded")
    for amount, total, status in (
        ("20", 20, "partially_charged_back"),
        ("20", 40, "partially_charged_back"),
        ("10", 50, "charged_back"),
    ):
        await charge_back(office, place, paid, amount)
        callback = await merchant.wait_for(
            lambda each, total=total: each.document["data"]["attributes"]["charged_back_amount"] == total  # type: ignore[misc]
        )
        told = callback.document["data"]["attributes"]
        assert (told["status"], told["refunded_amount"]) == (status, 50)
        assert told["charged_back"] >= told["processed"]
        assert [refund["status"] for refund in told["refunds"]] == ["refunded"]
    assert await books.agree(office, place.bank_url)
    assert (await shop.call("GET", "/api/account/balances?filter[test_mode]=true")).status == 200
