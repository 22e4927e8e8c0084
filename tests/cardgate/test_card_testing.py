"""Whoever tries stolen cards out is held up, and an honest payer of the same account is not (real HTTP)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import kassa.cardgate.app
from kassa.accounts.model import Account
from kassa.config import LIMITS
from kassa.errors import TooMany
from kassa.invoices.document import building as document
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.tables import payments as queries
from kassa.serving.listening import Listener, bind, port_of
from tests.support import world as worlds
from tests.support.cards import new_number
from tests.support.postgres import Database
from tests.support.world import BAD, GOOD, World

HOUR = 3600
OF_PAYER, OF_CARD, OF_ACCOUNT = 6, 6, 20


@pytest.fixture(scope="module")
async def world(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A platform with limits on declines, and a bank."""
    limits = {"declines_by_address": OF_PAYER, "declines_by_card": OF_CARD, "declines_by_account": OF_ACCOUNT}
    async with worlds.opened(module_database, tmp_path_factory.mktemp("world"), **limits) as opened:
        yield opened


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[str]:
    """Run the card gate on a port."""
    listening = bind("127.0.0.1", 0, "the gate's port")
    server = Listener(kassa.cardgate.app.create(world.platform), listening, finish_seconds=1)
    await server.start()
    try:
        yield f"http://127.0.0.1:{port_of(listening)}"
    finally:
        await server.stop()
        listening.close()


