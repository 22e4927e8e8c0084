"""Orders of the demo shop at a running Kassa: one order, one invoice, and what its callbacks make of it."""

import json
import re
from http import HTTPStatus
from typing import Any

import aiohttp

from kassa.callbacks import signing
from kassa.clock import Clock
from tests.support.api import Client
from tests.support.payer import REFUSED, SECURE
from tests.support.serving import Served
from tests.support.visitor import Page, Visitor
from tests.support.waiting import until

CARD = {"card_number": SECURE, "expiry": "12/30", "cvc": "123"}


def order_of(page: Page) -> str:
    return page.form.fields["order"]


async def bought(payer: Visitor, served: Served) -> tuple[str, Page]:
    """Press *Buy*; return the order's number and the card page."""
    product = await payer.open(f"{served.base_url}/demo/shop")
    return order_of(product), await payer.press(product)


async def invoices(served: Served, reference: str) -> Any:
    async with aiohttp.ClientSession() as session:
        client = Client(session, served.base_url, served.account)
        found = await client.call("GET", f"/api/payment-invoices?filter%5Breference_id%5D={reference}")
        return [] if found.status == HTTPStatus.NOT_FOUND else found.data


async def shown(payer: Visitor, served: Served, reference: str, heading: str, *, path: str = "") -> Page:
    """Open an order's page until it has this heading."""

    async def there() -> Page | None:
        page = await payer.open(f"{served.base_url}/demo/shop/orders/{reference}{path}")
        return page if page.heading == heading else None

    page = await until(there, what=heading)
    assert page is not None
    return page


async def test_a_payer_without_scripts_buys_pays_and_sees_the_callback(payer: Visitor, served: Served) -> None:
    reference, card = await bought(payer, served)
    assert card.url.startswith(served.gate_url)
    assert "House espresso, 1 kg" in card.text
    paid = await payer.press(await payer.press(card, **CARD), "approve")
    assert paid.heading == "Payment received"
    back = await payer.wait(paid)
    assert back.url.startswith(f"{served.base_url}/demo/shop/orders/{reference}?id=cpi_")
    thanks = await shown(payer, served, reference, "Thank you for your order")
    assert "Signature verified" in thanks.headings
    for name in ("X-Signature", "webhook-signature", "webhook-timestamp", "processed (ok)", "12.5 USD (test)"):
        assert name in thanks.text
    assert thanks.refresh is None
    listed = await payer.open(f"{served.base_url}/demo/shop/callbacks")
    assert listed.text.count(f"<bdi>{reference}</bdi>") == 2


async def test_pressing_twice_makes_one_invoice(payer: Visitor, served: Served) -> None:
    product = await payer.open(f"{served.base_url}/demo/shop")
    answers = [await payer.send(product.form.action, **product.form.fields) for _ in range(2)]
    assert await payer.press_at_once(product, 4) == [303] * 4
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert len(await invoices(served, order_of(product))) == 1


async def test_each_visit_is_an_order_of_its_own(payer: Visitor, served: Served) -> None:
    first, second = [(await bought(payer, served))[0] for _ in range(2)]
    assert first != second


async def test_a_number_that_the_shop_did_not_give_is_not_used(payer: Visitor, served: Served) -> None:
    for given in ("", "order-1", "order-00000000000G", "../orders"):
        answer = await payer.send(f"{served.base_url}/demo/shop/buy", order=given)
        assert answer.status == 303
        assert not given or not await invoices(served, given)


async def test_while_no_callback_says_more_the_page_waits_and_offers_the_way_to_pay(
    payer: Visitor, served: Served
) -> None:
    reference, card = await bought(payer, served)
    waiting = await shown(payer, served, reference, "Waiting for the callback")
    assert waiting.refresh is not None
    assert waiting.links["Back to the payment page"] == card.url
    left = await shown(payer, served, reference, "You came back without paying", path="/unpaid")
    assert left.links["Pay this order"] == card.url
    assert (await payer.press(left)).url != card.url


