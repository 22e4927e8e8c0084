"""A card number, whatever way it came in and whatever went wrong, is nowhere afterwards; nor is its code (G8, P10)."""

import asyncio
import base64
import gzip
import json
import secrets
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import asyncpg
import psutil
import pytest

from kassa.cardgate.brands import grouped
from tests.support import canaries
from tests.support.api import Client
from tests.support.cards import new_number
from tests.support.life import Life, lived
from tests.support.merchant import Merchant
from tests.support.visitor import Page, Visitor, visiting
from tests.support.waiting import until
from tests.support.wire import Fault
from tests.support.world import GOOD, GOOD_SECURE

FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
FAULTS: Final = (Fault.LOSE, Fault.LOSE_ANSWER, Fault.GARBLE, Fault.DOWN)
TEST_CARDS: Final = ("a test card", "a test card with 3-D Secure")
"""Ways of the cards that every card page of test mode shows."""
CODE: Final = "".join(secrets.choice("123456789") for _ in range(3))


@pytest.fixture(scope="module")
async def kassa(folders: Callable[[], Path]) -> AsyncIterator[Life]:
    """A Kassa of this file's own, which refuses a card that was declined."""
    async with lived(folders()) as life:
        life.environment["KASSA_DECLINES_BY_CARD"] = "1"
        await life.start()
        yield life


@dataclass(kw_only=True)
class Loose:
    """Canaries that were let loose, and whatever came back meanwhile."""

    kassa: Life
    shop: Client
    payer: Visitor
    session: aiohttp.ClientSession
    numbers: dict[str, str] = field(default_factory=dict)
    """By the way that each went, so that what is found tells it."""
    came_back: dict[str, bytes] = field(default_factory=dict)

    @property
    def gate(self) -> str:
        """The card gate's address."""
        return self.kassa.serving.served.gate_url

    def new(self, way: str, first: str = "4", length: int = 16) -> str:
        """Return a number of its own for a way."""
        self.numbers[way] = new_number(first, length)
        return self.numbers[way]

    def text(self, way: str) -> str:
        """Return a security code that is none, and can be found by itself."""
        self.numbers[f"code of {way}"] = f"{CODE}-canary-{secrets.token_hex(8)}"
        return self.numbers[f"code of {way}"]

    async def invoice(self, **changes: Any) -> tuple[str, str]:
        """Create an invoice, and return the card page's address and the token."""
        flow = (await self.shop.create(**changes)).attributes["flow_data"]
        return flow["action"], flow["metadata"]["token"]

    async def page(self, way: str, number: str, **entered: str) -> Page:
        """Send a card by the page's form, and keep all that the payer sees."""
        url, _ = await self.invoice()
        page = await self.payer.open(url)
        page = await self.payer.press(page, **{"card_number": number, "expiry": "12/30", "cvc": CODE, **entered})
        again = await self.payer.open(url)
        self.came_back[way] = f"{page.url}\n{page.headers}\n{page.text}\n{again.text}".encode()
        return page

    async def ask(self, way: str, url: str, body: bytes | None, headers: dict[str, str], method: str = "POST") -> int:
        """Send anything, and keep the answer."""
        async with self.session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer:
            self.came_back[way] = f"{answer.headers}".encode() + await answer.read()
            return answer.status

    async def sale(self, way: str, *, cut: int | None = None, **changes: object) -> int:
        """Send a card host to host."""
        _, token = await self.invoice()
        card = {"card_number": self.numbers[way], "cvv": CODE, "exp_month": "12", "exp_year": "30", **changes}
        body = json.dumps({"data": {"type": "sale-operation", "attributes": card}}).encode()[:cut]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return await self.ask(way, f"{self.gate}/payment/sale", body, headers)


@pytest.fixture
async def loose(kassa: Life, merchant: Merchant) -> AsyncIterator[Loose]:
    """Somebody who lets canaries loose."""
    async with visiting() as payer, aiohttp.ClientSession() as session:
        shop = await kassa.office.account(callback_url=merchant.url)
        yield Loose(kassa=kassa, shop=shop, payer=payer, session=session)


async def honestly(loose: Loose) -> None:
    """Take every way as it is meant."""
    assert (await loose.page("declined", loose.new("declined"))).status == 200
    spaced = grouped(loose.new("spaced", "34", 15))
    assert (await loose.page("spaced", spaced, cvc=f"{CODE}1")).status == 200
    assert (await loose.page("again", loose.numbers["declined"])).status == 429
    for way, number in zip(TEST_CARDS, (GOOD, GOOD_SECURE), strict=True):
        loose.numbers[way] = number
        page = await loose.page(way, number)
        if page.forms:
            await loose.payer.press(page, "approve")
    loose.new("sale")
    assert await loose.sale("sale") == 201
    assert await loose.sale("sale") == 429


