"""Listeners: leases that copy an account's callbacks for a while, over the private API."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kassa.callbacks.listeners.model import LISTENERS_MAX
from tests.support import command
from tests.support import office as offices
from tests.support.api import Client
from tests.support.office import Office
from tests.support.serving import Serving
from tests.support.waiting import until

KEPT = ("listeners", "copies")
PATH = "/api/callback-listeners"


@pytest.fixture(scope="module")
async def office(serving_kassa: Serving) -> AsyncIterator[Office]:
    async with offices.opened(serving_kassa) as opened:
        yield opened


def asked(attributes: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"type": "callback-listeners", "attributes": attributes}}


async def lease(shop: Client, *, test_mode: bool = True, key: str | None = None) -> str:
    headers = {"Idempotency-Key": key} if key else {}
    opened = await shop.call("POST", PATH, json_body=asked({"test_mode": test_mode}), headers=headers)
    assert opened.status == 201, opened.text
    return str(opened.data["id"])


async def copies(shop: Client, listener_id: str, query: str = "wait=5") -> list[Any]:
    answered = await shop.call("GET", f"{PATH}/{listener_id}/callbacks?{query}")
    assert answered.status == 200, answered.text
    return list(answered.document["data"])


async def test_callbacks_are_copied_until_they_were_received_to_each_listener_of_the_mode(office: Office) -> None:
    shop = await office.account(callback_url="http://127.0.0.1:9/")
    one, other, live = await lease(shop), await lease(shop), await lease(shop, test_mode=False)
    invoice = (await shop.create()).data
    (copy,) = await copies(shop, one)
    (row,) = await office.fetch("SELECT callback_id, body FROM callbacks WHERE account_id = $1", shop.keys.id)
    assert copy["id"] == row["callback_id"]
    assert copy["attributes"]["body"].encode() == row["body"]
    assert (copy["attributes"]["invoice_id"], copy["attributes"]["invoice_status"]) == (
        invoice["id"],
        "process_pending",
    )
    assert {*copy["attributes"]["headers"]} == {
        *("Content-Type", "X-Signature", "webhook-id", "webhook-timestamp", "webhook-signature")
    }
    assert [each["id"] for each in await copies(shop, one, "")] == [copy["id"]]
    assert await copies(shop, one, f"received={copy['id']}") == []
    assert [each["id"] for each in await copies(shop, other)] == [copy["id"]]
    assert await copies(shop, live, "") == []


async def test_an_account_that_wants_final_callbacks_alone_has_no_others_copied(office: Office) -> None:
    shop = await office.account(only_final_callbacks="true")
    listener = await lease(shop)
    assert (await shop.create()).status == 201
    assert await copies(shop, listener, "") == []


async def test_a_callback_that_is_sent_again_is_copied_again(office: Office, serving_kassa: Serving) -> None:
    shop = await office.account(callback_url="http://127.0.0.1:9/")
    assert (await shop.create()).status == 201
    listener = await lease(shop)
    (row,) = await office.fetch("SELECT callback_id FROM callbacks WHERE account_id = $1", shop.keys.id)
    environment = {"KASSA_HOME": str(serving_kassa.folder / "home")}
    assert (await command.run("callbacks", "resend", row["callback_id"], environment=environment)).status == 0
    assert [each["id"] for each in await copies(shop, listener)] == [row["callback_id"]]


async def test_a_lease_is_renewed_by_each_question_and_ends_by_itself(office: Office) -> None:
    shop = await office.account()
    listener = await lease(shop)
    await office.owner.execute(
        "UPDATE callback_listeners SET leased_until = now() + interval '5 s' WHERE account_id = $1", shop.keys.id
    )
    await copies(shop, listener, "")
    (row,) = await office.fetch(
        "SELECT leased_until > now() + interval '50 s' AS renewed FROM callback_listeners WHERE account_id = $1",
        shop.keys.id,
    )
    assert row["renewed"]
    await office.owner.execute(
        "UPDATE callback_listeners SET leased_until = now() - interval '1 s' WHERE account_id = $1", shop.keys.id
    )
    assert (await shop.call("GET", f"{PATH}/{listener}/callbacks")).status == 404
    assert (await shop.create()).status == 201

    async def is_clean() -> bool:
        left = "SELECT 1 FROM {} WHERE account_id = $1"
        return not any([await office.fetch(left.format(f"callback_{each}"), shop.keys.id) for each in KEPT])

    await until(is_clean, what="the worker to delete the lease with its copies")


async def test_another_accounts_lease_is_not_there(office: Office) -> None:
    shop, other = await office.account(), await office.account()
    listener = await lease(shop)
    assert (await shop.create()).status == 201
    assert (await other.call("GET", f"{PATH}/{listener}/callbacks")).status == 404
    crossed = f"lis_{other.keys.id[5:9]}{listener[8:]}"
    assert (await other.call("GET", f"{PATH}/{crossed}/callbacks")).status == 404
    assert len(await copies(shop, listener, "")) == 1


async def test_leases_are_bounded_in_number_and_a_repeated_request_opens_one(office: Office) -> None:
    shop = await office.account()
    first = await lease(shop, key="k")
    assert await lease(shop, key="k") == first
    live = await lease(shop, test_mode=False)
    second = await lease(shop)
    await copies(shop, first, "")
    for _ in range(LISTENERS_MAX - 1):
        await lease(shop)
    assert (await shop.call("GET", f"{PATH}/{second}/callbacks")).status == 404
    assert await copies(shop, first, "") == []
    assert await copies(shop, live, "") == []


@pytest.mark.parametrize(
    "query",
    ["wait=6", "wait=-1", "wait=x", "wait=1&wait=1", "received=cpi_1", "received=" + "msg_Nobo000000000000," * 2],
)
async def test_a_question_that_cannot_be_is_refused(office: Office, query: str) -> None:
    shop = await office.account()
    listener = await lease(shop)
    assert (await shop.call("GET", f"{PATH}/{listener}/callbacks?{query}")).status == 400


@pytest.mark.parametrize("attributes", [{}, {"test_mode": "perhaps"}, {"test_mode": None}])
async def test_a_listener_says_whose_mode(office: Office, attributes: dict[str, Any]) -> None:
    shop = await office.account()
    refused = await shop.call("POST", PATH, json_body=asked(attributes))
    assert [*refused.errors] == ["test_mode"]
