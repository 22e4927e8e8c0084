"""Servers on a port where a PostgreSQL is expected: an old one, one that says nothing, one that is something else."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_SSL_REQUEST: Final = 80877103


@asynccontextmanager
async def answering(serve: Serve) -> AsyncIterator[str]:
    """Give the address of a server that treats each connection so."""
    writers: list[asyncio.StreamWriter] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"postgresql://kassa:hunter2@{host}:{port}/kassa"
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def twelve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak as PostgreSQL 12 does when it has let somebody in."""
    (length,) = struct.unpack("!I", await reader.readexactly(4))
    (kind,) = struct.unpack("!I", await reader.readexactly(4))
    if kind == _SSL_REQUEST:
        writer.write(b"N")
        (length,) = struct.unpack("!I", await reader.readexactly(4))
        await reader.readexactly(4)
    await reader.readexactly(length - 8)
    writer.write(_message(b"R", struct.pack("!I", 0)))
    for name, value in (("server_version", "12.3"), ("client_encoding", "UTF8"), ("integer_datetimes", "on")):
        writer.write(_message(b"S", f"{name}\0{value}\0".encode()))
    writer.write(_message(b"K", struct.pack("!II", 1, 1)) + _message(b"Z", b"I"))
    await reader.read()


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Hear everything, answer nothing."""
    while await reader.read(1024):
        pass


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close at the first bytes, as a server of something else does."""
    await reader.read(1)
    writer.close()


@asynccontextmanager
async def encrypted(context: ssl.SSLContext) -> AsyncIterator[str]:
    """Give the address of a server that offers TLS with a certificate of the context's."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()
        serving = asyncio.create_task(asyncio.to_thread(_offer_tls, listening, context))
        yield f"postgresql://kassa:hunter2@{host}:{port}/kassa"
        # What wakes the thread that waits for a connection.
        listening.shutdown(socket.SHUT_RDWR)
        await serving


def _offer_tls(listening: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.recv(8)
            connection.sendall(b"S")
            context.wrap_socket(connection, server_side=True).close()


def _message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!I", len(content) + 4) + content
