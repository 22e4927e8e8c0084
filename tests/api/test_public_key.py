"""What a public key cannot do, for it is in the shop's page: change what the merchant knows of their customers."""

import asyncio
from typing import Any, Final
from urllib.parse import urlencode

from tests.support.api import CARD_USD, PUBLIC_INVOICES, Client
from tests.support.office import Office

KNOWN: Final = {"reference_id": "7", "name": "Jo Payer", "email": "jo@shop.example"}
FORGED: Final = {"reference_id": "7", "name": "Somebody", "email": "else@evil.example", "phone": "+37120000000"}
CREATIONS: Final = 12


async def customer(shop: Client, invoice_id: str) -> dict[str, Any]:
    answer = await shop.call("GET", f"/api/payment-invoices/{invoice_id}?include=customer")
    (found,) = answer.document["included"]
    return {name: found["attributes"][name] for name in ("reference_id", "name", "email", "phone")}


async def test_a_public_creation_fills_a_customers_gaps_and_rewrites_nothing(fresh: Client) -> None:
    made = await fresh.create(customer=KNOWN)
    assert (await fresh.create_publicly(customer=FORGED)).status == 201
    assert await customer(fresh, made.data["id"]) == {**KNOWN, "phone": FORGED["phone"]}


async def test_the_html_form_rewrites_no_customer(fresh: Client) -> None:
    made = await fresh.create(customer=KNOWN)
    fields = {"public_key": fresh.keys.public_key_test, "service": CARD_USD, "currency": "USD", "amount": "100"}
    fields |= {f"customer[{name}]": value for name, value in FORGED.items()}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    posted = await fresh.call(
        "POST", f"{PUBLIC_INVOICES}/process", body=urlencode(fields).encode(), headers=headers, anonymous=True
    )
    assert posted.status == 303
    assert await customer(fresh, made.data["id"]) == {**KNOWN, "phone": FORGED["phone"]}


async def test_the_merchants_server_rewrites_its_customer(fresh: Client) -> None:
    made = await fresh.create_publicly(customer=FORGED)
    assert (await fresh.create(customer=KNOWN)).status == 201
    assert await customer(fresh, made.data["id"]) == {**KNOWN, "phone": FORGED["phone"]}


async def test_the_first_invoices_of_a_customer_may_be_created_at_once(fresh: Client, office: Office) -> None:
    creations = [
        fresh.create(customer={"reference_id": f"new-{number}", "name": "Jo"})
        for number in range(CREATIONS)
        for _ in range(CREATIONS)
    ]
    answers = await asyncio.gather(*creations)
    assert {answer.status for answer in answers} == {201}
    assert (await office.rows(fresh.keys.id))["customers"] == CREATIONS


async def test_the_key_may_stand_in_the_query_of_a_creation(fresh: Client) -> None:
    body, path = fresh.public_body(), f"{PUBLIC_INVOICES}?public_key={fresh.keys.public_key_test}"
    del body["public_key"]
    assert (await fresh.call("POST", path, json_body=body, anonymous=True)).status == 201
    assert (await fresh.call("POST", path, json_body=fresh.public_body(), anonymous=True)).status == 201
    assert (await fresh.call("POST", PUBLIC_INVOICES, json_body=body, anonymous=True)).status == 401


async def test_two_keys_that_differ_open_nothing(fresh: Client, office: Office) -> None:
    other = await office.account()
    for key in (other.keys.public_key_test, fresh.keys.public_key_live, "nonsense"):
        for path in (PUBLIC_INVOICES, "/public-api/payment-prerequest"):
            answer = await fresh.call("POST", f"{path}?public_key={key}", json_body=fresh.public_body(), anonymous=True)
            assert answer.status == 401, (path, key)
        form = {"public_key": fresh.keys.public_key_test, "service": CARD_USD, "currency": "USD", "amount": "100"}
        posted = await fresh.call(
            "POST",
            f"{PUBLIC_INVOICES}/process?public_key={key}",
            body=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            anonymous=True,
        )
        assert posted.status == 401
    assert (await office.rows(fresh.keys.id))["invoices"] == (await office.rows(other.keys.id))["invoices"] == 0
