"""Listening: sockets that are taken before anything else starts, and servers on them that end politely."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from kassa.errors import PortTaken, SettingsWrong

HEAD_SECONDS = 10.0
"""How long a client may take to send a request's head, or to begin the next one."""
BODY_SECONDS = 15.0
HEAD_BYTES_MAX = 64 * 1024
PARTING_SECONDS = 1.0
"""How long a client that has connected and said nothing yet is listened to once we stop."""

_BACKLOG = 2048
_POLL_SECONDS = 0.02
_IDLE_SECONDS = 5


def bind(host: str, port: int, variable: str) -> socket.socket:
    """Take a port, where 0 means any that is free.

    Raises ``PortTaken``, or ``SettingsWrong`` naming the ``variable`` that asks for what cannot be had.
    """
    with contextlib.ExitStack() as stack:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            taken = stack.enter_context(socket.socket(family, kind, protocol))
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(address)
            # At once, so that of two programs that start together one is told.
            taken.listen(_BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(f"Port {port} is in use by another program: set {variable} to another one.") from None
            raise SettingsWrong(f"Kassa cannot listen on {host}, port {port}: {error.strerror}.") from None
        taken.setblocking(False)
        stack.pop_all()
    return taken


def port_of(taken: socket.socket) -> int:
    """Return the port that a socket got."""
    port: int = taken.getsockname()[1]
    return port


class State(ServerState):
    """What all connections of a server know."""

    draining = False
    """Whether the server is about to stop, so that every answer is the last one on its connection."""


class Server(uvicorn.Server):
    """A server that leaves signals to its owner, and nobody unanswered who reached it before it closed."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state: State = State()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield

    def drain(self) -> None:
        """Answer on as before, and ask each client to send its next request elsewhere."""
        self.server_state.draining = True
        for connection in self.server_state.connections:
            if isinstance(connection, Impatient):
                connection.part()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close, after taking the connections that the system has made for us and nobody has heard yet."""
        self.drain()
        waiting = [each for taken in sockets or () for each in _waiting(taken)]
        loop = asyncio.get_running_loop()
        hearing = [loop.create_task(loop.connect_accepted_socket(self._hear, each)) for each in waiting]
        await super().shutdown(sockets)
        await asyncio.gather(*hearing, return_exceptions=True)

    def _hear(self) -> asyncio.Protocol:
        return Impatient(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _waiting(taken: socket.socket) -> Iterator[socket.socket]:
    with contextlib.suppress(OSError):
        while True:
            accepted, _ = taken.accept()
            accepted.setblocking(False)
            yield accepted


class Impatient(HttpToolsProtocol):
    """A connection with deadlines: uvicorn's own waits for ever for a head or a body that never ends."""

    server_state: State
    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Expect a request."""
        super().connection_made(transport)
        self._expect(PARTING_SECONDS if self.server_state.draining else self.head_seconds)

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
        self._in_head = True
        self._expect(self.head_seconds)

    def on_headers_complete(self) -> None:
        """Expect the body's end."""
        self._in_head = False
        self._head_bytes = 0
        self._expect(self.body_seconds)
        super().on_headers_complete()
        if self.server_state.draining:
            self.part()

    def on_message_complete(self) -> None:
        """Expect nothing: the turn is ours."""
        self._expect(None)
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the clock."""
        self._expect(None)
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

    def _expect(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


class Listener:
    """One app on one socket."""

    def __init__(
        self,
        app: ASGIApp,
        taken: socket.socket,
        *,
        finish_seconds: int,
        trusted_proxies: str = "",
        lifespan: bool = False,
    ) -> None:
        """Take the app, the socket, and how long requests in flight may take at the end.

        ``trusted_proxies`` are addresses whose ``X-Forwarded-For`` is believed; ``lifespan`` runs the app's own.
        """
        self._taken = taken
        self._server = Server(
            uvicorn.Config(
                app,
                http=Impatient,
                ws="none",
                interface="asgi3",
                lifespan="on" if lifespan else "off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=finish_seconds,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> asyncio.Task[None]:
        """Answer from now on; return the task, which ends by itself only when something is badly wrong."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._taken]), name="server")
        while not (self._server.started or self._task.done()):  # noqa: ASYNC110  # uvicorn tells in no other way
            await asyncio.sleep(_POLL_SECONDS)
        return self._task

    def drain(self) -> None:
        """Answer on as before, and ask each client to send its next request elsewhere."""
        self._server.drain()

    async def stop(self) -> None:
        """Accept nothing more and let what is in flight finish."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
