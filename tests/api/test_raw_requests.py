"""Requests that two readers may read in two ways: refused or cut off, and nothing hides behind them (raw sockets)."""

import asyncio
import base64
import json
import re
from typing import Final
from urllib.parse import quote, urlsplit

import pytest

from tests.support.api import INVOICES, Client, private_body

SECONDS: Final = 30
CHUNK: Final = b"5\r\nhello\r\n0\r\n\r\n"


def head(*lines: str, start: str = f"POST {INVOICES} HTTP/1.1", host: str = "Host: kassa") -> bytes:
    """Return a request's head; ``AUTH`` in it becomes the account's credentials."""
    return "\r\n".join([start, *([host] if host else []), "AUTH", *lines, "", ""]).encode("latin-1")


AMBIGUOUS: Final = {
    "two lengths that differ": head("Content-Length: 5", "Content-Length: 0") + b"hello",
    "two lengths the other way round": head("Content-Length: 0", "Content-Length: 5") + b"hello",
    "a list of lengths": head("Content-Length: 5, 0") + b"hello",
    "a negative length": head("Content-Length: -1") + b"hello",
    "a length with a sign": head("Content-Length: +5") + b"hello",
    "a length in hexadecimal": head("Content-Length: 0x5") + b"hello",
    "a length that is text": head("Content-Length: five") + b"hello",
    "a length without a number": head("Content-Length:") + b"hello",
    "a length past every number": head("Content-Length: " + "9" * 30) + b"hello",
    "a length in two parts": head("Content-Length: 5 5") + b"hello",
    "a length and chunks": head("Content-Length: 5", "Transfer-Encoding: chunked") + CHUNK,
    "chunks and a length": head("Transfer-Encoding: chunked", "Content-Length: 5") + CHUNK,
    "chunks that are not last": head("Transfer-Encoding: chunked, identity") + CHUNK,
    "chunks of an unknown kind": head("Transfer-Encoding: xchunked") + CHUNK,
    "chunks twice": head("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + CHUNK,
    "a space before the colon": head("Transfer-Encoding : chunked") + CHUNK,
    "a length with a space before the colon": head("Content-Length : 5") + b"hello",
    "a header on two lines": head("X-A: 1", " chunked", "Content-Length: 5") + b"hello",
    "a header without a colon": head("Content-Length 5") + b"hello",
    "a header without a name": head(": 5") + b"hello",
    "a NUL in a header": head("X-A: a\x00b", "Content-Length: 0"),
    "a carriage return in a header": head("X-A: a\rX-B: b", "Content-Length: 0"),
    "a chunk size with a sign": head("Transfer-Encoding: chunked") + b"+5\r\nhello\r\n0\r\n\r\n",
    "a chunk size in hexadecimal": head("Transfer-Encoding: chunked") + b"0x5\r\nhello\r\n0\r\n\r\n",
    "a negative chunk size": head("Transfer-Encoding: chunked") + b"-5\r\nhello\r\n0\r\n\r\n",
    "a chunk size past every number": head("Transfer-Encoding: chunked") + b"f" * 20 + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": head("Transfer-Encoding: chunked") + b"3\r\nhello\r\n0\r\n\r\n",
    "a version that there is not": head("Content-Length: 0", start=f"POST {INVOICES} HTTP/9.9"),
    "a version of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a method with a space": head("Content-Length: 0", start=f"PO ST {INVOICES} HTTP/1.1"),
    "an unknown method": head("Content-Length: 0", start=f"STEAL {INVOICES} HTTP/1.1"),
    "an address with a line end": head("Content-Length: 0", start=f"POST {INVOICES}\rX-A: 1 HTTP/1.1"),
    "line feeds alone": head("Content-Length: 5").replace(b"\r\n", b"\n") + b"hello",
    "nothing but noise": bytes(range(256)) * 4,
    "a greeting of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
}


async def exchange(shop: Client, request: bytes) -> bytes:
    """Send bytes, and return all that comes back until the connection is closed or falls silent."""
    place = urlsplit(shop.base_url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    token = base64.b64encode(f"{shop.keys.id}:{shop.keys.api_key}".encode())
    answer = b""
    try:
        writer.write(request.replace(b"AUTH", b"Authorization: Basic " + token))
        await writer.drain()
        async with asyncio.timeout(SECONDS):
            while piece := await reader.read(65536):
                answer += piece
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def creation(name: str, *more: str) -> bytes:
    body = json.dumps(private_body(reference_id=name)).encode()
    return head("Content-Type: application/json", f"Content-Length: {len(body)}", *more) + body


def last(name: str) -> bytes:
    return creation(name, "Connection: close")


async def test_a_plain_request_is_answered(shop: Client) -> None:
    assert statuses(await exchange(shop, last("plain"))) == [201]
    assert statuses(await exchange(shop, creation("first") + last("second"))) == [201, 201]


def test_the_corpus_is_large() -> None:
    assert len(AMBIGUOUS) >= 20


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_an_ambiguous_request_is_refused_and_nothing_behind_it_is_heard(shop: Client, name: str) -> None:
    answer = await exchange(shop, AMBIGUOUS[name] + last(f"hidden behind {name}"))
    assert [status for status in statuses(answer) if not 400 <= status < 500] == [], answer
    assert len(statuses(answer)) <= 1, answer
    assert (await shop.find(quote(f"hidden behind {name}"))).status == 404
    assert (await shop.call("GET", "/healthz", anonymous=True)).status == 200
