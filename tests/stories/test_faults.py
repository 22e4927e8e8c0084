"""The bank's faults, from the card page or the API to the last callback: the result is found by polling.

Each story ends with one charge, or none, at the bank, the same in the books, and a merchant who was notified.
"""

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kassa.bank.faults import AMOUNTS, EXPIRIES, Fault
from kassa.invoices.rules.patience import ABSENT_AFTER
from tests.support import books, serving
from tests.support import office as offices
from tests.support.api import CARD_USD, INVOICES, Answer, Client
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Served, Serving
from tests.support.visitor import Page, Visitor
from tests.support.waiting import until
from tests.support.world import GOOD, GOOD_SECURE

WALLET = "applepay_usd_hpp"
PAID = "Payment received"
ONWARD = "Continue to your bank"
EXPIRY = {fault: expiry for expiry, fault in EXPIRIES.items()}
AMOUNT = {fault: minor / 100 for minor, fault in AMOUNTS.items()}
UNHEARD = [Fault.SILENT_BEFORE, Fault.FAILS_BEFORE]
TAKEN_UNHEARD = [Fault.SILENT_AFTER, Fault.FAILS_AFTER, Fault.GARBAGE, Fault.DRIP, Fault.HUGE]
"""The bank has taken the order, and its answer does not show it."""
MISMATCHES = {Fault.OTHER_AMOUNT: (5000, "USD"), Fault.OTHER_CURRENCY: (10_000, "EUR")}
NOTICES = [fault for fault in Fault if fault.startswith("notice_")]


@pytest.fixture(scope="module")
async def stage(folders: Callable[[], Path]) -> AsyncIterator[Serving]:
    """A Kassa that waits two seconds for its bank, and one when it polls."""
    async with serving.running(folders(), environment={"KASSA_PROVIDER_SECONDS": "2"}) as running:
        yield running


@pytest.fixture(scope="module")
def place(stage: Serving) -> Served:
    """Where it answers."""
    return stage.served


@pytest.fixture(scope="module")
async def office(stage: Serving) -> AsyncIterator[Office]:
    """Its operator, whose books are whole when all is over."""
    async with offices.opened(stage) as opened:
        yield opened
        assert await books.proven(opened)


@pytest.fixture
async def shop(office: Office, merchant: Merchant) -> Client:
    """A shop of a test's own, which listens, and reviews what is held."""
    return await office.account(services=(CARD_USD, WALLET), callback_url=merchant.url, moderation_by_api="true")


def bank_calls(stage: Serving, order: str) -> list[tuple[str, int]]:
    """Return the requests to the bank about an order, from the log: methods and statuses."""
    lines = [json.loads(line) for line in (stage.folder / "stderr.log").read_text().splitlines()]
    path = f"/purchases/{order}"
    return [(line["method"], line["status"]) for line in lines if line.get("path") == path]


async def orders_of(office: Office, invoice_id: str) -> list[str]:
    rows = await office.fetch(
        "SELECT payment_id FROM payments WHERE invoice_id = $1 ORDER BY attempt_number", invoice_id
    )
    return [row["payment_id"] for row in rows]


async def pay(payer: Visitor, created: Answer, number: str, expiry: str) -> Page:
    """Fill in the card page."""
    form = await payer.open(created.attributes["flow_data"]["action"])
    return await payer.press(form, card_number=number, expiry=expiry, cvc="123")


async def becomes(shop: Client, invoice_id: str, status: str) -> Any:
    """Return the invoice once it has a status."""

    async def found() -> Any:
        attributes = (await shop.read(invoice_id)).attributes
        return attributes if attributes["status"] == status else None

    return await until(found, what=f"the invoice to be {status}")


async def shows(payer: Visitor, url: str, wanted: Callable[[Page], bool]) -> Page:
    """Return the payer's page once it shows what is wanted."""
    seen: list[Page] = []

    async def shown() -> bool:
        seen.append(await payer.open(url))
        return wanted(seen[-1])

    await until(shown, what="the page to change")
    return seen[-1]


async def notified(office: Office, shop: Client, merchant: Merchant) -> list[str]:
    """Return the statuses that the merchant was notified of, once nothing is due; a repeat counts once.

    Where a story moves the clock, a callback on its way may come again.
    """
    await until(lambda: books.quiet(office, shop.keys.id), what="everybody to know")
    return list(dict.fromkeys(each["status"] for each in await merchant.told(1)))


async def inject(office: Office, place: Served, fault: Fault) -> None:
    """Let the next order or refund have a fault."""
    async with office.session.post(f"{place.bank_url}/days", json={"day": fault}) as answer:
        assert answer.status == 200


