"""Connections that cannot be held for nothing: deadlines for slow clients, and room for so many at once.

uvicorn has a deadline for idle connections alone, and any byte ends it (decision 0011).
"""

import asyncio
from http import HTTPStatus
from typing import Final

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from kassa.errors import NoRoom
from kassa.jsonapi.answers import refusal
from kassa.observability.metrics import connections_cut_total
from kassa.serving.joining import joined
from kassa.serving.limits import ConnectionLimits

HEAD_BYTES_MAX: Final = 64 * 1024
PARTING_SECONDS: Final = 1.0
"""How long a client that has connected and said nothing yet is listened to once we stop."""


class Deadlines(msgspec.Struct, frozen=True, kw_only=True):
    """How long a client is waited for, in seconds. Together they end a connection that asks for nothing within 15."""

    idle_seconds: float = 5.0
    """To begin a request: the first one, or the next."""
    head_seconds: float = 5.0
    """From a request's first byte to the end of its head."""
    request_seconds: float = 10.0
    """From a request's first byte to the end of its body."""
    write_seconds: float = 5.0
    """To make room for more of an answer."""


class State(ServerState):
    """What all connections of a server know."""

    draining = False
    """Whether the server is about to stop, so that every answer is the last one on its connection."""


class Connection(HttpToolsProtocol):
    """A connection with one deadline at a time: for whatever is the client's to do next.

    There is none only while an answer of ours is being made, which has limits of its own.
    """

    server_state: State
    deadlines: Deadlines
    limits: ConnectionLimits
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True
    _reading = False
    """Whether a request has begun and has not ended."""
    _begun = 0.0
    _counted: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Expect a request, or refuse where there is no room."""
        transport = joined(transport, self.loop)
        host = str((transport.get_extra_info("peername") or ("",))[0])
        if not self.limits.admit(host):
            self.transport = transport
            self._refuse()
            return
        self._counted = host
        super().connection_made(transport)
        self._expect(PARTING_SECONDS if self.server_state.draining else self.deadlines.idle_seconds)

    def data_received(self, data: bytes) -> None:
        """Read on, unless this head is longer than any honest one."""
        super().data_received(data)
        # Only now is it known whether the head has ended: the data may hold a good part of a body as well.
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self.transport.close()

    def on_message_begin(self) -> None:
        """Expect the head's end."""
        super().on_message_begin()
        self._in_head = self._reading = True
        self._begun = self.loop.time()
        self._expect(self.deadlines.head_seconds)

    def on_headers_complete(self) -> None:
        """Expect the body's end."""
        self._in_head = False
        self._head_bytes = 0
        self._expect(self._begun + self.deadlines.request_seconds - self.loop.time())
        super().on_headers_complete()
        if self.server_state.draining:
            self.part()

    def on_message_complete(self) -> None:
        """Take the turn."""
        self._reading = False
        self._pass_the_turn()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Give the turn back; empty lines before the next request, which the parser skips, win no time."""
        super().on_response_complete()
        self._pass_the_turn()

    def pause_writing(self) -> None:
        """Give the turn back: there is an answer to read."""
        super().pause_writing()
        self._pass_the_turn()

    def resume_writing(self) -> None:
        """Take the turn again: the rest of the answer is ours to write."""
        super().resume_writing()
        self._pass_the_turn()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the clock and the place."""
        self._expect(None)
        if self._counted is not None:
            self.limits.release(self._counted)
            self._counted = None
        super().connection_lost(exc)

    def part(self) -> None:
        """Let the answer that is under way be the last one."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Hang up, unless the client is just sending a request, or about to send its first one."""
        if self._in_head:
            self._expect(PARTING_SECONDS)
        else:
            super().shutdown()

    def _pass_the_turn(self) -> None:
        """Expect what is next, unless a request is under way, whose deadlines stand."""
        if self._reading:
            return
        if self.cycle.response_complete:
            self._expect(self.deadlines.idle_seconds)
        else:
            self._expect(self.deadlines.write_seconds if self.flow.write_paused else None)

    def _refuse(self) -> None:
        connections_cut_total.labels("full").inc()
        self.transport.write(_NO_ROOM)
        self.transport.close()
        self._expect(self.deadlines.write_seconds)

    def _expect(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(max(seconds, 0), self._give_up)

    def _give_up(self) -> None:
        """Hang up; who then does not even take what was written is cut off a moment later."""
        if self.transport.is_closing():
            self.transport.abort()
            return
        connections_cut_total.labels("slow").inc()
        self.transport.close()
        self._expect(self.deadlines.write_seconds)


def protocol(deadlines: Deadlines, limits: ConnectionLimits) -> type[Connection]:
    """Return the protocol of a server's connections, in the form that uvicorn takes: a class."""
    return type("Served", (Connection,), {"deadlines": deadlines, "limits": limits})


def _no_room() -> bytes:
    response = refusal(NoRoom())
    head = [f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}".encode()]
    head += [name + b": " + value for name, value in [*response.raw_headers, (b"connection", b"close")]]
    return b"\r\n".join([*head, b"", bytes(response.body)])


_NO_ROOM: Final = _no_room()
