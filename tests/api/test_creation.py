"""The documents, member by member, against the API family's own examples.

See contract#public-api, contract#private-api.
"""

import asyncio
import json
import re
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from kassa.clock import Clock
from tests.support.api import Answer, Client, attributes, private_body
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Served

EXAMPLES = Path(__file__).parent / "examples"
NEWER = [
    "hpp_url",
    "return_urls",
    "service_amount",
    "payment_service_amount",
    "exchange_rate",
    "refunded",
    "refunded_fee",
    "failed",
    "arn",
    "charged_back_amount",
    "charged_back",
    "resolution_message",
    "refunds",
    "reserves",
]


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def now() -> int:
    return int(Clock.real().timestamp())


async def create_as_the_example_does(shop: Client, merchant: Merchant) -> Answer:
    body = example("private_request")
    expires = (Clock.real() + timedelta(hours=1)).replace(microsecond=0).isoformat()
    body["data"]["attributes"] |= {
        "reference_id": str(uuid.uuid4()),
        "callback_url": merchant.url,
        "expires": expires,
    }
    return await shop.call("POST", "/api/payment-invoices", json_body=body)


async def test_a_private_creation_answers_with_the_example_to_the_last_member(
    shop: Client, merchant: Merchant, office: Office, served: Served
) -> None:
    asked_at = now()
    answer = await create_as_the_example_does(shop, merchant)
    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/json"
    expected, found = example("private_created"), answer.document
    account = (await office.fetch("SELECT * FROM accounts WHERE account_id = $1", shop.keys.id))[0]

    there = found["data"]["attributes"]
    assert list(there) == [*expected["data"]["attributes"], *NEWER]
    newer = {name: there.pop(name) for name in NEWER}

    invoice_id, session = found["data"]["id"], there["flow_data"]["metadata"]["sid"]
    assert re.fullmatch(rf"cpi_{account['tag']}[A-Za-z0-9]{{12}}", invoice_id)
    assert re.fullmatch(rf"cgi_{account['tag']}[A-Za-z0-9]{{12}}", session)
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", there["flow_data"]["metadata"]["token"])
    customer_id = found["data"]["relationships"]["customer"]["data"]["id"]
    assert re.fullmatch(rf"cus_{account['tag']}[A-Za-z0-9]{{12}}", customer_id)
    assert asked_at <= there["created"] <= now()
    assert re.fullmatch(r"org_[A-Za-z0-9]{16}", account["external_mid"])

    expected["data"]["id"] = invoice_id
    expected["data"]["links"]["self"] = f"/api/payment-invoices/{invoice_id}"
    expected["data"]["relationships"]["customer"]["data"]["id"] = customer_id
    expected["data"]["attributes"] |= {
        "serial_number": invoice_id.removeprefix("cpi_"),
        "reference_id": there["reference_id"],
        "callback_url": merchant.url,
        "created": there["created"],
        "updated": there["created"],
    }
    expected["data"]["attributes"]["flow_data"] |= {
        "action": f"{served.gate_url}/hpp/{session}",
        "metadata": {"sid": session, "token": there["flow_data"]["metadata"]["token"]},
    }
    expected["data"]["attributes"]["original_data"]["external_mid"] = account["external_mid"]
    assert json.dumps(found) == json.dumps(expected)
    assert newer == {
        "hpp_url": f"{served.base_url}/hpp/?cpi={invoice_id}",
        "return_urls": {
            "success": "https://example.com/1",
            "fail": "https://example.com/3",
            "pending": "https://example.com/2",
        },
        "service_amount": 100,
        "payment_service_amount": 100,
        "exchange_rate": 1,
        "refunded": None,
        "refunded_fee": None,
        "failed": None,
        "arn": None,
        "charged_back_amount": None,
        "charged_back": None,
        "resolution_message": None,
        "refunds": [],
        "reserves": [],
    }


