"""Why a try failed, over real sockets: the operator reads it, and how the endpoint's answer began."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kassa.callbacks import model, queries
from kassa.callbacks.delivery import Delivery
from kassa.config import Settings
from kassa.errors import Cause
from kassa.platform import Platform
from tests.support import names as nameservers
from tests.support import platform as platforms
from tests.support import working
from tests.support.callbacks import enqueue
from tests.support.certificates import certificate, tls
from tests.support.listener import Listen
from tests.support.platform import new_account
from tests.support.ports import free
from tests.support.postgres import Database

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def tried(platform: Platform, url: str) -> Mapping[str, Any]:
    """Return the row of a callback after one try."""
    made = await new_account(platform)
    await enqueue(platform, made, url)
    now = platform.clock.now(test_mode=True)
    (claim,) = await working.taken(platform.pool, Delivery(platform), made.account.account_id, now)
    await Delivery(platform).run(claim)
    row = await platform.pool.fetchrow("SELECT * FROM callbacks WHERE callback_id = $1", claim.callback_id)
    assert row is not None
    return dict(row)


def answering(status: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def resetting(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hang up with a reset, as a process that dies does."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass


async def test_a_closed_port_refuses(platform: Platform) -> None:
    row = await tried(platform, f"http://127.0.0.1:{free(1)[0]}/")
    assert (row["cause"], row["failure"], row["answer"], row["response_code"]) == ("refused", "connection", None, None)
    assert row["milliseconds"] >= 0


async def test_a_name_that_does_not_resolve(platform: Platform) -> None:
    with nameservers.serving():
        row = await tried(platform, "http://nxdomain.example/")
    assert (row["cause"], row["failure"]) == ("dns", "connection")


async def test_a_connection_that_is_reset_and_one_that_is_closed(platform: Platform, listen: Listen) -> None:
    reset, closed = await listen(resetting), await listen(b"")
    assert (await tried(platform, reset.url))["cause"] == "reset"
    assert (await tried(platform, closed.url))["cause"] == "closed without an answer"


async def test_an_answer_that_is_not_http(platform: Platform, listen: Listen) -> None:
    server = await listen(b"SSH-2.0-OpenSSH\r\n")
    assert (await tried(platform, server.url))["cause"] == "not an HTTP answer"


@pytest.mark.parametrize(
    "days, address, trusted, cause",
    [
        (1, "127.0.0.1", False, "tls: untrusted certificate"),
        (-1, "127.0.0.1", True, "tls: certificate expired"),
        (1, "127.0.0.9", True, "tls: wrong host"),
    ],
)
async def test_a_certificate_that_proves_nothing(
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    listen: Listen,
    *,
    days: int,
    address: str,
    trusted: bool,
    cause: str,
) -> None:
    pem = certificate(tmp_path, days=days, address=address)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    server = await listen(OK, tls=tls(pem))
    async with platforms.opened(database) as platform:
        row = await tried(platform, server.url)
    assert (row["cause"], row["failure"]) == (cause, "tls")
    assert server.requests == []


async def test_a_port_that_does_not_speak_tls(platform: Platform) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        row = await tried(platform, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert (row["cause"], row["failure"]) == ("tls: handshake failed", "tls")


async def test_silence_is_a_timeout_and_how_long_it_took_is_kept(
    platform: Platform, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "TEST_TRY_SECONDS", 0.3)
    server = await listen(silent)
    row = await tried(platform, server.url)
    assert (row["cause"], row["failure"]) == ("timeout", "timeout")
    assert row["milliseconds"] >= 290


async def test_a_status_keeps_how_the_answer_began(platform: Platform, listen: Listen) -> None:
    server = await listen(answering("500 Broken", b'{"error": "no such order"}'))
    row = await tried(platform, server.url)
    assert (row["cause"], row["failure"], row["response_code"]) == ("status", "status", 500)
    assert row["answer"] == '{"error": "no such order"}'
    (listed,) = await queries.listed(
        platform.pool, account_id=row["account_id"], invoice_id=None, failed=True, limit=10
    )
    assert (listed.cause, listed.answer, listed.milliseconds) == ("status", row["answer"], row["milliseconds"])


async def test_a_delivery_after_a_failure_leaves_no_cause(platform: Platform, listen: Listen) -> None:
    server = await listen(answering("200 OK", b"thanks"))
    row = await tried(platform, server.url)
    assert (row["status"], row["cause"], row["answer"]) == ("done", None, "thanks")


@pytest.mark.parametrize(
    "body, kept",
    [
        (b"x" * 60_000, "x" * 1024),
        ("й".encode() * 2000, "й" * 512),
        (b"card 4111 1111 1111 1111, Authorization: Bearer abc", "card [card], Authorization: Bearer …"),
        (b"\x1b[2J\x00\x07one\r\n\ttwo \xff", "[2J one two \ufffd"),
        (b"", ""),
    ],
    ids=["huge", "letters of two bytes", "secrets", "control characters", "empty"],
)
async def test_what_is_kept_of_an_answer_is_bounded_printable_and_masked(
    platform: Platform, listen: Listen, body: bytes, kept: str
) -> None:
    server = await listen(answering("500 Broken", body))
    assert (await tried(platform, server.url))["answer"] == kept


async def test_of_an_answer_without_an_end_the_beginning_is_kept(platform: Platform, listen: Listen) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 500 Broken\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"y" * 16384)
            await writer.drain()

    server = await listen(endless)
    row = await tried(platform, server.url)
    assert (row["cause"], row["answer"]) == ("status", "y" * 1024)


@pytest.fixture
async def closed_platform(database: Database) -> AsyncIterator[Platform]:
    async with platforms.opened(
        database, Settings(base_url="http://base.test", gate_url="http://gate.test", outbound_ports="80,443")
    ) as opened:
        yield opened


async def test_a_blocked_address_and_a_missing_key(closed_platform: Platform, platform: Platform) -> None:
    assert (await tried(closed_platform, "http://127.0.0.1:80/"))["cause"] == "blocked address"
    made = await new_account(platform)
    await enqueue(platform, made, "http://127.0.0.1:80/")
    await platform.pool.execute("UPDATE api_keys SET revoked_at = created_at WHERE kind = 'private'")
    now = platform.clock.now(test_mode=True)
    (claim,) = await working.taken(platform.pool, Delivery(platform), made.account.account_id, now)
    await Delivery(platform).run(claim)
    assert await platform.pool.fetchval("SELECT cause FROM callbacks WHERE callback_id = $1", claim.callback_id) == (
        Cause.NO_KEY
    )