@asynccontextmanager
async def browser(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a browser at an address of this machine."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(address, 0))) as session:
        yield session


async def send(
    session: aiohttp.ClientSession, gate: str, invoice: Invoice, card: str, *, number: int = 1, expiry: str = "12/30"
) -> tuple[int, str, str]:
    """Send the card form; return status, ``Retry-After`` and text."""
    form = {"number": str(number), "card_number": card, "expiry": expiry, "cvc": "123"}
    url = f"{gate}/hpp/{invoice.session_id}"
    async with session.post(url, data=form, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Retry-After", ""), await answer.text()


async def bot(world: World, gate: str, account: Account, address: str, cards: int) -> list[int]:
    """Try so many new cards out from one address, each on an invoice that takes a first attempt."""
    statuses = []
    invoice = await world.invoice(account)
    async with browser(address) as session:
        for _ in range(cards):
            status, _, _ = await send(session, gate, invoice, new_number("4"))
            statuses.append(status)
            if status == 303:
                invoice = await world.invoice(account)
    return statuses


async def test_ten_bots_get_sixty_cards_tried_and_an_honest_payer_pays(database: Database, tmp_path: Path) -> None:
    defaults = {name: limit for name, limit in LIMITS.items() if name.startswith("declines_")}
    async with worlds.opened(database, tmp_path, **defaults) as world, serving(world) as gate:
        account = await world.account()
        tried = await asyncio.gather(*(bot(world, gate, account, f"127.0.1.{n}", 15) for n in range(1, 11)))
        assert {status for statuses in tried for status in statuses} == {303, 429}
        assert LIMITS["declines_by_account"] <= len(world.wire.placed) <= 60
        invoice = await world.invoice(account)
        async with browser("127.0.2.1") as session:
            assert (await send(session, gate, invoice, GOOD))[0] == 303
        assert (await world.changes(invoice)).status == "processed"


async def attack(world: World, account: Account) -> None:
    """Have as many cards declined as make an attack, from as many addresses."""
    for number in range(OF_ACCOUNT):
        await world.pay(await world.invoice(account), card=new_number("4"), client_ip=f"198.51.100.{number}")


async def resolutions(world: World, invoice: Invoice) -> tuple[str, Any]:
    """Return what the public document and the merchant's say of an invoice's latest attempt."""
    view = await world.view(invoice)
    account = await world.platform.accounts.by_id(invoice.account_id)
    shown = document.public(world.platform, account, view).data
    assert shown.active_payment is not None
    assert view.payment is not None
    return shown.active_payment.resolution, view.payment.resolution


async def test_an_account_under_attack_tells_no_reasons_and_lets_nobody_try_twice(world: World) -> None:
    account = await world.account()
    before = await world.invoice(account)
    async with serving(world) as gate, browser("127.0.2.1") as early, browser("127.0.2.2") as late:
        assert (await send(early, gate, before, new_number()))[0] == 303
        assert await resolutions(world, before) == ("INVALID_CARD", "invalid_card")
        await attack(world, account)
        after = await world.invoice(account)
        assert (await send(late, gate, after, BAD, expiry="05/29"))[0] == 303
        told = await page(late, gate, after)
        assert ("Your card has insufficient funds" in told, "declined" in told) == (False, True)
        assert await resolutions(world, after) == ("GENERAL_DECLINE", "insufficient_funds")
        # One decline is enough to wait now, from before the attack too.
        for session, invoice in ((early, before), (late, after)):
            status, wait, text = await send(session, gate, invoice, GOOD, number=2)
            assert (status, "Too many attempts" in text) == (429, True)
            assert HOUR - 60 <= int(wait) <= HOUR
        assert (await world.changes(after)).attempts == ["process_failed"]
        world.move_clock(seconds=HOUR)
        last = await world.invoice(account)
        assert (await send(late, gate, last, BAD, expiry="05/29"))[0] == 303
        assert "Your card has insufficient funds" in await page(late, gate, last)


async def page(session: aiohttp.ClientSession, gate: str, invoice: Invoice) -> str:
    async with session.get(f"{gate}/hpp/{invoice.session_id}") as answer:
        return await answer.text()


async def test_the_last_decline_is_reason_hidden_in_the_invoice_too(world: World) -> None:
    account = await world.account()
    await attack(world, account)
    invoice = await world.invoice(account, gateway_options={"cardgate": {"retry_limit": 1}})
    await world.pay(invoice, card=BAD, expiry="05/29", client_ip="203.0.113.1")
    view = await world.view(invoice)
    assert (view.invoice.status, view.invoice.resolution) == ("process_failed", "insufficient_funds")
    public = document.public(world.platform, account, view).data
    assert public.resolution == "GENERAL_DECLINE"
    merchants = document.private(world.platform, account, view).data.attributes
    assert merchants.resolution == "insufficient_funds"


async def declined(world: World, account: Account, card: str, client_ip: str) -> bool:
    """Pay with a card that is no good; tell whether it was tried."""
    invoice = await world.invoice(account)
    try:
        await world.pay(invoice, card=card, client_ip=client_ip)
    except TooMany:
        assert (await world.changes(invoice)).attempts == []
        return False
    return True


async def test_a_payer_waits_for_his_account_alone_and_his_whole_network_does(world: World) -> None:
    account, other = await world.account(), await world.account()
    of_network = [f"2001:db8::{number}" for number in range(1, 8)]
    tried = [await declined(world, account, new_number(), address) for address in of_network]
    assert tried == [True] * OF_PAYER + [False]
    assert await declined(world, account, new_number(), "2001:db8:0:1::1")
    assert await declined(world, other, new_number(), "2001:db8::1")
    world.move_clock(seconds=HOUR)
    assert await declined(world, account, new_number(), "2001:db8::1")


async def test_a_card_waits_wherever_it_comes_from(world: World) -> None:
    account, card = await world.account(), new_number()
    tried = [await declined(world, account, card, f"192.0.2.{number}") for number in range(OF_CARD + 1)]
    assert tried == [True] * OF_CARD + [False]
    assert await declined(world, account, new_number(), "192.0.2.200")


async def test_what_is_paid_or_undecided_is_no_decline(world: World) -> None:
    account = await world.account()
    for _ in range(OF_PAYER):
        await world.pay(await world.invoice(account))
        await world.pay(await world.invoice(account), expiry="07/77")
    invoice = await world.invoice(account)
    await world.pay(invoice)
    assert (await world.changes(invoice)).status == "processed"


async def sell(
    session: aiohttp.ClientSession, gate: str, world: World, invoice: Invoice, payer: str | None
) -> tuple[int, str, Any]:
    """Send a new card host to host."""
    token = world.platform.tokens.sign(invoice.session_id or "", invoice.expires_at)
    card: dict[str, object] = {"card_number": new_number(), "cvv": "123", "exp_month": "04", "exp_year": "30"}
    if payer is not None:
        card["browser_info"] = {"browser_ip": payer}
    sent = json.dumps({"data": {"type": "sale-operation", "attributes": card}})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with session.post(f"{gate}/payment/sale", data=sent, headers=headers) as answer:
        return answer.status, answer.headers.get("Retry-After", ""), await answer.json()


async def test_a_merchants_server_is_nobodys_address_and_the_payers_it_tells_are_counted(world: World) -> None:
    account = await world.account()
    answers: list[tuple[int, str, Any]] = []
    async with serving(world) as gate:
        for payer, expected in ((None, [201] * 8), ("192.0.2.7", [201] * OF_PAYER + [429] * 2)):
            answers = [await sell(world.session, gate, world, await world.invoice(account), payer) for _ in range(8)]
            assert [status for status, _, _ in answers] == expected
        _, wait, body = answers[-1]
        assert HOUR - 60 <= int(wait) <= HOUR
        detail = "This was asked for too often: try again later."
        assert body == {
            "errors": [
                {"status": "Too Many Requests", "code": "429", "title": "Too Many Requests", "detail": detail},
            ]
        }


async def test_who_has_made_the_invoice_himself_is_not_believed_whose_card_it_is(world: World) -> None:
    account = await world.account()
    async with serving(world) as gate:
        statuses = []
        for number in range(OF_PAYER + 1):
            invoice = await world.invoice(account)
            await world.platform.pool.execute(
                "UPDATE invoices SET source = 'platform_public_api' WHERE account_id = $1 AND invoice_id = $2",
                account.account_id,
                invoice.invoice_id,
            )
            statuses.append((await sell(world.session, gate, world, invoice, f"192.0.2.{number}"))[0])
        assert statuses == [201] * OF_PAYER + [429]


async def test_cards_from_one_address_have_a_rate_over_all_accounts(database: Database, tmp_path: Path) -> None:
    async with worlds.opened(database, tmp_path, attempts_by_address=3) as world, serving(world) as gate:  # noqa: SIM117 - it is one line too long
        async with browser("127.0.2.1") as session, browser("127.0.2.2") as other:
            answers = [await send(session, gate, await world.invoice(await world.account()), GOOD) for _ in range(5)]
            assert [status for status, _, _ in answers] == [303] * 3 + [429] * 2
            assert 0 < int(answers[-1][1]) <= 60
            assert (await send(other, gate, await world.invoice(await world.account()), GOOD))[0] == 303


async def test_the_question_walks_indexes(world: World, module_database: Database) -> None:
    account = await world.account()
    async with module_database.pool.acquire() as connection:
        await connection.execute("SET enable_seqscan = off")
        values = (account.account_id, True, world.platform.clock.real(), "192.0.2.1", b"", 6, 6, 100)
        rows = await connection.fetch(f"EXPLAIN {queries._DECLINES}", *values)
        await connection.execute("RESET enable_seqscan")
    told = "\n".join(row[0] for row in rows)
    for index in ("payments_declined_payer", "payments_declined_card", "payments_cards"):
        assert f"using {index} " in told, told
    assert "Sort" not in told
