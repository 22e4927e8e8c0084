"""What a public key may create, and how often ids may be guessed, from one address (real HTTP)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from kassa import app
from kassa.config import LIMITS
from kassa.serving.listening import Listener, bind, port_of
from tests.support import world as worlds
from tests.support.api import PUBLIC_INVOICES, Client, error_body
from tests.support.postgres import Database
from tests.support.visitor import Visitor
from tests.support.world import World

MOST = LIMITS["creations_by_address"]
FEW = 3
FORM = f"{PUBLIC_INVOICES}/process"
TOO_MANY = error_body(
    429, "Too Many Requests", title="Too Many Requests", detail="This was asked for too often: try again later."
)


@pytest.fixture(scope="module")
async def world(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A platform with the usual limits; proxies are believed."""
    home: Path = tmp_path_factory.mktemp("world")
    limits = {"creations_by_address": MOST, "misses_by_address": FEW}
    async with worlds.opened(module_database, home, **limits) as opened:
        yield opened


@pytest.fixture(scope="module")
async def base(world: World) -> AsyncIterator[str]:
    """All that answers under the base URL, behind a proxy of this machine."""
    listening = bind("127.0.0.1", 0, "the base's port")
    base_app = app.base_app(world.platform)
    server = Listener(base_app, listening, finish_seconds=1, trusted_proxies="127.0.0.1")
    await server.start()
    try:
        yield f"http://127.0.0.1:{port_of(listening)}"
    finally:
        await server.stop()
        listening.close()


@asynccontextmanager
async def at(address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client whose address a trusted proxy tells."""
    headers = {"X-Forwarded-For": f"203.0.113.1, {address}", "Origin": "https://shop.example"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield session


async def test_the_next_creation_of_a_minute_is_refused_for_this_key_and_address_alone(world: World, base: str) -> None:
    mine, theirs = await world.new_account(), await world.new_account()
    async with at("192.0.2.1") as here, at("192.0.2.2") as there:
        shop = Client(here, base, mine.keys)
        assert {(await shop.create_publicly()).status for _ in range(MOST)} == {201}
        refused = await shop.create_publicly(reference_id="one more")
        assert (refused.status, refused.document) == (429, TOO_MANY)
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["Access-Control-Expose-Headers"] == "Retry-After"
        form = await Visitor(here).send(f"{base}{FORM}", **{n: str(v) for n, v in shop.public_body().items()})
        assert (form.status, form.heading) == (429, "Too many attempts")
        assert 0 < int(form.headers["Retry-After"]) <= 60
        assert (await shop.find("one%20more")).status == 404
        assert (await shop.create()).status == 201
        assert (await Client(here, base, theirs.keys).create_publicly()).status == 201
        assert (await Client(there, base, mine.keys).create_publicly(reference_id="one more")).status == 201


async def test_what_is_wrong_and_what_is_private_counts_for_nothing(world: World, base: str) -> None:
    made = await world.new_account()
    async with at("192.0.2.3") as here:
        shop = Client(here, base, made.keys)
        assert {(await shop.create_publicly(amount=-1)).status for _ in range(MOST + 1)} == {422}
        assert {(await shop.create()).status for _ in range(FEW)} == {201}
        assert (await shop.create_publicly()).status == 201


@pytest.mark.parametrize("place", [f"{PUBLIC_INVOICES}/%s", "/hpp/result/%s", "/hpp/?cpi=%s"])
async def test_who_guesses_ids_is_not_answered_any_more_even_if_he_guesses_right(
    world: World, base: str, place: str
) -> None:
    made = await world.new_account()
    invoice = await world.invoice(made.account)
    address = f"192.0.2.{100 + len(place)}"
    async with at(address) as here, at("192.0.2.4") as there:

        async def status(session: aiohttp.ClientSession, invoice_id: str) -> int:
            async with session.get(base + place % invoice_id, allow_redirects=False) as answer:
                if answer.status == 429:
                    assert 0 < int(answer.headers["Retry-After"]) <= 60
                return answer.status

        assert {await status(here, invoice.invoice_id) for _ in range(FEW + 1)} <= {200, 303}
        guessed = [await status(here, f"cpi_{made.account.tag}{number:012}") for number in range(FEW + 1)]
        assert guessed == [404] * FEW + [429]
        assert await status(here, invoice.invoice_id) == 429
        assert await status(there, invoice.invoice_id) in {200, 303}


async def test_a_client_does_not_choose_the_address_that_he_is_counted_by(world: World, base: str) -> None:
    made = await world.new_account()
    statuses = []
    for number in range(FEW + 1):
        # What a client says of himself stands left of what the proxy has seen.
        headers = {"X-Forwarded-For": f"198.51.100.{number}, 192.0.2.5"}
        url = f"{base}{PUBLIC_INVOICES}/cpi_{made.account.tag}{number:012}"
        async with world.session.get(url, headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses == [404] * FEW + [429]
