import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from starlette.responses import PlainTextResponse

from kassa.errors import PortTaken, SettingsWrong
from kassa.serving.listening import Listener, bind, port_of


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server that answers everything with one word."""
    taken = bind("127.0.0.1", 0, "PORT")
    listener = Listener(PlainTextResponse("hello"), taken, finish_seconds=1)
    await listener.start()
    yield port_of(taken)
    await listener.stop()


async def send(port: int, text: bytes) -> bytes:
    """Return all that comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


async def test_an_honest_client_is_answered_without_the_servers_name(port: int) -> None:
    answer = await send(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b"hello")
    assert b"uvicorn" not in answer


async def test_several_requests_go_over_one_connection(port: int) -> None:
    one = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert (await send(port, one + one + last)).count(b"hello") == 3


def test_a_port_is_taken_from_the_first_moment() -> None:
    with bind("127.0.0.1", 0, "PORT") as taken, pytest.raises(PortTaken, match="set PORT to another one"):
        bind("127.0.0.1", port_of(taken), "PORT")


def test_an_address_that_is_not_ours_is_told_in_one_sentence() -> None:
    with pytest.raises(SettingsWrong, match=r"Kassa cannot listen on 192\.0\.2\.1, port 0: .*\. Set HOST\."):
        bind("192.0.2.1", 0, "PORT", "HOST")


def test_a_port_past_the_last_one_is_refused() -> None:
    with pytest.raises(SettingsWrong, match="There is no port 65536 for PORT"):
        bind("127.0.0.1", 65536, "PORT")


REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def listener() -> AsyncIterator[tuple[Listener, socket.socket]]:
    with bind("127.0.0.1", 0, "PORT") as taken:
        listener = Listener(PlainTextResponse("hello"), taken, finish_seconds=2)
        await listener.start()
        yield listener, taken
        await listener.stop()


class Peer:
    """A client whose connection is open as long as the test is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, text: bytes) -> None:
        self._writer.write(text)

    async def answer(self) -> bytes:
        """Return one answer."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 60)
        return head + await asyncio.wait_for(self._reader.readexactly(len("hello")), 60)

    async def rest(self) -> bytes:
        """Return all that comes until the server hangs up."""
        return await asyncio.wait_for(self._reader.read(), 60)

    def close(self) -> None:
        self._writer.close()


@pytest.fixture
def connect(listener: tuple[Listener, socket.socket]) -> Iterator[Callable[..., Awaitable[Peer]]]:
    peers, port = [], port_of(listener[1])

    async def connected(sock: socket.socket | None = None) -> Peer:
        to = {"sock": sock} if sock else {"host": "127.0.0.1", "port": port}
        peers.append(Peer(*await asyncio.open_connection(**to)))
        return peers[-1]

    yield connected
    for peer in peers:
        peer.close()


async def test_a_server_that_drains_answers_everyone_for_the_last_time(
    listener: tuple[Listener, socket.socket], connect: Callable[..., Awaitable[Peer]]
) -> None:
    known = await connect()
    known.say(REQUEST)
    assert b"connection: close" not in await known.answer()
    listener[0].drain()
    known.say(REQUEST)
    assert b"connection: close" in await known.rest()
    new = await connect()
    new.say(REQUEST)
    assert b"connection: close" in await new.rest()


async def test_a_client_that_connected_before_the_end_is_answered_after_it(
    listener: tuple[Listener, socket.socket], connect: Callable[..., Awaitable[Peer]]
) -> None:
    server, taken = listener
    silent, halfway, idle = [await connect() for _ in range(3)]
    for peer in (halfway, idle):
        peer.say(REQUEST)
        await peer.answer()
    halfway.say(REQUEST[:20])
    # Once this is answered, the server has the half as well.
    idle.say(REQUEST)
    await idle.answer()
    # Made by the system alone: the server has no moment to hear of it before it closes.
    unheard = socket.create_connection(taken.getsockname())
    closing = asyncio.create_task(server._server.shutdown([taken]))
    assert await idle.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        await connect()
    late = await connect(unheard)
    halfway.say(REQUEST[20:])
    for peer in (silent, late):
        peer.say(REQUEST)
    for peer in (halfway, silent, late):
        assert (await peer.rest()).startswith(b"HTTP/1.1 200 OK")
    await closing


async def test_a_client_that_stays_silent_does_not_hold_up_the_end(
    listener: tuple[Listener, socket.socket], connect: Callable[..., Awaitable[Peer]]
) -> None:
    silent = await connect()
    await asyncio.wait_for(listener[0].stop(), 60)
    assert await silent.rest() == b""
