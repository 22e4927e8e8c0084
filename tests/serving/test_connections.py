"""Slow clients: each is cut by the deadline for what is theirs to do, and none takes the room of all (raw sockets)."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from kassa.errors import SettingsWrong
from kassa.serving import connections
from kassa.serving.connections import Deadlines
from kassa.serving.limits import ConnectionLimits
from kassa.serving.listening import Listener, bind, port_of

SHORT = Deadlines(idle_seconds=1, head_seconds=1, request_seconds=2, write_seconds=1)
LONG_SECONDS = 60
"""Far longer than any deadline of these tests, and what one that does not hold fails by."""
DRIP_SECONDS = 0.05
PIECE_BYTES = 64 * 1024

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

Serve = Callable[..., Awaitable[int]]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer when the body is there; or at once, with as many bytes as the query names."""
    request = Request(scope, receive)
    length = int(request.url.query or "0")
    with contextlib.suppress(Exception):
        response: Response = StreamingResponse(_pieces(length)) if length else PlainTextResponse("hello")
        if not length:
            await request.body()
        await response(scope, receive, send)


async def _pieces(length: int) -> AsyncIterator[bytes]:
    for start in range(0, length, PIECE_BYTES):
        yield b"x" * min(PIECE_BYTES, length - start)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Run servers on ports of their own."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(*, deadlines: Deadlines = SHORT, limits: ConnectionLimits | None = None) -> int:
            taken = stack.enter_context(bind("127.0.0.1", 0, "PORT"))
            listener = Listener(echo, taken, finish_seconds=1, deadlines=deadlines, limits=limits)
            await listener.start()
            stack.push_async_callback(listener.stop)
            return port_of(taken)

        yield start


async def connect(port: int, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))


async def dripped(port: int, start: bytes, drop: bytes) -> bytes:
    """Send a start, then a drop every now and then for as long as the server takes it; return what came back."""
    reader, writer = await connect(port)
    answer = bytearray()

    async def read() -> None:
        while piece := await reader.read(65536):
            answer.extend(piece)

    reading = asyncio.create_task(read())
    try:
        async with asyncio.timeout(LONG_SECONDS):
            writer.write(start)
            while not reading.done():
                if drop:
                    writer.write(drop)
                await asyncio.wait({reading}, timeout=DRIP_SECONDS)
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
    return bytes(answer)


SLOW = {
    "says nothing": (b"", b"", 0),
    "sends empty lines": (b"", b"\r\n", 0),
    "stops within a head": (GET[:-2], b"", 0),
    "drips a head": (GET[:-2] + b"X: ", b"x", 0),
    "drips headers": (GET[:-2], b"X-A: 1\r\n", 0),
    "drips an address": (b"GET /", b"a", 0),
    "stops within a body": (POST, b"", 0),
    "drips a body": (POST, b"x", 0),
    "drips chunks": (CHUNKED, b"1\r\nx\r\n", 0),
    "drips the size of a chunk": (CHUNKED, b"0", 0),
    "drips trailers": (CHUNKED + b"0\r\n", b"X-A: 1\r\n", 0),
    "idles after an answer": (GET, b"", 1),
    "sends empty lines after an answer": (GET, b"\r\n", 1),
    "drips a head after an answer": (GET + GET[:-2], b"X-A: 1\r\n", 1),
    "drips a body after an answer": (GET + POST, b"x", 1),
    "drips a body that was answered early": (POST.replace(b"/ ", b"/?9 "), b"x", 1),
    "idles after a body that was answered early": (POST.replace(b"/ ", b"/?9 ").replace(b"1000", b"3"), b"\r\n", 1),
}


async def test_every_slow_client_is_cut(serve: Serve) -> None:
    port = await serve()
    cut = await asyncio.gather(*(dripped(port, start, drop) for start, drop, _ in SLOW.values()))
    answers = {name: answer.count(b" 200 OK") for name, answer in zip(SLOW, cut, strict=True)}
    assert answers == {name: expected for name, (_, _, expected) in SLOW.items()}


@pytest.mark.parametrize("more", [b"", GET, GET[:-2]], ids=["nothing", "a request", "the most of a request"])
async def test_a_client_that_does_not_read_is_cut(serve: Serve, more: bytes) -> None:
    port = await serve()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)  # noqa: FBT003  # it takes no name
        loop = asyncio.get_running_loop()
        await loop.sock_connect(deaf, ("127.0.0.1", port))
        await loop.sock_sendall(deaf, GET.replace(b"/ ", b"/?20000000 ") + more)
        # Its own side of the connection tells of the cut without a byte being read.
        await asyncio.wait_for(_broken(deaf), LONG_SECONDS)