async def test_a_public_creation_answers_with_the_example_to_the_last_member(shop: Client, served: Served) -> None:
    asked_at = now()
    body = example("public_request") | {"public_key": shop.keys.public_key_test, "reference_id": str(uuid.uuid4())}
    answer = await shop.call("POST", "/public-api/payment-invoices", json_body=body, anonymous=True)
    assert answer.status == 201
    expected, found = example("public_created"), json.loads(answer.text)
    data = found["data"]
    form = data["active_payment"]["payload"]
    session = form["metadata"]["sid"]
    assert re.fullmatch(r"cgi_[A-Za-z0-9]{16}", session)
    assert asked_at <= data["created"] <= now()
    expected["data"] |= {
        "id": data["id"],
        "serial_number": data["id"].removeprefix("cpi_"),
        "created": data["created"],
        "reference_id": body["reference_id"],
    }
    expected["data"]["active_payment"]["payload"] |= {
        "action": f"{served.gate_url}/hpp/{session}",
        "metadata": {"sid": session, "token": form["metadata"]["token"]},
    }
    assert json.dumps(found) == json.dumps(expected)


async def test_reading_gives_what_creating_gave(shop: Client) -> None:
    private = await shop.create(customer={"reference_id": "7"}, metadata={"a": [1, 2.50, None, {"b": "ё"}]})
    assert (await shop.read(private.data["id"])).text == private.text
    public = await shop.create_publicly(description="Tea")
    assert (await shop.read_publicly(public.data["id"])).text == public.text
    assert (await shop.read(public.data["id"])).attributes["source"] == "platform_public_api"


async def test_every_reading_shows_the_same_token(shop: Client) -> None:
    invoice_id = (await shop.create()).data["id"]
    private = (await shop.read(invoice_id)).attributes["flow_data"]
    public = (await shop.read_publicly(invoice_id)).data["active_payment"]["payload"]
    assert private == public


async def test_an_invoice_is_found_by_the_merchants_own_name_for_it(shop: Client) -> None:
    created = await shop.create()
    name = created.attributes["reference_id"]
    for path in ("/api/payment-invoices", "/payment-invoices", "/payment-invoices/"):
        found = await shop.call("GET", f"{path}?filter%5Breference_id%5D={name}")
        assert found.data == [created.data]
        only = created.data["id"]
        assert found.document["meta"] == {"count": 1, "size": 20, "before": only, "after": only}
        assert found.document["links"] == {"prev": "", "next": ""}
    assert (await shop.find("unknown")).status == 404


async def test_a_name_stands_for_one_invoice_in_each_mode(office: Office, fresh: Client) -> None:
    provider_account = (
        await office.fetch("SELECT * FROM provider_accounts WHERE account_id = $1 AND test_mode", fresh.keys.id)
    )[0]
    # A live provider: nothing is ever asked of it here.
    await office.owner.execute(
        "INSERT INTO provider_accounts SELECT account_id, $2, provider, false, merchant_id, sealed, created_at, NULL"
        " FROM provider_accounts WHERE account_id = $1",
        fresh.keys.id,
        provider_account["provider_account_id"][:-1] + "~",
    )
    await office.owner.execute(
        "INSERT INTO routes SELECT account_id, service, $2, 1 FROM routes WHERE account_id = $1",
        fresh.keys.id,
        provider_account["provider_account_id"][:-1] + "~",
    )
    test, live = await fresh.create(reference_id="one"), await fresh.create(reference_id="one", test_mode=None)
    assert (test.status, live.status) == (201, 201)
    assert live.attributes["test_mode"] is False
    both = (await fresh.find("one")).data
    assert sorted(each["id"] for each in both) == sorted([test.data["id"], live.data["id"]])


async def test_both_bases_a_trailing_slash_a_bare_question_mark_and_any_accept_are_taken(shop: Client) -> None:
    for path in ("/payment-invoices", "/payment-invoices/", "/api/payment-invoices/", "/api/payment-invoices?"):
        assert (await shop.create(path)).status == 201
    for path in ("/public-api/payment-invoices/", "/public-api/payment-invoices?"):
        assert (await shop.create_publicly(path)).status == 201
    created = await shop.create()
    invoice_id = created.data["id"]
    for path in (
        f"/payment-invoices/{invoice_id}",
        f"/payment-invoices/{invoice_id}/",
        f"/api/payment-invoices/{invoice_id}/?",
    ):
        assert (await shop.call("GET", path, headers={"Accept": "text/html"})).text == created.text


