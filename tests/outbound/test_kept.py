"""Connections that are kept for the next request: for what may be sent twice alone, and never past the guard."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from kassa.config import Settings
from kassa.errors import AddressRefused, ConnectionFailed
from kassa.outbound import Answer, Outbound
from kassa.outbound.addresses import Reach
from tests.support import names as nameservers
from tests.support.listener import Listen, Listener, Script
from tests.support.names import Names
from tests.support.waiting import until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
PUBLIC = "127.0.2.1"
"""An address that the operator opened, which stands for the public ones."""


class Shop:
    """A server that keeps connections, until it is told to hang up at the next request on a connection."""

    def __init__(self) -> None:
        self.hangs_up = False
        self.requests = 0
        self.closed = 0
        self.forging = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        forging = asyncio.create_task(self._forge(writer))
        try:
            while True:
                self.requests += 1
                if self.hangs_up:
                    return
                writer.write(OK)
                await reader.readuntil(b"\r\n\r\n")
        finally:
            self.closed += 1
            forging.cancel()

    async def _forge(self, writer: asyncio.StreamWriter) -> None:
        await self.forging.wait()
        writer.write(FORGED)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def listener(listen: Listen, shop: Shop) -> Listener:
    script: Script = shop.serve
    return await listen(script, host=PUBLIC)


@pytest.fixture
async def outbound(listener: Listener) -> AsyncIterator[Outbound]:
    async with Outbound(Settings(outbound_allow=f"{PUBLIC}/32", outbound_ports=str(listener.port))) as opened:
        yield opened


async def send(outbound: Outbound, url: str, *, method: str = "GET", repeatable: bool = True) -> Answer:
    return await outbound.request(
        method, url, headers={}, body=b"", timeout_seconds=20, guarded=True, repeatable=repeatable
    )


async def test_what_may_be_sent_twice_shares_a_connection_which_is_closed_soon(
    outbound: Outbound, listener: Listener, shop: Shop
) -> None:
    for method in ("GET", "POST", "GET"):
        assert (await send(outbound, listener.url, method=method)).body == b"ok"
    assert (listener.connections, shop.requests) == (1, 3)
    await until(lambda: shop.closed == 1, what="the end of the idle connection")


async def test_what_may_be_sent_once_connects_anew_each_time(outbound: Outbound, listener: Listener) -> None:
    await send(outbound, listener.url)
    for _ in range(3):
        await send(outbound, listener.url, method="PUT", repeatable=False)
    assert listener.connections == 4


async def test_another_port_of_the_host_has_a_connection_of_its_own(
    outbound: Outbound, listener: Listener, listen: Listen
) -> None:
    other = await listen(OK, host=PUBLIC)
    for url in (listener.url, other.url, listener.url):
        await send(outbound, url)
    assert (listener.connections, other.connections) == (1, 1)


async def test_a_kept_connection_that_turns_out_closed_is_replaced_once(
    outbound: Outbound, listener: Listener, shop: Shop
) -> None:
    await send(outbound, listener.url)
    shop.hangs_up = True
    # On the kept one, and on a new one, which is hung up on as well.
    with pytest.raises(ConnectionFailed):
        await send(outbound, listener.url, method="POST")
    assert (listener.connections, shop.requests) == (2, 2 + 1)
    # Nothing is kept now: one try.
    with pytest.raises(ConnectionFailed):
        await send(outbound, listener.url, method="POST")
    assert listener.connections == 3
    shop.hangs_up = False
    assert (await send(outbound, listener.url)).status == 200


async def test_an_answer_that_no_request_had_asked_for_is_nobodys(
    outbound: Outbound, listener: Listener, shop: Shop
) -> None:
    await send(outbound, listener.url)
    shop.forging.set()
    await until(lambda: came_unasked(outbound), what="the forged answer")
    shop.forging.clear()
    assert (await send(outbound, listener.url)).body == b"ok"
    assert listener.connections == 2


def came_unasked(outbound: Outbound) -> bool:
    connector = outbound._sessions[Reach.GUARDED, True].connector
    assert connector is not None
    return any(protocol.should_close for kept in connector._conns.values() for protocol, _ in kept)


@pytest.fixture
def names() -> Iterator[Names]:
    with nameservers.serving() as serving:
        yield serving


async def test_a_name_that_turns_inward_is_checked_again_with_each_new_connection(
    names: Names, outbound: Outbound, listener: Listener, shop: Shop, listen: Listen
) -> None:
    inner = []
    for host in ("127.0.0.1", "127.0.0.2"):
        with contextlib.suppress(OSError):  # another program may have the port there
            inner.append(await listen(OK, host=host, port=listener.port))
    names.addresses["shop.example"] = [[PUBLIC], ["127.0.0.1"]]
    url = f"http://shop.example:{listener.port}/"
    assert (await send(outbound, url)).status == 200
    # The kept connection leads to where it was checked to lead, and nothing is asked of the name.
    assert (await send(outbound, url)).status == 200
    assert (names.asked["shop.example", "A"], listener.connections) == (1, 1)
    shop.hangs_up = True
    with pytest.raises(AddressRefused):
        await send(outbound, url)
    with pytest.raises(AddressRefused):
        await send(outbound, url)
    assert listener.connections == 1
    assert sum(each.connections for each in inner) == 0
