"""502 and 504: what the caller is told when the bank gives no page, and what it finds when it asks.

See contract#errors.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from http import HTTPStatus

import pytest

import kassa.api.app
from kassa.invoices.rules.patience import ABSENT_AFTER
from kassa.serving.listening import Listener, bind, port_of
from tests.support import world as worlds
from tests.support.api import INVOICES, PUBLIC_INVOICES, Answer, Client, error_body
from tests.support.postgres import Database
from tests.support.wire import Fault
from tests.support.world import World

WALLET = "applepay_usd_hpp"
CARD = "payment_card_usd_hpp"

GARBLED = error_body(
    502,
    "Bad Gateway",
    title="Bad Gateway",
    detail="The provider's answer makes no sense, so the outcome is not known yet.",
)
SILENT = error_body(
    504,
    "Gateway Timeout",
    title="Gateway Timeout",
    detail="The provider did not answer in time, so the outcome is not known yet.",
)
TROUBLES = [
    (Fault.GARBLE, GARBLED),
    (Fault.DOWN, GARBLED),
    (Fault.LOSE, SILENT),
    (Fault.LOSE_ANSWER, SILENT),
    (Fault.HOLD, SILENT),
    (Fault.HOLD_ANSWER, SILENT),
]
HEARD = {Fault.GARBLE, Fault.LOSE_ANSWER, Fault.HOLD_ANSWER}
"""After these the bank has the order."""


@pytest.fixture(scope="module")
async def world(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A platform and a bank for the tests of this file; nobody waits 20 seconds for an answer."""
    async with worlds.opened(module_database, tmp_path_factory.mktemp("world"), provider_seconds=1) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _line_works_and_time_is_real(world: World) -> Iterator[None]:
    """Each test begins with a line in order and in real time."""
    world.platform.clock.test_offset = timedelta()
    world.wire.placed.clear()
    yield
    world.wire.fault = None
    world.wire.let_go.set()
    world.wire.let_go = asyncio.Event()
    world.wire.held = asyncio.Event()


@pytest.fixture
async def shop(world: World) -> AsyncIterator[Client]:
    """A shop with a wallet, at an API of its own."""
    listening = bind("127.0.0.1", 0, "the API's port")
    api = Listener(kassa.api.app.create(world.platform), listening, finish_seconds=1)
    await api.start()
    try:
        made = await world.new_account(services=(WALLET, CARD), callback_url="http://127.0.0.1:9/callbacks")
        yield Client(world.session, f"http://127.0.0.1:{port_of(listening)}", made.keys)
    finally:
        await api.stop()
        listening.close()


async def statuses(world: World, shop: Client) -> list[tuple[str, str]]:
    rows = await world.platform.pool.fetch(
        "SELECT status, resolution FROM invoices WHERE account_id = $1", shop.keys.id
    )
    return [(row["status"], row["resolution"]) for row in rows]


async def work(world: World, shop: Client) -> None:
    """Let the worker ask about what is due."""
    await world.ask(await world.platform.accounts.by_id(shop.keys.id))


def told(answer: Answer) -> tuple[int, object]:
    return answer.status, answer.document


@pytest.mark.parametrize("fault, body", TROUBLES)
@pytest.mark.parametrize("path", [INVOICES, PUBLIC_INVOICES])
async def test_a_bank_without_an_answer_is_told_to_the_letter_and_the_invoice_stands(
    world: World, shop: Client, path: str, fault: Fault, body: dict[str, list[dict[str, str]]]
) -> None:
    world.wire.fault = fault
    reference = str(uuid.uuid4())
    create = shop.create if path == INVOICES else shop.create_publicly
    failed = await create(service=WALLET, reference_id=reference)
    assert told(failed) == (int(body["errors"][0]["code"]), body)

    found = await shop.find(reference)
    assert found.status == HTTPStatus.OK
    (listed,) = found.data
    read = await shop.read(listed["id"])
    public = await shop.read_publicly(listed["id"])
    assert (read.attributes["status"], read.attributes["resolution"]) == ("created", "ok")
    assert (read.attributes["flow_data"], read.attributes["callback_logs"]) == (None, [])
    assert read.attributes["original_data"]["provider_code"] == "test"
    assert (public.data["status"], public.data["active_payment"]) == ("created", None)

    again = await create(service=WALLET, reference_id=reference)
    assert again.status == HTTPStatus.CONFLICT
    assert again.document["data"] == (read.data if path == INVOICES else public.data)
    assert len(world.wire.placed) == 1


@pytest.mark.parametrize("fault", [fault for fault, _ in TROUBLES])
async def test_the_worker_finds_out_what_the_caller_was_not_told(world: World, shop: Client, fault: Fault) -> None:
    world.wire.fault = fault
    await shop.create(service=WALLET, reference_id="one")
    world.wire.fault = None
    world.move_clock(seconds=3)
    await work(world, shop)
    if fault in HEARD:
        assert await statuses(world, shop) == [("process_pending", "ok")]
        (found,) = (await shop.find("one")).data
        page = found["attributes"]["flow_data"]
        assert (page["method"], page["action"].startswith(f"{world.wire.url}/wallets/")) == ("GET", True)
        assert next(iter(found["attributes"]["callback_logs"].values()))["transaction_status"] == "process_pending"
    else:
        assert await statuses(world, shop) == [("created", "ok")]
        world.move_clock(seconds=ABSENT_AFTER.total_seconds())
        await work(world, shop)
        assert await statuses(world, shop) == [("process_failed", "provider_error")]
        (found,) = (await shop.find("one")).data
        assert found["attributes"]["flow_data"] is None
        assert next(iter(found["attributes"]["callback_logs"].values()))["transaction_status"] == "process_failed"
    assert len(world.wire.placed) == 1


@pytest.mark.parametrize("fault", [fault for fault, _ in TROUBLES])
async def test_a_card_needs_nobodys_answer_to_be_asked_for(world: World, shop: Client, fault: Fault) -> None:
    world.wire.fault = fault
    assert (await shop.create(service=CARD)).status == HTTPStatus.CREATED
    assert world.wire.placed == []


async def test_a_wallets_refusal_is_an_invoice_that_has_failed(world: World, shop: Client) -> None:
    refused = await shop.create(service=WALLET, amount=500_001)
    assert refused.status == HTTPStatus.CREATED
    assert (refused.attributes["status"], refused.attributes["resolution"]) == ("process_failed", "limit_violation")
    assert (refused.attributes["flow_data"], refused.attributes["processed_amount"]) == (None, None)
    assert refused.attributes["failed"] is not None
    openly = await shop.create_publicly(service=WALLET, amount=500_001)
    assert (openly.data["status"], openly.data["resolution"], openly.data["active_payment"]) == (
        "process_failed",
        "LIMIT_VIOLATION",
        None,
    )


async def test_what_the_bank_said_word_for_word_stays_between_it_and_us(world: World, shop: Client) -> None:
    world.wire.fault = Fault.DOWN
    failed = await shop.create(service=WALLET)
    assert "503" not in failed.text
    assert "bank" not in failed.text.lower()
