"""Listening: sockets that are taken before anything else starts, and servers on them that end politely."""

import asyncio
import contextlib
import errno
import math
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from kassa.errors import PortTaken, SettingsWrong
from kassa.serving.connections import Connection, Deadlines, State, protocol
from kassa.serving.limits import ConnectionLimits

PORT_MAX = 65535

_BACKLOG = 2048
_POLL_SECONDS = 0.02


def bind(host: str, port: int, variable: str, host_variable: str = "KASSA_HOST or --host") -> socket.socket:
    """Take a port, where 0 means any that is free.

    Raises ``PortTaken``, or ``SettingsWrong`` naming the variable that asks for what cannot be had.
    """
    if port > PORT_MAX:
        raise SettingsWrong(f"There is no port {port} for {variable}: set it, or a lower KASSA_PORT or --port.")
    with contextlib.ExitStack() as stack:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            taken = stack.enter_context(socket.socket(family, kind, protocol))
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(address)
            # At once, so that of two programs that start together one is refused.
            taken.listen(_BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(f"Port {port} is in use by another program: set {variable} to another one.") from None
            wrong = variable if error.errno == errno.EACCES else host_variable
            raise SettingsWrong(f"Kassa cannot listen on {host}, port {port}: {error.strerror}. Set {wrong}.") from None
        taken.setblocking(False)  # noqa: FBT003  # it takes no keyword
        stack.pop_all()
    return taken


def port_of(taken: socket.socket) -> int:
    """Return the port that a socket got."""
    port: int = taken.getsockname()[1]
    return port


class Server(uvicorn.Server):
    """A server that leaves signals to its owner, and no one unanswered who reached it before it closed."""

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
            if isinstance(connection, Connection):
                connection.part()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close, after taking the connections that the system has made for us and that no one has heard yet."""
        self.drain()
        waiting = [each for taken in sockets or () for each in _waiting(taken)]
        loop = asyncio.get_running_loop()
        hearing = [loop.create_task(loop.connect_accepted_socket(self._hear, each)) for each in waiting]
        await super().shutdown(sockets)
        await asyncio.gather(*hearing, return_exceptions=True)

    def _hear(self) -> asyncio.Protocol:
        made = self.config.http_protocol_class
        connection: asyncio.Protocol = made(  # type: ignore[call-arg]  # as uvicorn calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return connection


def _waiting(taken: socket.socket) -> Iterator[socket.socket]:
    with contextlib.suppress(OSError):
        while True:
            accepted, _ = taken.accept()
            accepted.setblocking(False)  # noqa: FBT003  # it takes no keyword
            yield accepted


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
        limits: ConnectionLimits | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        """Take the app, the socket, and how long requests in flight may take at the end.

        ``trusted_proxies`` are addresses whose ``X-Forwarded-For`` is believed; ``lifespan`` runs the app's own.
        ``limits`` counts the connections, those of other listeners with it; by default they are not limited.
        """
        deadlines = deadlines or Deadlines()
        self._taken = taken
        self._server = Server(
            uvicorn.Config(
                app,
                http=protocol(deadlines, limits or ConnectionLimits()),
                ws="none",
                interface="asgi3",
                lifespan="on" if lifespan else "off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
                timeout_keep_alive=math.ceil(deadlines.idle_seconds),
                timeout_graceful_shutdown=finish_seconds,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> asyncio.Task[None]:
        """Answer from now on; return the task, which ends by itself only when something is badly wrong."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._taken]), name="server")
        while not (self._server.started or self._task.done()):  # noqa: ASYNC110  # uvicorn shows it in no other way
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