async def paid_once(office: Office, place: Served, shop: Client, merchant: Merchant, invoice_id: str) -> None:
    """Check the end of a story that ends well."""
    found = await becomes(shop, invoice_id, "processed")
    (line,) = await books.taken_for(office, place.bank_url, invoice_id)
    assert (line["amount"], line["currency"], line["rrn"]) == (found["processed_amount"] * 100, "USD", found["rrn"])
    assert await notified(office, shop, merchant) == ["process_pending", "processed"]
    assert await books.net_agrees(office, place.bank_url)


@pytest.mark.parametrize("fault", [*TAKEN_UNHEARD, Fault.LATE_TRUTH, Fault.NOTICE_EARLY, Fault.NOTICE_REPEATED])
async def test_a_card_without_3d_secure_is_charged_once(
    stage: Serving, office: Office, shop: Client, merchant: Merchant, payer: Visitor, *, fault: Fault
) -> None:
    created = await shop.create()
    await pay(payer, created, GOOD, EXPIRY[fault])
    await paid_once(office, stage.served, shop, merchant, created.data["id"])
    assert (await payer.open(created.attributes["flow_data"]["action"])).heading == PAID
    (order,) = await orders_of(office, created.data["id"])
    calls = bank_calls(stage, order)
    assert [method for method, _ in calls].count("PUT") == 1
    assert fault in NOTICES or ("GET", 200) in calls


@pytest.mark.parametrize("fault", [Fault.SILENT_AFTER, Fault.FAILS_AFTER, Fault.HUGE])
async def test_a_payer_whose_bank_was_not_heard_is_sent_to_it_when_it_is(
    stage: Serving, office: Office, shop: Client, merchant: Merchant, payer: Visitor, *, fault: Fault
) -> None:
    created = await shop.create()
    page = await pay(payer, created, GOOD_SECURE, EXPIRY[fault])
    page = await shows(payer, page.url, lambda shown: ONWARD in shown.links)
    challenge = await payer.follow(page, ONWARD)
    assert (await payer.press(challenge, "approve")).heading == PAID
    await paid_once(office, stage.served, shop, merchant, created.data["id"])
    (order,) = await orders_of(office, created.data["id"])
    assert [method for method, _ in bank_calls(stage, order)].count("PUT") == 1


@pytest.mark.parametrize("fault", NOTICES)
async def test_a_payer_who_confirms_and_closes_the_window_has_paid_whatever_the_bank_sends(
    office: Office, place: Served, shop: Client, merchant: Merchant, payer: Visitor, *, fault: Fault
) -> None:
    created = await shop.create()
    challenge = await pay(payer, created, GOOD_SECURE, EXPIRY[fault])
    await payer.send(challenge.form.action, decision="approve")
    await paid_once(office, place, shop, merchant, created.data["id"])


@pytest.mark.parametrize("fault", UNHEARD)
async def test_a_payer_whose_bank_has_heard_nothing_tries_again(
    office: Office, place: Served, shop: Client, merchant: Merchant, payer: Visitor, *, fault: Fault
) -> None:
    created = await shop.create()
    page = await pay(payer, created, GOOD, EXPIRY[fault])
    assert page.heading == "Waiting for your bank"
    await office.advance(ABSENT_AFTER + timedelta(seconds=1))
    again = await shows(payer, page.url, lambda shown: bool(shown.forms))
    assert again.form.fields["number"] == "2"
    assert (await payer.press(again, card_number=GOOD, expiry="12/30", cvc="123")).heading == PAID
    await paid_once(office, place, shop, merchant, created.data["id"])


@pytest.mark.parametrize("fault", [Fault.SILENT_AFTER, Fault.GARBAGE, Fault.HUGE, Fault.NOTICE_LOST])
async def test_a_wallet_whose_page_was_not_heard_of_is_paid_once_it_is_known(
    office: Office, place: Served, shop: Client, merchant: Merchant, payer: Visitor, *, fault: Fault
) -> None:
    created = await shop.create(service=WALLET, amount=AMOUNT[fault], reference_id="order-1")
    assert created.status == {Fault.NOTICE_LOST: 201, Fault.SILENT_AFTER: 504}.get(fault, 502)
    invoice_id = (await shop.find("order-1")).data[0]["id"]
    page = (await becomes(shop, invoice_id, "process_pending"))["flow_data"]
    wallet = await payer.open(page["action"])
    await payer.send(wallet.form.action, decision="approve")
    await paid_once(office, place, shop, merchant, invoice_id)


