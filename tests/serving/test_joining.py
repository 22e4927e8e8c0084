"""What is written within one turn leaves together, in order, and before the end."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from kassa.serving.joining import joined


@pytest.fixture
async def ends() -> AsyncIterator[tuple[asyncio.Transport, socket.socket]]:
    """A joining transport, and the socket that hears it."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.settimeout(5)
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        try:
            yield joined(transport, loop), theirs
        finally:
            transport.abort()


async def test_what_is_written_in_one_turn_leaves_at_its_end(ends: tuple[asyncio.Transport, socket.socket]) -> None:
    transport, theirs = ends
    transport.write(b"head ")
    transport.write(b"body")
    theirs.settimeout(0)
    with pytest.raises(BlockingIOError):
        theirs.recv(100)
    await asyncio.sleep(0)
    assert theirs.recv(100) == b"head body"


async def test_what_was_written_before_the_end_is_heard(ends: tuple[asyncio.Transport, socket.socket]) -> None:
    transport, theirs = ends
    transport.write(b"the last word")
    transport.close()
    assert transport.is_closing()
    transport.write(b"and one too many")
    await asyncio.sleep(0)
    heard = b""
    while part := await asyncio.to_thread(theirs.recv, 100):
        heard += part
    assert heard == b"the last word"
