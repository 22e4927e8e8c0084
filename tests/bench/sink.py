"""The merchant's end of the callbacks: answers each at once, and tells whoever waits for an invoice to be paid."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, cast

_LENGTH: Final = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_INVOICE: Final = re.compile(rb'"id":"(cpi_[A-Za-z0-9]{16})"')
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass(kw_only=True)
class Sink:
    """What has come in."""

    url: str = ""
    received: int = 0
    first: float = 0.0
    last: float = 0.0
    """When the first and the last came since ``reset``."""
    _awaited: dict[str, tuple[bytes, asyncio.Future[float]]] = field(default_factory=dict)

    def reset(self) -> None:
        """Count from nothing."""
        self.received, self.first, self.last = 0, 0.0, 0.0

    def said(self, invoice_id: str, status: str = "processed") -> asyncio.Future[float]:
        """Return what ends, with that moment, when a callback says that an invoice has a status."""
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._awaited[invoice_id] = (f'"status":"{status}"'.encode(), future)
        return future

    def take(self, body: bytes) -> None:
        """Note a callback."""
        self.received += 1
        self.last = time.monotonic()
        self.first = self.first or self.last
        found = _INVOICE.search(body)
        invoice_id = found[1].decode() if found else ""
        status, future = self._awaited.get(invoice_id, (b"", None))
        if future is not None and status in body:
            del self._awaited[invoice_id]
            if not future.done():
                future.set_result(self.last)


class _Line(asyncio.Protocol):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are transports without being asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if end else None
        if length is None or len(body) < int(length[1]) or self._transport is None:
            return
        self._data = b""
        self._sink.take(body)
        self._transport.write(_ANSWER)


@asynccontextmanager
async def listening() -> AsyncIterator[Sink]:
    """Run a sink on a free loopback port."""
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: _Line(sink), "127.0.0.1", 0)
    try:
        sink.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callbacks"
        yield sink
    finally:
        server.close()
