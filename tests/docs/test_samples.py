"""The samples of the guides and of the API's reference do what they say, in each language, against a running Kassa."""

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from kassa.api.description.calls import LANGUAGES
from kassa.api.description.reading import Entry, entries
from kassa.callbacks import signing
from kassa.clock import Clock
from tests.support import languages, visitor
from tests.support.api import Client
from tests.support.command import Ran
from tests.support.languages import RUN_BY, SAMPLES
from tests.support.merchant import Merchant, Received
from tests.support.postgres import Database
from tests.support.serving import Served
from tests.support.world import GOOD

ENDINGS = [*RUN_BY]
KEY = "sk_test_" + "k" * 43


@pytest.fixture
async def shop(served: Served) -> AsyncIterator[Client]:
    """The demo account's own software, to see what the samples did."""
    async with aiohttp.ClientSession() as session:
        yield Client(session, served.base_url, served.account)


@pytest.fixture
def environment(served: Served) -> Mapping[str, str]:
    keys = served.account
    return {"API_URL": f"{served.base_url}/api", "ACCOUNT_ID": keys.id, "API_KEY": keys.api_key}


async def sample(name: str, ending: str, *arguments: str, environment: Mapping[str, str], typed: bytes = b"") -> Ran:
    return await languages.run(SAMPLES / f"{name}{ending}", *arguments, environment=environment, typed=typed)


def invoice(ran: Ran, ending: str) -> tuple[str, str, str]:
    """Return the id, status and page that a sample printed; curl prints the whole answer."""
    assert ran.status == 0, ran.err
    if ending != ".sh":
        invoice_id, status, action = ran.out.split()
        return invoice_id, status, action
    data = json.loads(ran.out)["data"]
    return data["id"], data["attributes"]["status"], data["attributes"]["flow_data"]["action"]


@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_order_is_created_paid_read_and_refunded(
    ending: str, environment: Mapping[str, str], shop: Client
) -> None:
    order = f"order-{uuid.uuid4()}"
    created = await sample("create", ending, order, environment=environment)
    invoice_id, status, page = invoice(created, ending)
    assert status == "process_pending"
    again = invoice(await sample("create", ending, order, environment=environment), ending)
    assert again == (invoice_id, status, page)
    async with visitor.visiting() as payer:
        await payer.press(await payer.open(page), card_number=GOOD, expiry="12/30", cvc="123")
    read = await sample("read", ending, order, environment=environment)
    assert read.status == 0, read.err
    assert invoice_id in read.out
    assert "processed" in read.out
    refunded = await sample("refund", ending, invoice_id, "2.5", f"back-{order}", environment=environment)
    assert refunded.status == 0, refunded.err
    assert "partially_refunded" in refunded.out
    repeated = await sample("refund", ending, invoice_id, "2.5", f"back-{order}", environment=environment)
    assert repeated.status == 0, repeated.err
    found = (await shop.read(invoice_id)).attributes
    assert (found["status"], str(found["refunded_amount"])) == ("partially_refunded", "2.5")


@pytest.mark.parametrize("ending", ENDINGS)
async def test_what_goes_wrong_is_shown(ending: str, environment: Mapping[str, str]) -> None:
    unknown = await sample("read", ending, f"none-{uuid.uuid4()}", environment=environment)
    refused = await sample("create", ending, "order", environment={**environment, "API_KEY": "wrong"})
    if ending == ".sh":
        assert '"404"' in unknown.out
        assert '"401"' in refused.out
        return
    assert (unknown.status, "safe to create" in unknown.err) == (1, True)
    assert (refused.status, "401" in refused.err) == (1, True)


def signed(received: Received, key: str) -> dict[str, str]:
    names = ("X-Signature", "webhook-id", "webhook-timestamp", "webhook-signature")
    return {"PRIVATE_KEY": key} | {f"HTTP_{name.upper().replace('-', '_')}": received.headers[name] for name in names}