async def test_a_get_may_carry_a_json_body(shop: Client) -> None:
    invoice_id = (await shop.create()).data["id"]
    for path in (f"/public-api/payment-invoices/{invoice_id}", f"/payment-invoices/{invoice_id}"):
        answer = await shop.call("GET", path, json_body={"public_key": shop.keys.public_key_test, "id": invoice_id})
        assert answer.status == 200


async def test_both_json_media_types_and_both_resource_types_are_taken(shop: Client) -> None:
    body = private_body()
    answer = await shop.call(
        "POST", "/api/payment-invoices", json_body=body, headers={"Content-Type": "application/vnd.api+json"}
    )
    assert answer.status == 201
    singular = {"data": {"type": "payment-invoice", "attributes": attributes()}}
    answer = await shop.call(
        "POST",
        "/api/payment-invoices",
        json_body=singular,
        headers={"Content-Type": 'Application/JSON; charset="utf-8"'},
    )
    assert answer.status == 201
    other = {"data": {"type": "payments", "attributes": attributes()}}
    assert "type" in (await shop.call("POST", "/api/payment-invoices", json_body=other)).errors


async def test_a_public_creation_gets_a_name_when_it_brings_none(shop: Client) -> None:
    one, other = await shop.create_publicly(), await shop.create_publicly()
    assert uuid.UUID(one.data["reference_id"]) != uuid.UUID(other.data["reference_id"])
    assert (await shop.find(one.data["reference_id"])).data[0]["id"] == one.data["id"]


async def test_a_public_creation_takes_no_callback_url_no_mode_and_no_account_of_its_own(
    shop: Client, merchant: Merchant
) -> None:
    made = await shop.create_publicly(
        callback_url=merchant.url, test_mode=False, status="processed", fee=7, account_id="coma_other"
    )
    assert made.data["test_mode"] is True
    attributes = (await shop.read(made.data["id"])).attributes
    assert (attributes["callback_url"], attributes["status"], attributes["fee"]) == (None, "process_pending", 0)


async def test_unknown_attributes_are_ignored_and_never_stored(shop: Client) -> None:
    made = await shop.create(
        status="processed",
        processed_amount=1,
        fee=7,
        deposit=1,
        serial_number="x",
        source="merchant_dashboard",
        created=1,
        rrn="1",
        approval_code="2",
        moderation_required=True,
        attempts_max=99,
        account_id="coma_0000000000000000",
    )
    found = made.attributes
    assert found["status"] == "process_pending"
    assert (found["processed_amount"], found["fee"], found["deposit"], found["rrn"]) == (None, 0, 100, None)
    assert (found["source"], found["moderation_required"]) == ("merchant_api", False)


async def test_empty_maps_are_written_as_empty_lists(fresh: Client) -> None:
    empties: list[object] = [{}, [], None]
    for empty in empties:
        made = (await fresh.create(metadata=empty)).attributes
        assert (made["metadata"], made["flow_data"]["params"], made["callback_logs"]) == ([], [], [])
    public = await fresh.create_publicly(metadata={})
    assert (public.data["metadata"], public.data["active_payment"]["payload"]["params"]) == ([], [])


async def test_metadata_comes_back_as_it_was_with_the_accounts_site_beside_it(shop: Client) -> None:
    metadata = {"order": "№ 7 🍵", "nested": {"a": [1, True, None]}, "big": 12345678901234567890}
    made = await shop.create(metadata=metadata)
    assert made.attributes["metadata"] == {**metadata, "merchant_url": "https://shop.example"}


