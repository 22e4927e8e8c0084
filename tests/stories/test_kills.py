"""Kassa is killed in the middle of things and started again: nothing acknowledged is lost, nothing is taken twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from kassa.accounts.services import operations as services
from tests.support import blocking, books, life
from tests.support.api import CARD_USD, Client
from tests.support.life import Creators, Life
from tests.support.merchant import Merchant
from tests.support.visitor import Visitor
from tests.support.waiting import until
from tests.support.wire import Fault
from tests.support.world import GOOD, GOOD_SECURE

PAID = "Payment received"
LOAD = 40
"""Acknowledged invoices before something is killed."""


@pytest.fixture(scope="module")
async def mortal(folders: Callable[[], Path]) -> AsyncIterator[Life]:
    """One Kassa for the deaths of this file."""
    async with life.lived(folders()) as lived:
        yield lived


@pytest.fixture(autouse=True)
async def _alive(mortal: Life) -> None:
    """Each test begins with a running Kassa and a line in order."""
    await mortal.start()
    mortal.wire.fault = None
    mortal.wire.placed.clear()
    mortal.wire.held.clear()
    mortal.wire.let_go.clear()


async def everything_settled(mortal: Life, shop: Client) -> None:
    """Let time pass until no attempt is undecided and no callback waits, and compare the books."""

    async def settled() -> bool:
        if await books.quiet(mortal.office, shop.keys.id):
            return True
        # Past every lease, and past what a bank may take to be asked about.
        await mortal.advance(seconds=40)
        return False

    await until(settled, what="quiet")
    assert await books.agree(mortal.office, mortal.serving.served.bank_url)


async def all_there(mortal: Life, shop: Client, creators: Creators) -> None:
    """What was acknowledged is there, and what was not can be asked for again."""
    found = await asyncio.gather(*(shop.read(invoice_id) for invoice_id in creators.acknowledged.values()))
    assert [answer.attributes["reference_id"] for answer in found] == list(creators.acknowledged)
    assert await creators.again(shop) <= {201, 409}
    assert (await mortal.office.rows(shop.keys.id))["invoices"] == len(creators.acknowledged) + len(creators.unanswered)


async def told_of(merchant: Merchant, invoice_ids: set[str], status: str) -> None:
    """Wait until the merchant has heard of each of these invoices that it has this status."""

    def heard() -> bool:
        documents = [callback.document["data"] for callback in merchant.received]
        return invoice_ids <= {each["id"] for each in documents if each["attributes"]["status"] == status}

    await until(heard, what=f"callbacks with {status}")


async def card_form(visitor: Visitor, url: str, number: str) -> str:
    """Pay with a card if there is a form; return the heading of what comes, or nothing where the connection breaks."""
    try:
        page = await visitor.open(url)
        if page.forms:
            page = await visitor.press(page, card_number=number, expiry="12/30", cvc="123")
    except (aiohttp.ClientError, OSError):
        return ""
    return page.heading


async def test_what_was_acknowledged_before_a_kill_is_there_after_it(mortal: Life, merchant: Merchant) -> None:
    shop = await mortal.office.account(callback_url=merchant.url)
    creators = Creators(shop=shop)
    creators.start(6)
    await until(lambda: len(creators.acknowledged) >= LOAD, what="some load")
    killing = asyncio.create_task(mortal.kill())
    await creators.stop()
    await killing
    await mortal.start()
    shop = mortal.office.client(shop.keys)
    await all_there(mortal, shop, creators)
    await everything_settled(mortal, shop)
    await told_of(merchant, set(creators.acknowledged.values()), "process_pending")


@pytest.mark.parametrize("fault", [Fault.HOLD_ANSWER, Fault.HOLD])
async def test_a_kill_while_the_bank_is_asked_takes_the_money_once_and_books_it(
    mortal: Life, merchant: Merchant, payer: Visitor, fault: Fault
) -> None:
    shop = await mortal.office.account(callback_url=merchant.url)
    created = await shop.create()
    mortal.wire.fault = fault
    paying = asyncio.create_task(card_form(payer, created.attributes["flow_data"]["action"], GOOD))
    await mortal.wire.held.wait()
    await mortal.restart()
    assert await paying == ""
    assert (await mortal.office.client(shop.keys).read(created.data["id"])).attributes["status"] == "process_pending"
    # What was on the line arrives after all.
    mortal.wire.let_go.set()
    page = await payer.open(created.attributes["flow_data"]["action"])
    assert (page.heading, page.forms) == ("Waiting for your bank", [])
    await everything_settled(mortal, shop)
    assert len(mortal.wire.placed) == 1
    assert len(await books.taken_for(mortal.office, mortal.serving.served.bank_url, created.data["id"])) == 1
    await told_of(merchant, {created.data["id"]}, "processed")


async def test_a_kill_during_3d_secure_leaves_the_payer_where_he_was(
    mortal: Life, merchant: Merchant, payer: Visitor
) -> None:
    shop = await mortal.office.account(callback_url=merchant.url)
    created = await shop.create()
    form = await payer.open(created.attributes["flow_data"]["action"])
    challenge = await payer.press(form, card_number=GOOD_SECURE, expiry="12/30", cvc="123")
    await mortal.restart()
    page = await payer.open(form.url)
    assert page.links["Continue to your bank"]
    assert (await payer.press(challenge, "approve")).heading == PAID
    await everything_settled(mortal, shop)
    assert len(mortal.wire.placed) == 1
    await told_of(merchant, {created.data["id"]}, "processed")


async def test_a_kill_in_the_middle_of_a_release_leaves_the_reserve_to_the_next_life(
    mortal: Life, payer: Visitor
) -> None:
    shop = await mortal.office.account()
    terms = {"reserve_rate": "10", "reserve_lifetime": "60"}
    await services.add(mortal.office.pool, mortal.office.clock, shop.keys.id, CARD_USD, terms, by="ann")
    created = await shop.create()
    assert await card_form(payer, created.attributes["flow_data"]["action"], GOOD) == PAID
    async with mortal.office.owner.acquire() as connection:
        await blocking.hold(connection, "INSERT", "ledger_transfers", shop.keys.id)
        await mortal.advance(hours=1)
        await blocking.until_waiting(mortal.office, "ledger_transfers")
        assert (await shop.read(created.data["id"])).attributes["reserves"][0]["left"] == 10
    await mortal.restart()
    await blocking.let_pass(mortal.office.owner, "INSERT", "ledger_transfers")
    shop = mortal.office.client(shop.keys)
    # Past the lease of whoever was killed.
    await mortal.advance(minutes=1)

    async def free() -> bool:
        return bool((await shop.read(created.data["id"])).attributes["unreserved"])

    await until(free, what="the release")
    await everything_settled(mortal, shop)


async def test_a_callback_that_was_sent_and_not_marked_is_sent_again(mortal: Life, merchant: Merchant) -> None:
    shop = await mortal.office.account(callback_url=merchant.url)
    merchant.open.clear()
    created = await shop.create()
    await merchant.wait_for_count(1)
    await mortal.kill()
    merchant.open.set()
    await mortal.start()
    await everything_settled(mortal, shop)
    told = [callback for callback in merchant.received if callback.document["data"]["id"] == created.data["id"]]
    assert len(told) >= 2
    assert len({(callback.headers["webhook-id"], callback.body) for callback in told}) == 1


async def test_a_killed_database_comes_back_with_all_that_was_acknowledged(
    mortal: Life, merchant: Merchant, payer: Visitor
) -> None:
    shop = await mortal.office.account(callback_url=merchant.url)
    paying_shop = await mortal.office.account(callback_url=merchant.url)
    paid = [await paying_shop.create() for _ in range(5)]
    creators = Creators(shop=shop)
    creators.start(6)
    await until(lambda: len(creators.acknowledged) >= LOAD, what="some load")
    paying = [asyncio.create_task(card_form(payer, each.attributes["flow_data"]["action"], GOOD)) for each in paid]
    mortal.kill_postmaster()
    await until(lambda: 503 in creators.statuses, what="the database's absence")
    await until(mortal.ready, what="the database's return")
    before = len(creators.acknowledged)
    await until(lambda: len(creators.acknowledged) > before + LOAD, what="the load's return")
    await creators.stop()
    await asyncio.gather(*paying)
    assert {201, 503} <= creators.statuses <= {201, 409, 503}
    await all_there(mortal, shop, creators)
    for account in (shop, paying_shop):
        await everything_settled(mortal, account)
    await told_of(merchant, set(creators.acknowledged.values()), "process_pending")


async def test_a_stop_lets_a_payment_in_flight_end(mortal: Life, merchant: Merchant, payer: Visitor) -> None:
    shop = await mortal.office.account(callback_url=merchant.url)
    created = await shop.create()
    mortal.wire.fault = Fault.HOLD
    form = await payer.open(created.attributes["flow_data"]["action"])
    fields = form.form.fields | {"card_number": GOOD, "expiry": "12/30", "cvc": "123"}
    paying = asyncio.create_task(payer.send(form.form.action, **fields))
    await mortal.wire.held.wait()
    stopping = asyncio.create_task(mortal.stop())
    await until(lambda: not mortal.listens(), what="the end of listening")
    mortal.wire.let_go.set()
    assert (await paying).status == 303
    await stopping
    await mortal.start()
    shop = mortal.office.client(shop.keys)
    assert (await shop.read(created.data["id"])).attributes["status"] == "processed"
    await everything_settled(mortal, shop)
    await told_of(merchant, {created.data["id"]}, "processed")