async def test_a_wallet_that_has_heard_nothing_fails_and_takes_nothing(
    office: Office, place: Served, shop: Client, merchant: Merchant
) -> None:
    created = await shop.create(service=WALLET, amount=AMOUNT[Fault.FAILS_BEFORE], reference_id="order-1")
    assert created.status == 502
    await office.advance(ABSENT_AFTER + timedelta(seconds=1))
    invoice_id = (await shop.find("order-1")).data[0]["id"]
    assert (await becomes(shop, invoice_id, "process_failed"))["resolution"] == "provider_error"
    assert await books.taken_for(office, place.bank_url, invoice_id) == []
    assert await notified(office, shop, merchant) == ["process_failed"]
    assert await books.net_agrees(office, place.bank_url)


@pytest.mark.parametrize(
    "fault, refund_fault",
    [
        (Fault.OTHER_AMOUNT, Fault.SILENT_BEFORE),
        (Fault.OTHER_AMOUNT, Fault.FAILS_AFTER),
        (Fault.OTHER_CURRENCY, Fault.GARBAGE),
    ],
)
async def test_an_amount_mismatch_is_held_and_goes_back_once(
    office: Office,
    place: Served,
    shop: Client,
    merchant: Merchant,
    payer: Visitor,
    *,
    fault: Fault,
    refund_fault: Fault,
) -> None:
    created = await shop.create()
    page = await pay(payer, created, GOOD, EXPIRY[fault])
    assert page.heading == "The payment is being checked"
    held = await becomes(shop, created.data["id"], "process_error")
    assert (held["resolution"], held["moderation_required"]) == ("invalid_amount", True)
    assert await books.net_agrees(office, place.bank_url)
    await inject(office, place, refund_fault)
    assert (await shop.call("POST", f"{INVOICES}/{created.data['id']}/reject")).status == 200
    assert await notified(office, shop, merchant) == ["process_pending", "process_error", "process_failed"]
    lines = await books.taken_for(office, place.bank_url, created.data["id"])
    amount, currency = MISMATCHES[fault]
    assert [(line["kind"], line["amount"], line["currency"]) for line in lines] == [
        ("PURCHASE", amount, currency),
        ("REFUND", amount, currency),
    ]
    assert await books.net_agrees(office, place.bank_url)


@pytest.mark.parametrize(
    "fault", [Fault.FAILS_BEFORE, Fault.SILENT_AFTER, Fault.FAILS_AFTER, Fault.GARBAGE, Fault.HUGE]
)
async def test_a_refund_goes_back_once_whatever_the_bank_answers(
    stage: Serving, office: Office, shop: Client, merchant: Merchant, payer: Visitor, *, fault: Fault
) -> None:
    created = await shop.create()
    await pay(payer, created, GOOD, "12/30")
    await inject(office, stage.served, fault)
    asked = await shop.refund(created.data["id"], amount=40)
    assert (asked.status, asked.attributes["status"]) == (200, "refund_pending")
    heard = ["process_pending", "processed", "refunding", "refund_pending"]
    if fault in UNHEARD:
        await office.advance(ABSENT_AFTER + timedelta(seconds=1))
        await becomes(shop, created.data["id"], "refund_failed")
        assert (await shop.refund(created.data["id"], amount=40)).status == 200
        heard += ["refund_failed"]
    await becomes(shop, created.data["id"], "partially_refunded")
    lines = await books.taken_for(office, stage.served.bank_url, created.data["id"])
    assert [(line["kind"], line["amount"]) for line in lines] == [("PURCHASE", 10_000), ("REFUND", 4_000)]
    assert await notified(office, shop, merchant) == [*heard, "partially_refunded"]
    assert await books.net_agrees(office, stage.served.bank_url)


async def test_a_forged_notice_is_refused_and_changes_nothing(
    stage: Serving, office: Office, shop: Client, merchant: Merchant, payer: Visitor
) -> None:
    created = await shop.create()
    challenge = await pay(payer, created, GOOD_SECURE, EXPIRY[Fault.NOTICE_FORGED])
    (order,) = await orders_of(office, created.data["id"])
    rows = await office.fetch("SELECT provider_account_id FROM payments WHERE payment_id = $1", order)
    path = f"/providers/test/notifications/{rows[0]['provider_account_id']}"

    def refused() -> bool:
        lines = [json.loads(line) for line in (stage.folder / "stderr.log").read_text().splitlines()]
        return [line["status"] for line in lines if line.get("path") == path] == [401]

    await until(refused, what="the forged notice to be refused")
    assert (await shop.read(created.data["id"])).attributes["status"] == "process_pending"
    assert await books.taken_for(office, stage.served.bank_url, created.data["id"]) == []
    assert (await payer.press(challenge, "decline")).headings.count("The payment was declined") == 1
    assert await books.taken_for(office, stage.served.bank_url, created.data["id"]) == []
    assert await books.net_agrees(office, stage.served.bank_url)
