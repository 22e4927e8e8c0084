"""An answer's head and body in one piece: uvicorn writes them one after the other, and each write wakes the client."""

import asyncio
from typing import Any, cast


class Joining:
    """A transport that sends what is written within one turn of the loop at once; all else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send data at the turn's end, behind what was written before."""
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)

    def close(self) -> None:
        """Close, after sending what was written."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        held, self._held = self._held, []
        if held and not self._transport.is_closing():
            self._transport.write(b"".join(held))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def joined(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> asyncio.Transport:
    """Return a transport that sends what is written within one turn of the loop at once."""
    return cast("asyncio.Transport", Joining(transport, loop))
