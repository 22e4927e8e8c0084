"""``Idempotency-Key`` on the private API: a named request is executed once, and its repeats get the first result."""

import asyncio
import uuid
from collections.abc import Mapping

import pytest

from tests.support import blocking
from tests.support.api import INVOICES, Answer, Client, error_body, private_body
from tests.support.office import Office

REPLAYED = "Idempotent-Replayed"
UNDER_WAY = error_body(409, "Conflict", title="Conflict", detail="A request with this Idempotency-Key is under way.")
INTERNAL = error_body(500, "internal_error", title="internal_error", detail="Internal server error.")


def a_key() -> str:
    return str(uuid.uuid4())


async def post(shop: Client, key: str, body: Mapping[str, object], path: str = INVOICES) -> Answer:
    return await shop.call("POST", path, json_body=body, headers={"Idempotency-Key": key})


async def count(office: Office, shop: Client) -> int:
    return (await office.rows(shop.keys.id))["invoices"]


async def keys(office: Office, shop: Client) -> list[dict[str, object]]:
    return await office.fetch("SELECT * FROM idempotency_keys WHERE account_id = $1", shop.keys.id)


async def end_leases(office: Office, shop: Client) -> None:
    """Let the time pass after which the holder of a key must have died."""
    await office.owner.execute(
        "UPDATE idempotency_keys SET leased_until = leased_until - interval '61 seconds' WHERE account_id = $1",
        shop.keys.id,
    )


async def test_a_repeat_gets_the_first_result_to_the_last_byte_and_does_nothing(office: Office, fresh: Client) -> None:
    key, body = a_key(), private_body()
    first = await post(fresh, key, body)
    assert (first.status, first.headers.get(REPLAYED)) == (201, None)
    # What has become of the invoice since does not matter to the result.
    await office.owner.execute("UPDATE invoices SET description = 'later' WHERE invoice_id = $1", first.data["id"])
    rows = await office.rows(fresh.keys.id)
    for _ in range(2):
        again = await post(fresh, key, body)
        assert (again.status, again.text, again.headers[REPLAYED]) == (201, first.text, "true")
        assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert await office.rows(fresh.keys.id) == rows


async def test_without_a_key_nothing_is_kept(office: Office, fresh: Client) -> None:
    assert (await fresh.create()).status == 201
    assert await keys(office, fresh) == []


async def test_a_key_belongs_to_one_request(office: Office, fresh: Client) -> None:
    key, body = a_key(), private_body()
    first = await post(fresh, key, body)
    for other in (private_body(), {**body, "more": 1}):
        refused = await post(fresh, key, other)
        assert refused.errors == {"Idempotency-Key": "This key was used for another request."}
    assert await count(office, fresh) == 1
    assert (await post(fresh, key, body, path="/payment-invoices/")).text == first.text


async def test_a_key_belongs_to_one_account(shop: Client, fresh: Client) -> None:
    key, body = a_key(), private_body()
    one, other = await post(shop, key, body), await post(fresh, key, body)
    assert (one.status, other.status, other.headers.get(REPLAYED)) == (201, 201, None)
    assert one.data["id"] != other.data["id"]


async def test_a_refused_request_leaves_its_key_free(office: Office, fresh: Client) -> None:
    key = a_key()
    assert (await post(fresh, key, private_body(amount=-1))).errors.keys() == {"amount"}
    assert (await post(fresh, key, {})).status == 400
    assert (await fresh.call("POST", "/api/nothing", json_body={}, headers={"Idempotency-Key": key})).status == 404
    wrong = await fresh.call(
        "POST", INVOICES, json_body={}, headers={"Idempotency-Key": key}, auth=(fresh.keys.id, "wrong")
    )
    assert wrong.status == 401
    assert await keys(office, fresh) == []
    made = await post(fresh, key, private_body())
    assert (made.status, made.headers.get(REPLAYED)) == (201, None)


async def test_a_conflict_is_a_result(fresh: Client) -> None:
    existing = await fresh.create(reference_id="one")
    key, body = a_key(), private_body(reference_id="one")
    first, again = await post(fresh, key, body), await post(fresh, key, body)
    assert (first.status, first.document["data"]) == (409, existing.data)
    assert (again.status, again.text, again.headers[REPLAYED]) == (409, first.text, "true")