async def test_times_are_whole_unix_seconds(shop: Client) -> None:
    found = (await shop.create()).attributes
    assert isinstance(found["created"], int)
    assert found["updated"] == found["created"]


async def test_a_public_answer_says_nothing_of_the_payer(shop: Client) -> None:
    made = await shop.create(
        customer={
            "reference_id": "secret-ref",
            "name": "Secret Name",
            "email": "secret@example.com",
            "phone": "+secret",
            "metadata": {"a": "secret-meta"},
            "address": {"city": "Secret City"},
        }
    )
    answer = await shop.read_publicly(made.data["id"])
    assert answer.status == 200
    assert "secret" not in answer.text.lower()


async def test_the_customer_is_included_when_asked_for(shop: Client) -> None:
    made = await shop.create(customer={"reference_id": "77", "name": "Jo", "address": {"city": "Rīga"}})
    assert "included" not in made.document
    answer = await shop.call("GET", f"/api/payment-invoices/{made.data['id']}?include=customer")
    assert answer.data == made.data
    (customer,) = answer.document["included"]
    assert (customer["type"], customer["id"]) == ("customers", made.data["relationships"]["customer"]["data"]["id"])
    assert customer["attributes"]["name"] == "Jo"
    assert customer["attributes"]["address"] == {"city": "Rīga"}


async def test_one_customer_is_one_customer(shop: Client) -> None:
    first = await shop.create(customer={"reference_id": "same", "name": "A", "phone": "1"})
    second = await shop.create(customer={"reference_id": "same", "email": "a@example.com"})
    assert first.data["relationships"]["customer"] == second.data["relationships"]["customer"]
    answer = await shop.call("GET", f"/api/payment-invoices/{second.data['id']}?include=customer")
    (customer,) = answer.document["included"]
    assert [customer["attributes"][name] for name in ("name", "email", "phone")] == ["A", "a@example.com", "1"]


async def test_of_twenty_parallel_creations_of_one_name_one_creates_and_all_get_its_document(
    office: Office, fresh: Client
) -> None:
    bodies = [private_body(reference_id="the one", customer={"reference_id": str(n)}) for n in range(20)]
    answers = await asyncio.gather(*(fresh.call("POST", "/api/payment-invoices", json_body=body) for body in bodies))
    (created,) = [answer for answer in answers if answer.status == 201]
    refused = [answer for answer in answers if answer.status == 409]
    assert len(refused) == 19
    read = (await fresh.read(created.data["id"])).data
    for answer in refused:
        assert answer.document["data"] == read == created.data
        (error,) = answer.document["errors"]
        assert list(error.items())[:2] == [("status", "Conflict"), ("code", "409")]
        assert set(error) == {"status", "code", "title", "detail"}
    assert await office.rows(fresh.keys.id) == {"invoices": 1, "customers": 1, "payments": 0, "callbacks": 0}


async def test_a_refused_repeat_names_what_differs(shop: Client) -> None:
    made = await shop.create(description="Tea")
    name = made.attributes["reference_id"]
    same = await shop.create(reference_id=name, description="Tea")
    other = await shop.create(reference_id=name, description="Cake", amount=7, metadata={"a": 1})
    assert (same.status, other.status) == (409, 409)
    assert same.document["data"] == other.document["data"] == made.data
    assert "differs" not in same.document["errors"][0]["detail"]
    detail = other.document["errors"][0]["detail"]
    assert all(name in detail for name in ("amount", "description", "metadata"))


async def test_a_public_repeat_sees_the_invoice_only_if_it_is_an_honest_one(shop: Client) -> None:
    made = await shop.create_publicly(reference_id=str(uuid.uuid4()), description="Tea")
    name = made.data["reference_id"]
    honest = await shop.create_publicly(reference_id=name, description="Cake")
    assert (honest.status, honest.document["data"]) == (409, made.data)
    curious = await shop.create_publicly(reference_id=name, amount=99)
    assert (curious.status, list(curious.document)) == (409, ["errors"])
    assert "differs" not in curious.document["errors"][0]["detail"]
