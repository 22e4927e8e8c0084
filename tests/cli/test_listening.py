import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse

from kassa.cli.listening import Listener, bind, port_of
from kassa.errors import PortTaken, SettingsWrong


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
    answer = await asyncio.wait_for(reader.read(), 5)
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
    with pytest.raises(SettingsWrong, match=r"Kassa cannot listen on 192\.0\.2\.1, port 0"):
        bind("192.0.2.1", 0, "PORT")
