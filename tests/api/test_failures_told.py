"""What goes wrong is told: to a shop's page in an answer that it may read, to the operator in a log line."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from kassa import app
from kassa.accounts.model import NewAccount
from kassa.serving.listening import Listener, bind, port_of
from tests.support import world as worlds
from tests.support.api import CARD_USD, Client
from tests.support.postgres import Database

ORIGIN = {"Origin": "https://shop.example"}


@dataclass(frozen=True, kw_only=True)
class Here:
    """Kassa's API in this process, behind a proxy that is believed, and an account on it."""

    database: Database
    made: NewAccount
    client: Client


@pytest.fixture
async def here(database: Database, tmp_path: Path) -> AsyncIterator[Here]:
    async with worlds.opened(database, tmp_path) as world:
        made = await world.new_account(ip_allow_list="127.0.0.0/8")
        taken = bind("127.0.0.1", 0, "the API's port")
        served = app.base_app(world.platform)
        listener = Listener(served, taken, finish_seconds=1, trusted_proxies="127.0.0.1")
        await listener.start()
        try:
            url = f"http://127.0.0.1:{port_of(taken)}"
            yield Here(database=database, made=made, client=Client(world.session, url, made.keys))
        finally:
            await listener.stop()
            taken.close()


async def broken(database: Database) -> None:
    """Take away what every creation needs."""
    owner = await asyncpg.connect(database.url)
    try:
        await owner.execute("ALTER TABLE invoices RENAME TO invoices_away")
    finally:
        await owner.close()


async def test_a_shops_page_may_read_that_kassa_failed(here: Here) -> None:
    await broken(here.database)
    url, body = f"{here.client.base_url}/public-api/payment-invoices", here.client.public_body(service=CARD_USD)
    async with here.client.session.post(url, json=body, headers=ORIGIN) as answer:
        assert (answer.status, answer.headers.get("Access-Control-Allow-Origin")) == (500, "*")
        assert (await answer.json())["errors"][0]["status"] == "internal_error"


async def test_the_cross_origin_headers_are_there_once_and_on_the_public_api_alone(here: Here) -> None:
    for path, allowed in (("/public-api/payment-invoices/cpi_x", ["*"]), ("/api/payment-invoices/cpi_x", [])):
        async with here.client.session.get(here.client.base_url + path, headers=ORIGIN) as answer:
            assert answer.headers.getall("Access-Control-Allow-Origin", []) == allowed


async def test_a_caller_whose_address_is_none_is_not_on_the_list(here: Here) -> None:
    assert (await here.client.call("GET", "/api/account/profile")).status == 200
    for claimed, status in (("unknown", 403), ("10.0.0.1", 403), ("127.0.0.9", 200)):
        answer = await here.client.call("GET", "/api/account/profile", headers={"X-Forwarded-For": claimed})
        assert (claimed, answer.status) == (claimed, status)


async def test_a_forged_notification_leaves_a_line_without_what_it_said(here: Here) -> None:
    provider_account_id = await here.database.pool.fetchval(
        "SELECT provider_account_id FROM provider_accounts WHERE account_id = $1 AND test_mode",
        here.made.account.account_id,
    )
    path = f"/providers/test/notifications/{provider_account_id}"
    with capture_logs() as lines:
        async with here.client.session.post(
            here.client.base_url + path, data=b'{"said":"secret"}', headers={"Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 401
    (line,) = [line for line in lines if line.get("provider_account_id") == provider_account_id]
    assert (line["log_level"], line["provider"], line["client_ip"]) == ("warning", "test", "127.0.0.1")
    assert "secret" not in str(lines)