async def _broken(deaf: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while True:
            await loop.sock_sendall(deaf, b"\r\n")
            await asyncio.wait({loop.create_future()}, timeout=DRIP_SECONDS)


async def test_an_honest_client_may_take_its_time_within_the_deadlines(serve: Serve) -> None:
    deadlines = Deadlines(idle_seconds=60, head_seconds=60, request_seconds=60, write_seconds=60)
    reader, writer = await connect(await serve(deadlines=deadlines))
    for piece in (b"POST / HT", b"TP/1.1\r\nHost: x\r\nContent-Le", b"ngth: 3\r\n\r\na", b"b", b"c"):
        writer.write(piece)
        await writer.drain()
        await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=DRIP_SECONDS)
    answer = await asyncio.wait_for(reader.readuntil(b"hello"), LONG_SECONDS)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_no_stage_gives_more_than_fifteen_seconds_in_all() -> None:
    deadlines = Deadlines()
    assert deadlines.idle_seconds + deadlines.request_seconds <= 15
    assert deadlines.head_seconds <= deadlines.request_seconds


async def refused(port: int, source: str = "127.0.0.1") -> bytes:
    reader, writer = await connect(port, source)
    try:
        return await asyncio.wait_for(reader.read(), LONG_SECONDS)
    finally:
        writer.close()


async def answered(port: int, source: str) -> bool:
    reader, writer = await connect(port, source)
    writer.write(GET.replace(b"Host", b"Connection: close\r\nHost"))
    try:
        return b" 200 OK" in await asyncio.wait_for(reader.read(), LONG_SECONDS)
    finally:
        writer.close()


async def held(port: int, count: int, source: str = "127.0.0.1") -> list[asyncio.StreamWriter]:
    """Take places and keep them; each has been taken when this returns."""
    writers = []
    for _ in range(count):
        reader, writer = await connect(port, source)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        writers.append(writer)
    return writers


LENIENT = Deadlines(idle_seconds=60, head_seconds=60, request_seconds=60)


async def test_who_comes_when_there_is_no_room_is_told_when_to_come_back(serve: Serve) -> None:
    limits = ConnectionLimits(total_max=3)
    port = await serve(deadlines=LENIENT, limits=limits)
    other = await serve(deadlines=LENIENT, limits=limits)
    writers = await held(port, 2) + await held(other, 1)
    for full in (port, other):
        head, _, body = (await refused(full)).partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        assert lines[0] == "http/1.1 503 service unavailable"
        assert {"retry-after: 1", "connection: close", "content-type: application/json"} <= set(lines)
        assert msgspec.json.decode(body) == {
            "errors": [
                {
                    "status": "Service Unavailable",
                    "code": "503",
                    "title": "Service Unavailable",
                    "detail": "There is no room for another connection at the moment.",
                }
            ]
        }
    writers[0].close()
    await writers[0].wait_closed()
    assert await eventually(lambda: answered(port, "127.0.0.1"))
    for writer in writers:
        writer.close()


async def eventually(asked: Callable[[], Awaitable[bool]]) -> bool:
    async with asyncio.timeout(LONG_SECONDS):
        while not await asked():
            pass
    return True


async def test_one_address_does_not_take_the_room_of_others(serve: Serve) -> None:
    port = await serve(deadlines=LENIENT, limits=ConnectionLimits(by_address_max=2))
    writers = await held(port, 2, "127.0.0.2")
    assert b" 503 " in await refused(port, "127.0.0.2")
    assert await answered(port, "127.0.0.3")
    for writer in writers:
        writer.close()
    assert await eventually(lambda: answered(port, "127.0.0.2"))


def test_a_proxy_of_ipv6_speaks_for_many_and_its_neighbours_do_not() -> None:
    limits = ConnectionLimits(by_address_max=1, proxies="2001:db8::1")
    assert all(limits.admit("2001:db8::1") for _ in range(3))
    assert limits.admit("2001:db8::2")
    assert not limits.admit("2001:db8::3")


async def test_a_proxy_speaks_for_many(serve: Serve) -> None:
    port = await serve(deadlines=LENIENT, limits=ConnectionLimits(by_address_max=1, proxies="127.0.0.2, 127.0.0.4/31"))
    for source in ("127.0.0.2", "127.0.0.4", "127.0.0.5"):
        for writer in await held(port, 2, source):
            writer.close()
    kept = await held(port, 1, "127.0.0.3")
    assert b" 503 " in await refused(port, "127.0.0.3")
    kept[0].close()


def test_addresses_of_one_subscriber_are_one() -> None:
    limits = ConnectionLimits(by_address_max=1)
    assert limits.admit("2001:db8::1")
    assert not limits.admit("2001:db8::2")
    assert limits.admit("2001:db8:0:1::1")
    assert limits.admit("::ffff:192.0.2.1")
    assert not limits.admit("192.0.2.1")
    limits.release("192.0.2.1")
    assert limits.admit("::ffff:192.0.2.1")
    assert limits.admit("")
    assert limits.admit("")


@pytest.mark.parametrize("proxies", ["everyone", "10.0.0.1/8", "*"])
def test_proxies_that_cannot_be_read_stop_the_start(proxies: str) -> None:
    with pytest.raises(SettingsWrong, match="KASSA_TRUSTED_PROXIES"):
        ConnectionLimits(proxies=proxies)


async def test_a_head_without_measure_is_hung_up_on(serve: Serve) -> None:
    answer = await dripped(await serve(deadlines=LENIENT), b"GET / HTTP/1.1\r\nX: ", b"x" * connections.HEAD_BYTES_MAX)
    assert answer == b""
