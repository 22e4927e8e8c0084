"""Refunds over the private API: what is answered, what is refused, and that a refusal does nothing.

See contract#private-api.
"""

import asyncio
import uuid
from decimal import Decimal
from typing import Any

import pytest

from tests.support import blocking
from tests.support.api import INVOICES, Answer, Client, error_body
from tests.support.office import Office
from tests.support.serving import Served

NOTHING = {"amount": "There is nothing to refund."}
NOT_PAID = {"amount": "This invoice is not paid, so there is nothing to refund."}


@pytest.fixture
async def paid(shop: Client, served: Served) -> Answer:
    """An invoice of 100 dollars that is paid."""
    return await shop.pay(await shop.create(), served.gate_url)


def document(answer: Answer) -> Any:
    """Return the invoice in a 409."""
    assert answer.status == 409, answer.text
    return answer.document["data"]["attributes"]


async def unchanged(shop: Client, before: Answer, answer: Answer) -> None:
    """A refusal leaves the invoice as it was."""
    assert answer.status >= 400
    assert (await shop.read(before.data["id"])).attributes["updated"] == before.attributes["updated"]
    assert (await shop.read(before.data["id"])).attributes["refunds"] == []


async def test_a_part_is_refunded_and_shown(shop: Client, paid: Answer) -> None:
    answer = await shop.refund(paid.data["id"], amount="25.50", reference_id="part", description="One was broken")
    assert answer.status == 200
    found = answer.attributes
    (refund,) = found["refunds"]
    assert refund == {
        "id": refund["id"],
        "reference_id": "part",
        "amount": Decimal("25.5"),
        "currency": "USD",
        "refunded_amount": Decimal("25.5"),
        "fee": 0,
        "status": "refunded",
        "resolution": "ok",
        "description": "One was broken",
        "created": refund["created"],
        "updated": refund["updated"],
    }
    assert refund["id"].startswith(f"ref_{paid.data['id'][4:8]}")
    assert refund["created"] <= refund["updated"] == found["refunded"]
    assert (found["status"], found["resolution"], found["refunded_fee"]) == ("partially_refunded", "ok", 0)
    assert (found["refunded_amount"], found["processed_amount"]) == (Decimal("25.5"), 100)
    assert found["updated"] >= paid.attributes["updated"] + 2
    read = await shop.read(paid.data["id"])
    assert {**read.attributes, "callback_logs": []} == {**found, "callback_logs": []}
    public = (await shop.read_publicly(paid.data["id"])).data
    assert (public["status"], public["refunded_amount"]) == ("partially_refunded", Decimal("25.5"))
    assert "refunds" not in public


async def test_without_an_amount_the_rest_is_refunded(shop: Client, paid: Answer) -> None:
    await shop.refund(paid.data["id"], amount=30)
    found = (await shop.refund(paid.data["id"])).attributes
    assert (found["status"], found["refunded_amount"]) == ("refunded", 100)
    assert [refund["amount"] for refund in found["refunds"]] == [30, 70]
    again = await shop.refund(paid.data["id"])
    assert again.errors == NOTHING
    assert (await shop.read(paid.data["id"])).attributes["updated"] == found["updated"]


@pytest.mark.parametrize(
    "amount, message",
    [
        (100.01, "This value should be 100 or less."),
        (0, "This value should be greater than 0."),
        (-1, "This value should be greater than 0."),
        ("1.001", "This value should have no more than 2 decimals in USD."),
        ("many", "This value should be a number."),
        ([], "This value should be of type number."),
        (True, "This value should be of type number."),
        ("9" * 40, "This value is too large."),
    ],
)
async def test_an_amount_that_cannot_be_refunded_is_refused(
    shop: Client, paid: Answer, amount: object, message: str
) -> None:
    answer = await shop.refund(paid.data["id"], amount=amount)
    assert answer.errors == {"amount": message}
    await unchanged(shop, paid, answer)


@pytest.mark.parametrize(
    "changes, errors",
    [
        ({"reference_id": None}, {"reference_id": "This value should not be blank."}),
        ({"reference_id": ""}, {"reference_id": "This value should not be blank."}),
        (
            {"reference_id": "r" * 256},
            {"reference_id": "This value is too long. It should have 255 characters or less."},
        ),
        ({"reference_id": "\x07"}, {"reference_id": "This value should not contain control characters."}),
        ({"description": ["?"]}, {"description": "This value should be of type string."}),
        (
            {"reference_id": None, "amount": "?"},
            {"reference_id": "This value should not be blank.", "amount": "This value should be a number."},
        ),
    ],
)
async def test_members_that_cannot_be_are_refused_all_at_once(
    shop: Client, paid: Answer, changes: dict[str, Any], errors: dict[str, str]
) -> None:
    answer = await shop.refund(paid.data["id"], **changes)
    assert answer.errors == errors
    await unchanged(shop, paid, answer)


async def test_the_bodys_type_is_refund(shop: Client, paid: Answer) -> None:
    path = f"{INVOICES}/{paid.data['id']}/refund"
    body = {"data": {"type": "payment-invoices", "attributes": {"reference_id": "1"}}}
    answer = await shop.call("POST", path, json_body=body)
    assert answer.errors == {"type": "This value should be refund."}
    assert (await shop.call("POST", path, json_body={"reference_id": "1"})).status == 400
    await unchanged(shop, paid, answer)


