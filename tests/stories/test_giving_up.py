"""A payer gives up 3-D Secure while Kassa dies or time runs out: one card pays in the end, or none; the books agree."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.support import books, life
from tests.support.api import Client
from tests.support.life import Life
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.visitor import Page, Visitor
from tests.support.waiting import until
from tests.support.wire import Fault
from tests.support.world import GOOD, GOOD_SECURE

CONFIRM = "Confirm with your bank"
PAID = "Payment received"


@pytest.fixture(scope="module")
async def mortal(folders: Callable[[], Path]) -> AsyncIterator[Life]:
    """One Kassa for the deaths of this file."""
    async with life.lived(folders()) as lived:
        yield lived


async def challenged(payer: Visitor, shop: Client) -> tuple[str, Page, Page]:
    """Return an invoice, its payer's page and the bank's page that they were sent to."""
    created = await shop.create()
    form = await payer.open(created.attributes["flow_data"]["action"])
    challenge = await payer.press(form, card_number=GOOD_SECURE, expiry="12/30", cvc="123")
    return created.data["id"], await payer.open(form.url), challenge


async def settled(mortal: Life, shop: Client) -> bool:
    """Let time pass, beyond the lease of what a killed process had in hand, until nothing waits."""
    if await books.quiet(mortal.office, shop.keys.id):
        return True
    await mortal.advance(seconds=40)
    return False


@pytest.mark.parametrize("fault", [Fault.HOLD, Fault.HOLD_ANSWER])
async def test_a_kill_while_the_bank_is_asked_to_close_it_leaves_one_card_that_pays(
    mortal: Life, merchant: Merchant, payer: Visitor, fault: Fault
) -> None:
    await mortal.start()
    mortal.wire.held.clear()
    mortal.wire.let_go.clear()
    shop = await mortal.office.account(callback_url=merchant.url)
    invoice_id, page, challenge = await challenged(payer, shop)
    mortal.wire.cancel_fault = fault
    giving_up = asyncio.create_task(payer.give_up(page))
    await mortal.wire.held.wait()
    await mortal.restart()
    with pytest.raises((aiohttp.ClientError, OSError)):
        await giving_up
    mortal.wire.cancel_fault = None
    mortal.wire.let_go.set()
    shop = mortal.office.client(shop.keys)

    async def form_is_back() -> bool:
        shown = await payer.open(page.url)
        if not shown.forms and shown.cancel is not None:
            shown = await payer.give_up(shown)
        return bool(shown.forms)

    await until(form_is_back, what="the form for another card")
    await payer.send(challenge.form.action, decision="approve")
    paid = await payer.press(await payer.open(page.url), card_number=GOOD, expiry="12/30", cvc="123")
    assert paid.heading == PAID
    await until(lambda: settled(mortal, shop), what="quiet")
    assert len(await books.taken_for(mortal.office, mortal.serving.served.bank_url, invoice_id)) == 1
    assert await books.agree(mortal.office, mortal.serving.served.bank_url)


async def test_giving_up_after_the_invoices_time_opens_no_form(office: Office, payer: Visitor, place: Served) -> None:
    shop = await office.account(merchant_url="https://shop.example/home")
    invoice_id, page, challenge = await challenged(payer, shop)
    await office.advance(timedelta(minutes=31))
    after = await payer.give_up(page)
    assert (after.headers["kassa-state"].partition(".")[0], after.forms) == ("expired", [])
    assert after.links["Back to Shop"] == "https://shop.example/home"
    await payer.send(challenge.form.action, decision="approve")
    assert await books.taken_for(office, place.bank_url, invoice_id) == []


async def test_two_cards_given_up_and_a_third_that_pays_are_one_payment(
    office: Office, payer: Visitor, place: Served, merchant: Merchant
) -> None:
    shop = await office.account(callback_url=merchant.url)
    invoice_id, page, first = await challenged(payer, shop)
    second = await payer.press(await payer.give_up(page), card_number=GOOD_SECURE, expiry="12/30", cvc="123")
    assert second.url != first.url
    form = await payer.give_up(await payer.open(page.url))
    third = await payer.press(form, card_number=GOOD_SECURE, expiry="12/30", cvc="123")
    for closed in (first, second):
        await payer.send(closed.form.action, decision="approve")
    assert (await payer.open(page.url)).heading == CONFIRM
    assert (await payer.press(third, "approve")).heading == PAID
    found = await office.fetch("SELECT status FROM payments WHERE invoice_id = $1 ORDER BY attempt_number", invoice_id)
    assert [row["status"] for row in found] == ["process_failed", "process_failed", "processed"]
    assert len(await books.taken_for(office, place.bank_url, invoice_id)) == 1
    assert [each["status"] for each in await merchant.told(2)] == ["process_pending", "processed"]
    assert await books.agree(office, place.bank_url)
