"""Wallets and the test service, from both APIs to the callback, with the worker and the bank at work."""

from typing import Any

import pytest

from tests.support import books
from tests.support.api import INVOICES, PUBLIC_INVOICES, Client
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.visitor import Form, Page, Visitor
from tests.support.waiting import until

BY_ADDRESS = "applepay_usd_hpp"
BY_FORM = "qiwi_usd_hpp"
TEST = "test_usd_test"
SERVICES = (BY_ADDRESS, BY_FORM, TEST)
PHONE = {"phone": "+380987654321"}
SOON_SECONDS = 60


@pytest.fixture
async def shop(office: Office, merchant: Merchant) -> Client:
    """A shop of a test's own, which listens."""
    return await office.account(services=SERVICES, callback_url=merchant.url)


async def go(payer: Visitor, form: dict[str, Any]) -> Page:
    """Forward a payer as shops do: by the address, or by a form."""
    if form["method"] == "GET":
        return await payer.open(form["action"])
    page = Page(url="about:blank", status=200, headers={}, text="")
    page.forms.append(Form(method="POST", action=form["action"], fields=dict(form["params"])))
    return await payer.press(page)


async def ended(shop: Client, invoice_id: str) -> Any:
    """Return the invoice once it waits for nobody."""

    async def found() -> Any:
        attributes = (await shop.read(invoice_id)).attributes
        return attributes if attributes["status"] not in ("created", "process_pending") else None

    return await until(found, seconds=SOON_SECONDS, what="the invoice's end")


@pytest.mark.parametrize("service, fields", [(BY_ADDRESS, None), (BY_FORM, PHONE)])
@pytest.mark.parametrize("path", [INVOICES, PUBLIC_INVOICES])
async def test_a_wallet_is_paid_on_its_own_page(
    office: Office,
    shop: Client,
    merchant: Merchant,
    payer: Visitor,
    place: Served,
    *,
    path: str,
    service: str,
    fields: dict[str, str] | None,
) -> None:
    if path == INVOICES:
        created = await shop.create(service=service, service_fields=fields)
        form, status = created.attributes["flow_data"], created.attributes["status"]
        assert created.attributes["original_data"]["provider_code"] == "test"
        assert created.attributes["original_data"]["external_id"]
    else:
        created = await shop.create_publicly(service=service, service_fields=fields)
        form, status = created.data["active_payment"]["payload"], created.data["status"]
        assert (created.data["active_payment"]["status"], created.data["resolution"]) == ("invoked", "OK")
    assert (created.status, status) == (201, "process_pending")
    assert form["method"] == ("POST" if service == BY_FORM else "GET")
    assert form["action"].startswith(f"{place.bank_url}/wallets")
    assert (form["params"] == []) == (form["method"] == "GET")
    assert form["metadata"] == []
    wallet = await go(payer, form)
    assert wallet.heading.startswith("Pay with")
    page = await payer.press(wallet, "approve")
    assert page.heading == "Payment received"
    found = await ended(shop, created.data["id"])
    (line,) = await books.taken_for(office, place.bank_url, created.data["id"])
    assert (found["status"], found["processed_amount"], found["rrn"]) == ("processed", 100, line["rrn"])
    assert (found["payload"], line["amount"], line["currency"]) == (None, 10000, "USD")
    assert [each["status"] for each in await merchant.told(2)] == ["process_pending", "processed"]
    assert await books.agree(office, place.bank_url)


async def test_a_payer_who_pays_and_closes_the_window_has_paid(
    shop: Client, merchant: Merchant, payer: Visitor
) -> None:
    created = await shop.create(service=BY_ADDRESS)
    wallet = await go(payer, created.attributes["flow_data"])
    # Nobody comes back to our page: the bank's own notification brings the news.
    await payer.send(wallet.form.action, decision="approve")
    assert (await ended(shop, created.data["id"]))["status"] == "processed"
    assert (await merchant.told(2))[-1]["status"] == "processed"


@pytest.mark.parametrize("path", [INVOICES, PUBLIC_INVOICES])
@pytest.mark.parametrize(
    "status, heading, end",
    [
        ("success", "Payment received", ("processed", "ok")),
        ("fail", "Payment failed", ("process_failed", "declined")),
        ("pending", "Waiting for the payment service", None),
    ],
)
async def test_the_test_service_goes_as_its_status_says(
    office: Office,
    shop: Client,
    merchant: Merchant,
    payer: Visitor,
    place: Served,
    *,
    path: str,
    status: str,
    heading: str,
    end: tuple[str, str] | None,
) -> None:
    if path == INVOICES:
        created = await shop.create(service=TEST, service_fields={"status": status})
        form, first = created.attributes["flow_data"], created.attributes
    else:
        created = await shop.create_publicly(service=TEST, fields={"status": status})  # the member's old name
        form, first = created.data["active_payment"]["payload"], created.data
    invoice_id = created.data["id"]
    assert (created.status, first["status"], first["service_flow" if path != INVOICES else "flow"]) == (
        201,
        "process_pending",
        "test",
    )
    assert (form["method"], form["params"]) == ("GET", [])
    page = await go(payer, form)
    assert (page.url, page.heading) == (f"{place.base_url}/hpp/result/{invoice_id}", heading)
    if end is None:
        rows = await office.fetch("SELECT payment_id FROM payments WHERE invoice_id = $1", invoice_id)
        assert (await shop.read(invoice_id)).attributes["status"] == "process_pending"
        await payer.send(f"{place.bank_url}/desk/host2hostTest/{rows[0]['payment_id']}", decision="approve")
        end = ("processed", "ok")
    found = await ended(shop, invoice_id)
    assert (found["status"], found["resolution"]) == end
    assert [each["status"] for each in await merchant.told(2)] == ["process_pending", end[0]]
    taken = await books.taken_for(office, place.bank_url, invoice_id)
    assert len(taken) == (end[0] == "processed")


@pytest.mark.parametrize(
    "fields, message",
    [
        (None, "This value should not be blank."),
        ({"status": ""}, "This value should not be blank."),
        ({"status": "100%"}, "This value is not valid."),
        ({"status": "processed"}, "The value you selected is not a valid choice."),
    ],
)
async def test_a_test_with_another_status_or_none_is_refused_by_both_apis(
    office: Office, shop: Client, fields: dict[str, str] | None, message: str
) -> None:
    wrong = {"service_fields.status": message}
    assert (await shop.create(service=TEST, service_fields=fields)).errors == wrong
    assert (await shop.create_publicly(service=TEST, service_fields=fields)).errors == wrong
    assert (await office.rows(shop.keys.id))["invoices"] == 0


async def test_live_money_does_not_play(shop: Client) -> None:
    refused = await shop.create(service=TEST, service_fields={"status": "success"}, test_mode=False)
    assert list(refused.errors) == ["test_mode"]