async def test_what_is_not_paid_has_nothing_to_refund(shop: Client, served: Served) -> None:
    created = await shop.create()
    assert (await shop.refund(created.data["id"], amount=1)).errors == NOT_PAID
    verified = await shop.pay(await shop.create(flow="verify"), served.gate_url)
    assert verified.attributes["status"] == "verified"
    assert (await shop.refund(verified.data["id"])).errors == NOT_PAID


async def test_another_accounts_invoice_is_not_there(shop: Client, fresh: Client, paid: Answer) -> None:
    for invoice_id in (paid.data["id"], "cpi_nobody0000000000", "nothing"):
        answer = await fresh.refund(invoice_id, amount=1)
        assert (answer.status, answer.document) == (404, error_body(404, "Not Found"))
    anonymous = await shop.call("POST", f"{INVOICES}/{paid.data['id']}/refund", anonymous=True, body=b"{}")
    assert anonymous.status == 401
    await unchanged(shop, paid, anonymous)


async def test_a_reference_stands_for_one_refund_for_ever(shop: Client, served: Served, paid: Answer) -> None:
    reference = str(uuid.uuid4())
    first = await shop.refund(paid.data["id"], reference_id=reference, amount=10)
    assert first.status == 200
    same = await shop.refund(paid.data["id"], reference_id=reference, amount="10.00")
    assert same.document["errors"] == [
        {
            "status": "Conflict",
            "code": "409",
            "title": "Conflict",
            "detail": "A refund with this reference_id exists already; its invoice is in data.",
        }
    ]
    assert document(same)["refunds"] == first.attributes["refunds"]
    assert same.document["data"]["id"] == paid.data["id"]
    # Even where there would not be as much any more.
    other = await shop.refund(paid.data["id"], reference_id=reference, amount=500, description="?")
    assert other.document["errors"][0]["detail"].endswith("It differs in: amount, description.")
    elsewhere = await shop.pay(await shop.create(), served.gate_url)
    third = await shop.refund(elsewhere.data["id"], reference_id=reference)
    assert third.document["errors"][0]["detail"].endswith("It differs in: invoice.")
    assert third.document["data"]["id"] == paid.data["id"]
    await unchanged(shop, elsewhere, third)
    assert document(same)["refunded_amount"] == 10


async def test_other_accounts_and_the_other_mode_have_references_of_their_own(
    office: Office, shop: Client, fresh: Client, served: Served, paid: Answer
) -> None:
    reference = str(uuid.uuid4())
    theirs = await fresh.pay(await fresh.create(), served.gate_url)
    assert (await fresh.refund(theirs.data["id"], reference_id=reference)).status == 200
    await office.owner.execute(
        "UPDATE refunds SET test_mode = false WHERE account_id = $1 AND reference_id = $2", fresh.keys.id, reference
    )
    other = await fresh.pay(await fresh.create(), served.gate_url)
    assert (await fresh.refund(other.data["id"], reference_id=reference)).status == 200
    assert (await shop.refund(paid.data["id"], reference_id=reference)).status == 200


async def test_of_twenty_refunds_side_by_side_as_many_are_accepted_as_fit_and_the_rest_get_422(
    shop: Client, paid: Answer
) -> None:
    async def answered() -> Answer:
        # On a busy machine one that has waited for the invoice too long is answered 503, and asks again.
        while (answer := await shop.refund(paid.data["id"], amount=15)).status == 503:
            pass
        return answer

    answers = await asyncio.gather(*(answered() for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 6 + [422] * 14
    found = (await shop.read(paid.data["id"])).attributes
    assert (found["status"], found["refunded_amount"]) == ("partially_refunded", 90)
    assert {refund["status"] for refund in found["refunds"]} == {"refunded"}


async def test_of_twenty_of_one_name_side_by_side_one_is_made(shop: Client, paid: Answer) -> None:
    async def asked() -> int:
        # Likewise.
        while (status := (await shop.refund(paid.data["id"], reference_id=paid.data["id"])).status) == 503:
            pass
        return status

    assert sorted(await asyncio.gather(*(asked() for _ in range(20)))) == [200] + [409] * 19
    assert len((await shop.read(paid.data["id"])).attributes["refunds"]) == 1


async def test_a_named_request_is_executed_once(shop: Client, paid: Answer) -> None:
    key = str(uuid.uuid4())
    first = await shop.refund(paid.data["id"], key=key, reference_id=key, amount=1)
    again = await shop.refund(paid.data["id"], key=key, reference_id=key, amount=1)
    assert (first.status, again.status, again.text) == (200, 200, first.text)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await shop.refund(paid.data["id"], key=key, reference_id=key, amount=2)
    assert list(other.errors) == ["Idempotency-Key"]


async def test_a_named_request_that_died_after_it_began_is_known_as_its_own(
    office: Office, fresh: Client, served: Served
) -> None:
    paid, key = await fresh.pay(await fresh.create(), served.gate_url), str(uuid.uuid4())
    async with blocking.refused(office, "UPDATE", "refunds", fresh.keys.id, "57P01"):
        died = await fresh.refund(paid.data["id"], key=key, reference_id=key, amount=40)
        assert died.status == 503
    await office.owner.execute(
        "UPDATE idempotency_keys SET leased_until = leased_until - interval '61 seconds' WHERE account_id = $1",
        fresh.keys.id,
    )
    again = await fresh.refund(paid.data["id"], key=key, reference_id=key, amount=40)
    assert (again.status, len(again.attributes["refunds"])) == (200, 1)
    assert again.attributes["refunds"][0]["status"] in ("refund_pending", "refunded")
