"""Host-to-host when time is over, the bank says nothing, or the card's date is judged for real money."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import kassa.cardgate.app
from kassa.accounts.model import Account
from kassa.cardgate import operation
from kassa.errors import Invalid
from kassa.invoices.rules.invoice import Invoice
from kassa.serving.listening import Listener, bind, port_of
from tests.support import world as worlds
from tests.support.postgres import Database
from tests.support.wire import Fault
from tests.support.world import GOOD, World

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CARD = {"card_number": GOOD, "card_holder": "Jack Smith", "cvv": "123", "exp_month": "04", "exp_year": "30"}


@pytest.fixture(scope="module")
async def world(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A platform and a bank for the tests of this file; nobody waits 20 seconds for an answer."""
    home: Path = tmp_path_factory.mktemp("world")
    async with worlds.opened(module_database, home, provider_seconds=1) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _line_works_and_time_is_real(world: World) -> Iterator[None]:
    yield
    world.wire.fault = None
    world.platform.clock.test_offset = timedelta()


@pytest.fixture
async def gate(world: World) -> AsyncIterator[str]:
    """The card gate on a port."""
    listening = bind("127.0.0.1", 0, "the gate's port")
    server = Listener(kassa.cardgate.app.create(world.platform), listening, finish_seconds=1)
    await server.start()
    try:
        yield f"http://127.0.0.1:{port_of(listening)}"
    finally:
        await server.stop()
        listening.close()


def token_of(world: World, invoice: Invoice) -> str:
    return world.platform.tokens.sign(invoice.session_id or "", invoice.expires_at)


async def sell(world: World, gate: str, token: str) -> tuple[int, dict[str, object]]:
    sent = json.dumps({"data": {"type": "sale-operation", "attributes": CARD}})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/vnd.api+json"}
    async with world.session.post(f"{gate}/payment/sale", data=sent, headers=headers) as answer:
        return answer.status, await answer.json()


async def opened(world: World) -> tuple[Account, Invoice]:
    account = await world.account()
    return account, await world.invoice(account)


async def test_a_token_ends_with_its_invoice_by_the_clock_of_its_mode(world: World, gate: str) -> None:
    _, invoice = await opened(world)
    token = token_of(world, invoice)
    world.move_clock(minutes=29)
    assert (await sell(world, gate, "x" + token))[0] == 401
    world.move_clock(minutes=2)
    assert await sell(world, gate, token) == (401, {"errors": [{"status": "Unauthorized", "code": "401"}]})


async def test_a_token_of_no_session_is_none(world: World, gate: str) -> None:
    account, invoice = await opened(world)
    for session_id in (f"cgi_{account.tag}000000000000", "cgi_0000000000000000", invoice.invoice_id):
        token = world.platform.tokens.sign(session_id, invoice.expires_at)
        assert (await sell(world, gate, token))[0] == 401


@pytest.mark.parametrize("fault", [Fault.LOSE, Fault.GARBLE, Fault.LOSE_ANSWER])
async def test_a_bank_without_an_answer_leaves_the_attempt_pending_and_nobody_charges_again(
    world: World, gate: str, fault: Fault
) -> None:
    _, invoice = await opened(world)
    world.wire.placed.clear()
    world.wire.fault = fault
    status, document = await sell(world, gate, token_of(world, invoice))
    assert (status, document["status"], document["auth_payload"]) == (201, "process_pending", None)
    world.wire.fault = None
    status, document = await sell(world, gate, token_of(world, invoice))
    assert status == 409
    assert len(world.wire.placed) == 1


def refused(**changes: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    sale = operation.read({**CARD, **changes}, errors)
    with pytest.raises(Invalid) as caught:
        operation.check(sale, errors, now=NOW, test_mode=False, lengths=())
    return caught.value.errors


def test_for_real_money_a_card_is_good_through_its_month_and_not_for_ever() -> None:
    assert refused(exp_month="10", exp_year="26") == {"exp_year": "This card has expired."}
    assert refused(exp_year="2047") == {"exp_year": "This year is too far ahead."}
    sale = operation.read({**CARD, "exp_month": "11", "exp_year": "2026"}, {})
    card = operation.check(sale, {}, now=NOW, test_mode=False, lengths=())
    assert (card.expiry_month, card.expiry_year, card.holder) == (11, 2026, "Jack Smith")


def test_a_sale_prints_nothing_of_its_card() -> None:
    sale = operation.read(CARD, {})
    assert GOOD not in f"{sale} {sale!r}"
