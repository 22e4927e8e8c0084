import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kassa.config import Settings
from kassa.errors import AnswerTimedOut, AnswerTooLarge, ConnectionFailed, TlsFailed
from kassa.outbound import Answer, Outbound
from kassa.outbound.client import ANSWER_BYTES_MAX
from tests.support.certificates import certificate, tls
from tests.support.listener import Listen

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    async with Outbound(Settings(demo=True)) as opened:
        yield opened


async def ask(outbound: Outbound, url: str, *, seconds: float = 10, body_needed: bool = True) -> Answer:
    return await outbound.request(
        "POST",
        url,
        headers={"Content-Type": "application/json"},
        body=b'{"a": 1}',
        timeout_seconds=seconds,
        guarded=True,
        body_needed=body_needed,
    )


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 200 with a body that has no end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not reader.at_eof():
        writer.write(bytes(16384))
        await writer.drain()


async def hanging_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 200 and a part of the body, and then nothing until the caller hangs up."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
    await writer.drain()
    while await reader.read(1024):
        pass


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(1024):
        pass


async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")


async def test_the_request_carries_what_was_asked_for_and_nothing_of_ours_but_a_name(
    outbound: Outbound, listen: Listen
) -> None:
    server = await listen(b"HTTP/1.1 418 Teapot\r\nX-A: 1\r\nx-a: 2\r\nSet-Cookie: a=1\r\nContent-Length: 2\r\n\r\nhi")
    for _ in range(2):
        answer = await ask(outbound, f"{server.url}path?q=%2F")
        assert answer == Answer(
            status=418, headers={"x-a": "1, 2", "set-cookie": "a=1", "content-length": "2"}, body=b"hi"
        )
    lines = server.requests[1].decode().split("\r\n")
    assert lines[0] == "POST /path?q=/ HTTP/1.1"
    names = sorted(line.split(":")[0].lower() for line in lines[1:] if line)
    assert names == ["accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"]
    assert "Accept-Encoding: identity" in lines
    assert "User-Agent: Kassa/0.1.0" in lines


async def test_each_request_has_a_connection_of_its_own(outbound: Outbound, listen: Listen) -> None:
    server = await listen(OK)
    for _ in range(3):
        await ask(outbound, server.url)
    assert server.connections == 3


async def test_an_answer_of_64_kib_is_whole_and_one_byte_more_is_too_large(outbound: Outbound, listen: Listen) -> None:
    def answer(size: int) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size

    largest = await listen(answer(ANSWER_BYTES_MAX))
    assert (await ask(outbound, largest.url)).body == b"x" * ANSWER_BYTES_MAX
    larger = await listen(answer(ANSWER_BYTES_MAX + 1))
    with pytest.raises(AnswerTooLarge):
        await ask(outbound, larger.url)


async def test_an_endless_answer_is_cut(outbound: Outbound, listen: Listen) -> None:
    server = await listen(endless)
    with pytest.raises(AnswerTooLarge):
        await ask(outbound, server.url)
    assert (await ask(outbound, server.url, body_needed=False)).status == 200


async def test_a_compressed_bomb_stays_compressed(outbound: Outbound, listen: Listen) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    server = await listen(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)
    assert (await ask(outbound, server.url)).body == bomb


async def test_silence_and_slow_bodies_end_with_the_deadline(outbound: Outbound, listen: Listen) -> None:
    for script in (silence, hanging_body):
        server = await listen(script)
        with pytest.raises(AnswerTimedOut):
            await ask(outbound, server.url, seconds=0.2)


async def test_a_status_is_enough_where_no_body_is_needed(outbound: Outbound, listen: Listen) -> None:
    for script in (hanging_body, cut):
        server = await listen(script)
        answer = await ask(outbound, server.url, seconds=3, body_needed=False)
        assert (answer.status, answer.body) == (200, b"part")
    server = await listen(silence)
    with pytest.raises(AnswerTimedOut):
        await ask(outbound, server.url, seconds=0.2, body_needed=False)


NO_HTTP = {
    "nothing": b"",
    "another protocol": b"SSH-2.0-OpenSSH\r\n",
    "no status": b"HTTP/1.1 abc\r\n\r\n",
    "no length": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "zeros": b"\x00" * 64,
    "cut body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart",
    "wrong chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
    "long header": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 100_000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("said", NO_HTTP.values(), ids=NO_HTTP.keys())
async def test_what_is_no_http_answer_is_a_failed_connection(outbound: Outbound, listen: Listen, said: bytes) -> None:
    server = await listen(said)
    with pytest.raises(ConnectionFailed):
        await ask(outbound, server.url)


async def test_nobody_listening_is_a_failed_connection(outbound: Outbound) -> None:
    for url in ("http://127.0.0.1:9/", "http://unknown.invalid:80/", f"http://{'a' * 70}.example/"):
        with pytest.raises(ConnectionFailed) as failed:
            await ask(outbound, url)
        assert str(failed.value) == ConnectionFailed.message()


async def test_after_close_nothing_is_sent(listen: Listen) -> None:
    server = await listen(OK)
    outbound = Outbound(Settings(demo=True))
    assert (await ask(outbound, server.url)).status == 200
    await outbound.close()
    with pytest.raises(ConnectionFailed):
        await ask(outbound, server.url)


async def test_a_trusted_certificate_is_needed_and_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listen: Listen
) -> None:
    good = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    server = await listen(OK, tls=tls(good))
    async with Outbound(Settings(demo=True)) as outbound:
        assert (await ask(outbound, server.url)).status == 200


@pytest.mark.parametrize("fault", ["unknown", "expired", "other host"])
async def test_a_certificate_that_proves_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listen: Listen, fault: str
) -> None:
    days, address = -1 if fault == "expired" else 1, "127.0.0.9" if fault == "other host" else "127.0.0.1"
    pem = certificate(tmp_path, days=days, address=address)
    if fault != "unknown":
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    server = await listen(OK, tls=tls(pem))
    async with Outbound(Settings(demo=True)) as outbound:
        with pytest.raises(TlsFailed):
            await ask(outbound, server.url)
    assert server.requests == []


@pytest.mark.parametrize("method", ["PUT", "POST", "GET"])
async def test_a_request_whose_connection_breaks_is_never_sent_again(
    outbound: Outbound, listen: Listen, method: str
) -> None:
    server = await listen(b"")
    with pytest.raises(ConnectionFailed):
        await outbound.request(method, server.url, headers={}, body=b"{}", timeout_seconds=5, guarded=True)
    assert len(server.requests) == server.connections == 1