async def test_a_payment_that_failed_is_tried_again_as_a_new_order(payer: Visitor, served: Served) -> None:
    reference, page = await bought(payer, served)
    while page.forms:
        page = await payer.press(page, card_number=REFUSED, expiry="05/29", cvc="123")
    assert page.heading == "Payment failed"
    back = await payer.follow(page, "Back to Kassa Demo")
    assert "/unpaid?" in back.url
    failed = await shown(payer, served, reference, "The payment failed", path="/unpaid")
    again = await payer.send(f"{served.base_url}/demo/shop/buy", order=reference)
    assert again.headers["Location"] != page.url
    assert len(await invoices(served, reference)) == 1
    assert order_of(failed) != reference


async def called_back(served: Served, invoice: Any, *, key: str | None = None, **changes: Any) -> int:
    """Send the shop a callback about an invoice, signed as Kassa would, unless with another key."""
    changed = {**invoice, "attributes": {**invoice["attributes"], **changes}}
    content = json.dumps({"data": changed}, default=float).encode()
    headers = signing.headers("msg_1", content, keys=[key or served.account.private_key_test], now=Clock().real())
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{served.base_url}/demo/shop/callbacks", data=content, headers=headers) as answer,
    ):
        return answer.status


async def test_repeated_and_late_callbacks_change_nothing(payer: Visitor, served: Served) -> None:
    reference, _ = await bought(payer, served)
    [invoice] = await invoices(served, reference)
    updated = invoice["attributes"]["updated"]
    assert await called_back(served, invoice, status="processed", updated=updated + 20) == 200
    await shown(payer, served, reference, "Thank you for your order")
    assert await called_back(served, invoice, status="process_failed", updated=updated + 10) == 200
    assert await called_back(served, invoice, status="process_failed", updated=updated + 20) == 200
    page = await payer.open(f"{served.base_url}/demo/shop/orders/{reference}")
    assert page.heading == "Thank you for your order"
    assert "processed (ok)" in page.text
    assert await called_back(served, invoice, status="refunded", updated=updated + 30) == 200
    page = await payer.open(f"{served.base_url}/demo/shop/orders/{reference}")
    assert (page.heading, "refunded (ok)" in page.text) == ("Thank you for your order", True)


async def test_a_forged_callback_pays_no_order(payer: Visitor, served: Served) -> None:
    reference, _ = await bought(payer, served)
    [invoice] = await invoices(served, reference)
    later = invoice["attributes"]["updated"] + 20
    forged = await called_back(served, invoice, key="sk_test_forged", status="processed", updated=later)
    assert forged == 401
    page = await payer.open(f"{served.base_url}/demo/shop/orders/{reference}")
    assert page.heading == "Waiting for the callback"


async def test_an_order_believes_no_callback_about_another_invoice(payer: Visitor, served: Served) -> None:
    reference, _ = await bought(payer, served)
    [invoice] = await invoices(served, reference)
    await shown(payer, served, reference, "Waiting for the callback")

    async def known() -> bool:
        listed = await payer.open(f"{served.base_url}/demo/shop/callbacks")
        return f"<bdi>{reference}</bdi>" in listed.text

    await until(known, what="the first callback")
    other = {**invoice, "id": f"{invoice['id'][:8]}{'0' * 12}"}
    later = invoice["attributes"]["updated"] + 60
    assert await called_back(served, other, status="processed", updated=later) == 200
    page = await payer.open(f"{served.base_url}/demo/shop/orders/{reference}")
    assert page.heading == "Waiting for the callback"


async def test_the_shop_calls_the_api_with_its_key_as_any_merchant_does(payer: Visitor, served: Served) -> None:
    reference, _ = await bought(payer, served)
    [invoice] = await invoices(served, reference)
    attributes = invoice["attributes"]
    assert (attributes["source"], attributes["description"]) == ("merchant_api", "House espresso, 1 kg")
    assert re.fullmatch(r"order-[0-9a-f]{12}", attributes["reference_id"])
    back = f"{served.base_url}/demo/shop/orders/{reference}"
    assert attributes["return_urls"] == {"success": back, "pending": back, "fail": f"{back}/unpaid"}