async def verify(ending: str, headers: Mapping[str, str], body: bytes, folder: Path) -> Ran:
    (folder / "body").write_bytes(body)
    arguments = (str(folder / "body"),) if ending == ".sh" else ()
    return await sample("verify", ending, *arguments, environment=headers, typed=body)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_callback_is_verified_by_both_signatures(
    ending: str, shop: Client, merchant: Merchant, tmp_path: Path
) -> None:
    created = await shop.create(callback_url=f"{merchant.url}/callbacks", description="Два кофе")
    received = await merchant.wait_for(lambda each: each.document["data"]["id"] == created.data["id"])
    headers = signed(received, shop.keys.private_key_test)
    good = await verify(ending, headers, received.body, tmp_path)
    assert (good.status, good.out.startswith("genuine")) == (0, True), good.err
    forged = {
        "another body": await verify(ending, headers, received.body.replace(b'"USD"', b'"EUR"'), tmp_path),
        "another key": await verify(ending, {**headers, "PRIVATE_KEY": KEY}, received.body, tmp_path),
        "one signature": await verify(ending, {**headers, "HTTP_X_SIGNATURE": "x"}, received.body, tmp_path),
        "the other": await verify(ending, {**headers, "HTTP_WEBHOOK_SIGNATURE": "v1,x"}, received.body, tmp_path),
    }
    assert {name: (ran.status, ran.err.strip()) for name, ran in forged.items()} == dict.fromkeys(
        forged, (1, "not genuine")
    )


@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_old_callback_is_refused_and_a_replaced_key_still_accepted(ending: str, tmp_path: Path) -> None:
    body, now = b'{"data":{"id":"cpi_1","attributes":{"status":"created","updated":1}}}', Clock().real()
    for age, keys, expected in (
        (timedelta(), [KEY, "sk_test_old"], 0),
        (timedelta(minutes=4), [KEY], 0),
        (timedelta(minutes=6), [KEY], 1),
    ):
        made = signing.headers("msg_1", body, keys=keys, now=now - age)
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in made.items()}
        ran = await verify(ending, {**headers, "PRIVATE_KEY": KEY}, body, tmp_path)
        assert ran.status == expected, (age, ran)


async def test_a_callback_that_is_late_or_repeated_changes_nothing(database: Database) -> None:
    statement = (SAMPLES / "apply.sql").read_text()
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute(
            "CREATE TEMP TABLE paid_orders (invoice_id text PRIMARY KEY, status text, updated int)"
        )
        changed = [
            await connection.execute(statement, "cpi_1", status, updated)
            for status, updated in (("processed", 20), ("process_pending", 10), ("processed", 20), ("refunded", 30))
        ]
        kept = await connection.fetchrow("SELECT * FROM paid_orders")
    finally:
        await connection.close()
    assert changed == ["INSERT 0 1", "INSERT 0 0", "INSERT 0 0", "INSERT 0 1"]
    assert tuple(kept or ()) == ("cpi_1", "refunded", 30)


@pytest.fixture
async def reference(served: Served) -> Mapping[str, Entry]:
    """The operations of the served description, by name."""
    async with aiohttp.ClientSession() as session, session.get(f"{served.base_url}/openapi.json") as answer:
        document: Any = await answer.json()
    return {each.anchor: each for tag in document["tags"] for each in entries(document, tag["name"])}


@pytest.mark.parametrize("language", [*LANGUAGES])
async def test_the_samples_of_the_reference_run(
    language: str, reference: Mapping[str, Entry], environment: Mapping[str, str], tmp_path: Path, served: Served
) -> None:
    ending = dict(zip(LANGUAGES, ENDINGS, strict=True))[language]
    wanted = {
        "post_api_payment_invoices": "payment-invoices",
        "get_api_payment_invoices": "payment-invoices",
        "get_api_account_profile": served.account.id,
        "post_public_api_payment_prerequest": "errors",
        "post_public_api_payment_invoices_process": "<!doctype html>",
    }
    for name, expected in wanted.items():
        path = tmp_path / f"{name}{ending}"
        # A repeated example would be a conflict.
        text = reference[name].calls[language].replace("a30ebec4-035c-4fc5-8c48-b525ca601f37", str(uuid.uuid4()))
        path.write_text(text)
        ran = await languages.run(path, environment=environment)
        assert ran.status == 0, (name, ran.err)
        assert expected in ran.out, (name, ran.out)
