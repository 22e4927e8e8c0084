"""The HTML form when the wallet's bank gives no page: the payer waits where the invoice is told of."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

import kassa.api.app
from kassa.serving.listening import Listener, bind, port_of
from tests.support import world as worlds
from tests.support.postgres import Database
from tests.support.wire import Fault
from tests.support.world import World

WALLET = "applepay_usd_hpp"


@pytest.fixture(scope="module")
async def world(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A platform and a bank for the tests of this file; nobody waits 20 seconds for an answer."""
    home: Path = tmp_path_factory.mktemp("world")
    async with worlds.opened(module_database, home, provider_seconds=1) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _line_works_again(world: World) -> Iterator[None]:
    yield
    world.wire.fault = None


@pytest.fixture
async def api(world: World) -> AsyncIterator[str]:
    """The API on a port."""
    listening = bind("127.0.0.1", 0, "the API's port")
    server = Listener(kassa.api.app.create(world.platform), listening, finish_seconds=1)
    await server.start()
    try:
        yield f"http://127.0.0.1:{port_of(listening)}"
    finally:
        await server.stop()
        listening.close()


@pytest.mark.parametrize("fault", [Fault.LOSE, Fault.GARBLE])
async def test_a_payer_without_a_page_is_sent_to_the_result_and_a_repeat_too(
    world: World, api: str, fault: Fault
) -> None:
    made = await world.new_account(services=(WALLET,))
    fields = {
        "public_key": made.keys.public_key_test,
        "service": WALLET,
        "currency": "USD",
        "amount": "100",
        "reference_id": "order-1",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    world.wire.placed.clear()
    world.wire.fault = fault
    seen = []
    for _ in range(2):
        url = f"{api}/public-api/payment-invoices/process"
        async with world.session.post(
            url, data=urlencode(fields).encode(), headers=headers, allow_redirects=False
        ) as answer:
            seen.append((answer.status, answer.headers["Location"]))
    rows = await world.platform.pool.fetch(
        "SELECT invoice_id FROM invoices WHERE account_id = $1", made.account.account_id
    )
    [invoice_id] = [row["invoice_id"] for row in rows]
    assert seen == [(303, f"{world.platform.settings.base_url}/hpp/result/{invoice_id}")] * 2
    assert len(world.wire.placed) == 1