@pytest.mark.parametrize("key", ["", "x" * 256, "kéy", "a\tb"])
async def test_a_text_that_is_no_key_is_refused(office: Office, fresh: Client, key: str) -> None:
    answer = await post(fresh, key, private_body())
    assert (answer.status, answer.document["errors"][0]["title"]) == (400, "Bad Request")
    assert await count(office, fresh) == 0


async def test_keys_of_255_characters_and_of_quotes_are_keys(fresh: Client) -> None:
    for key in ("x" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'):
        body = private_body()
        assert (await post(fresh, key, body)).status == 201
        assert (await post(fresh, key, body)).headers[REPLAYED] == "true"


async def test_of_twenty_at_once_one_is_executed(office: Office, fresh: Client) -> None:
    key, body = a_key(), private_body()
    answers = await asyncio.gather(*(post(fresh, key, body) for _ in range(20)))
    executed = [answer for answer in answers if answer.status == 201 and REPLAYED not in answer.headers]
    assert len(executed) == 1
    for answer in answers:
        assert answer.text == executed[0].text or (answer.status, answer.document) == (409, UNDER_WAY)
    assert await count(office, fresh) == 1


async def test_a_repeat_is_told_that_the_first_request_is_under_way(office: Office, fresh: Client) -> None:
    existing, key = await fresh.create(), a_key()
    body = private_body(reference_id="held")
    async with blocking.creation_held(office, existing.data["id"], "held"):
        first = asyncio.create_task(post(fresh, key, body))
        await blocking.until_waiting(office, "invoices")
        repeat = await post(fresh, key, body)
        other = await post(fresh, key, private_body())
    assert (repeat.status, repeat.document, repeat.headers["Retry-After"]) == (409, UNDER_WAY, "1")
    assert other.status == 422
    made = await first
    assert made.status == 201
    assert (await post(fresh, key, body)).text == made.text


async def test_a_defect_is_a_result_as_well(office: Office, fresh: Client) -> None:
    key, body = a_key(), private_body()
    async with blocking.refused(office, "INSERT", "invoices", fresh.keys.id, "P0001"):
        first = await post(fresh, key, body)
    again = await post(fresh, key, body)
    assert (first.status, first.document) == (500, INTERNAL)
    assert (again.status, again.text, again.headers[REPLAYED]) == (500, first.text, "true")
    assert await count(office, fresh) == 0


async def test_a_database_that_is_away_leaves_the_key_to_the_next_repeat(office: Office, fresh: Client) -> None:
    key, body = a_key(), private_body()
    async with blocking.refused(office, "INSERT", "invoices", fresh.keys.id, "57P03"):
        away = await post(fresh, key, body)
    assert (away.status, away.headers["Retry-After"]) == (503, "1")
    made = await post(fresh, key, body)
    assert (made.status, made.headers.get(REPLAYED)) == (201, None)


async def test_what_was_done_and_not_recorded_is_known_to_the_repeat_as_its_own(office: Office, fresh: Client) -> None:
    key, body = a_key(), private_body()
    async with blocking.refused(office, "UPDATE", "idempotency_keys", fresh.keys.id, "57P03"):
        first = await post(fresh, key, body)
    assert first.status == 201
    assert (await post(fresh, key, body)).document == UNDER_WAY
    await end_leases(office, fresh)
    resumed = await post(fresh, key, body)
    assert (resumed.status, resumed.data, resumed.headers.get(REPLAYED)) == (201, first.data, None)
    assert (await post(fresh, key, body)).headers[REPLAYED] == "true"
    assert await count(office, fresh) == 1


async def test_a_key_that_is_over_is_a_new_one(office: Office, fresh: Client) -> None:
    key = a_key()
    first = await post(fresh, key, private_body())
    # Past what the worker would wait for as well: in any order, the key is free.
    await office.owner.execute(
        "UPDATE idempotency_keys SET due_at = due_at - interval '24 hours' WHERE account_id = $1", fresh.keys.id
    )
    second = await post(fresh, key, private_body())
    assert (second.status, second.headers.get(REPLAYED)) == (201, None)
    assert first.data["id"] != second.data["id"]
    assert await count(office, fresh) == 2


async def test_the_public_api_has_no_keys(office: Office, fresh: Client) -> None:
    key, body = a_key(), fresh.public_body()
    answers = [
        await fresh.call(
            "POST", "/public-api/payment-invoices", json_body=body, headers={"Idempotency-Key": key}, anonymous=True
        )
        for _ in range(2)
    ]
    assert answers[0].data["id"] != answers[1].data["id"]
    assert await keys(office, fresh) == []