async def wrongly(loose: Loose) -> None:
    """Take every way as it is not meant."""
    number = loose.new("refused")
    assert (await loose.page("refused", number, expiry="99/99", cvc=loose.text("refused"))).status == 422
    number = loose.new("in every field")
    assert (await loose.page("in every field", number, expiry=number, cvc=number)).status == 422
    strange: dict[str, dict[str, Any]] = {
        "sale refused": {"cvv": loose.text("sale refused"), "exp_month": "13"},
        "sale in every field": dict.fromkeys(("exp_month", "exp_year", "cvv", "card_holder"), new_number()),
        "sale with strange members": {"pan": new_number(), "browser_info": {"browser_ip": new_number()}},
        "sale as a number": {"exp_month": "0"},
    }
    for way, changes in strange.items():
        loose.new(way)
        loose.numbers |= {f"{name} of {way}": str(each) for name, each in changes.items() if len(str(each)) == 16}
        number = loose.numbers[way]
        sent = {"card_number": int(number)} if way == "sale as a number" else {}
        assert await loose.sale(way, **{**changes, **sent}) in {201, 422}, way
    loose.new("sale cut")
    assert await loose.sale("sale cut", cut=-4) == 400
    url, token = await loose.invoice()
    for way, place, headers in (
        ("form as JSON", url, {"Content-Type": "application/json"}),
        ("form in parts", url, {"Content-Type": "multipart/form-data; boundary=x"}),
        ("form in another alphabet", url, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-7"}),
        ("form packed", url, {**FORM, "Content-Encoding": "gzip"}),
        ("form as a sale", f"{loose.gate}/payment/sale", {**FORM, "Authorization": f"Bearer {token}"}),
        ("form to nobody", f"{loose.gate}/hpp/cgi_0000000000000000", FORM),
        ("form to a wrong address", f"{loose.gate}/hpp", FORM),
        ("form to the return", f"{url}/return", FORM),
        ("form to the checkout", f"{loose.shop.base_url}/public-api/payment-invoices/process", FORM),
    ):
        body = urlencode({"number": "1", "card_number": loose.new(way), "expiry": "12/30", "cvc": loose.text(way)})
        await loose.ask(way, place, body.encode(), headers)
    query = urlencode({"card_number": loose.new("query"), "cvc": loose.text("query")})
    await loose.ask("query", f"{url}?{query}", None, {}, "GET")
    body = urlencode({"number": "1", "card_number": loose.new("too large"), "expiry": "12/30", "x": "x" * 20_000})
    assert await loose.ask("too large", url, body.encode(), FORM) == 413
    await hung_up(loose, url)


async def hung_up(loose: Loose, url: str) -> None:
    """Hang up in the middle of a form."""
    place = urlsplit(url)
    body = urlencode({"number": "1", "card_number": loose.new("hung up"), "cvc": CODE})
    head = (
        f"POST {place.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\nContent-Length: 999\r\n\r\n"
    )
    _, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write((head + body).encode())
    await writer.drain()
    writer.transport.abort()


async def in_trouble(loose: Loose) -> None:
    """Have something break at each step: the bank, our code, the database, the process."""
    wire = loose.kassa.wire
    for fault in FAULTS:
        wire.fault = fault
        way = f"bank {fault.name}"
        assert (await loose.page(way, loose.new(way))).status == 200
        loose.new(f"sale, {way}")
        assert await loose.sale(f"sale, {way}") == 201
    wire.fault = None
    owner = loose.kassa.office.owner
    for table, column in (("payments", "rrn"), ("payments", "payer_network"), ("invoices", "attempts")):
        way = f"defect in {table}.{column}"
        url, _ = await loose.invoice()
        loose.new(f"sale, {way}")
        _, token = await loose.invoice()
        await owner.execute(f"ALTER TABLE {table} RENAME {column} TO gone")
        body = urlencode({"number": "1", "card_number": loose.new(way), "expiry": "12/30", "cvc": CODE}).encode()
        assert await loose.ask(way, url, body, FORM) == 500
        card = {"card_number": loose.numbers[f"sale, {way}"], "cvv": CODE, "exp_month": "12", "exp_year": "30"}
        sent = json.dumps({"data": {"attributes": card}}).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        assert await loose.ask(f"sale, {way}", f"{loose.gate}/payment/sale", sent, headers) == 500
        await owner.execute(f"ALTER TABLE {table} RENAME gone TO {column}")


async def in_death(loose: Loose) -> None:
    """Kill the database while cards come in, then Kassa itself while it asks the bank about one."""
    kassa = loose.kassa
    places = [(await loose.invoice())[0] for _ in range(8)]
    kassa.kill_postmaster()
    for number, url in enumerate(places):
        way = f"database killed {number}"
        body = urlencode({"number": "1", "card_number": loose.new(way), "expiry": "12/30", "cvc": CODE}).encode()
        assert await loose.ask(way, url, body, FORM) in {303, 500, 503}
    await until(kassa.ready, what="the database's return")
    kassa.wire.fault = Fault.HOLD
    url, _ = await loose.invoice()
    body = urlencode({"number": "1", "card_number": loose.new("killed"), "expiry": "12/30", "cvc": CODE}).encode()
    asking = asyncio.create_task(loose.ask("killed", url, body, FORM))
    await kassa.wire.held.wait()
    looked_at(loose, "processes while a card is under way", processes(kassa))
    await kassa.kill()
    with suppress(aiohttp.ClientError):
        await asking
    kassa.wire.fault = None
    kassa.wire.let_go.set()
    await kassa.start()


def processes(kassa: Life) -> bytes:
    """Return what the system tells of every process of Kassa's to whoever may ask."""
    ours = psutil.Process(kassa.serving.process.pid)
    told = []
    for process in (ours, *ours.children(recursive=True)):
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                told.append(Path(f"/proc/{process.pid}/{name}").read_bytes())
    assert any(told)
    return b"\n".join(told)


async def dump(kassa: Life) -> bytes:
    """Return every row of every table as text."""
    owner: asyncpg.Pool = kassa.office.owner
    names = await owner.fetch("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'public'")
    lines: list[str] = []
    for name in names:
        rows = await owner.fetch(f'SELECT row::text FROM "{name["tablename"]}" AS row')
        lines += [f"{name['tablename']} {row[0]}" for row in rows]
    assert len(lines) > 100
    return "\n".join(lines).encode()


def looked_at(loose: Loose, place: str, data: bytes, *, shown: tuple[str, ...] = ()) -> None:
    """Look for every canary in a place but for those that it shows everyone."""
    numbers = {way: number for way, number in loose.numbers.items() if way not in shown}
    assert canaries.found(data, numbers) == [], f"canaries in {place}"
    assert not canaries.code_found(data.decode(errors="replace"), CODE), f"the security code in {place}"


async def test_no_card_is_anywhere_afterwards(loose: Loose, merchant: Merchant) -> None:
    await honestly(loose)
    await wrongly(loose)
    await in_trouble(loose)
    await in_death(loose)
    await merchant.wait_for_count(30)
    assert len(loose.numbers) > 40
    for way, data in loose.came_back.items():
        looked_at(loose, f"what came back: {way}", data, shown=TEST_CARDS)
    callbacks = b"\n".join(f"{each.path}\n{each.headers}\n".encode() + each.body for each in merchant.received)
    looked_at(loose, "callbacks", callbacks)
    looked_at(loose, "the database's rows", await dump(loose.kassa))
    looked_at(loose, "processes", processes(loose.kassa))
    async with loose.session.get(f"{loose.shop.base_url}/metrics") as answer:
        looked_at(loose, "metrics", await answer.read())
    files = [path for path in loose.kassa.folder.rglob("*") if path.is_file() and "binaries" not in str(path)]
    assert {"stderr.log", "stdout.log"} <= {path.name for path in files}
    assert any(path.parent.name == "bank" for path in files)
    for path in files:
        with suppress(FileNotFoundError):  # the database has removed it meanwhile
            data = path.read_bytes()
            of_database = "data" in path.parts
            shown = TEST_CARDS if path.name == "stdout.log" else ()  # the greeting names a test card
            looked_at(loose, f"the file {path.name}", canaries.rough(data) if of_database else data, shown=shown)


NUMBER: Final = new_number()


@pytest.mark.parametrize("form", canaries.forms(NUMBER))
def test_a_canary_is_found_in_every_form(form: str) -> None:
    data = b"before 12 " + canaries.forms(NUMBER)[form] + b" after 34"
    assert f"a way, {form}" in canaries.found(data, {"a way": NUMBER})
    assert canaries.found(data, {"a way": new_number()}) == []


@pytest.mark.parametrize("before", [b"", b"a", b"ab"])
def test_a_canary_is_found_in_packed_text_and_wherever_base64_begins(before: bytes) -> None:
    for data in (
        base64.b64encode(before + NUMBER.encode() + b"..."),
        b"log: " + gzip.compress(before + NUMBER.encode()),
        b"log: " + zlib.compress(before + NUMBER.encode()) + b" more",
    ):
        assert canaries.found(data, {"a way": NUMBER}) != []


def test_the_forms_are_many() -> None:
    assert len(canaries.forms(NUMBER)) >= 12


@pytest.mark.parametrize(
    "text", ['{"cvv": "CODE"}', "cvc=CODE&x=1", "CVV2: CODE", "{'cvc': 'CODE'}", 'security_code="CODE"']
)
def test_a_code_is_found_by_its_name(text: str) -> None:
    assert canaries.code_found(text.replace("CODE", CODE), CODE)
    assert not canaries.code_found(text.replace("CODE", f"{CODE}9"), CODE)
