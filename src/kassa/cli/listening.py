"""Listening: sockets that are taken before anything else starts, and servers on them that end politely."""

import asyncio
import contextlib
import errno
import math
import socket
from collections.abc import Iterator

import msgspec
import uvicorn
from starlette.types import ASGIApp

from kassa.cli.connections import Crowd, Patience, protocol
from kassa.config import Settings
from kassa.errors import PortTaken, SettingsWrong

_BACKLOG = 2048
_POLL_SECONDS = 0.02


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


class Sockets(msgspec.Struct, frozen=True, kw_only=True):
    """The ports that we hold."""

    base: socket.socket
    gate: socket.socket
    bank: socket.socket | None


@contextlib.contextmanager
def take(settings: Settings) -> Iterator[Sockets]:
    """Take every port, before anything else starts, and let go in the end. Raises ``PortTaken``, ``SettingsWrong``."""
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(bind(settings.host, settings.port, "KASSA_PORT or --port"))
        following = settings.port + 1 if settings.port else 0
        gate_port = following if settings.gate_port is None else settings.gate_port
        gate = stack.enter_context(bind(settings.host, gate_port, "KASSA_GATE_PORT"))
        bank = None
        if settings.demo:
            following = gate_port + 1 if gate_port else 0
            bank_port = following if settings.bank_port is None else settings.bank_port
            bank = stack.enter_context(bind(settings.host, bank_port, "KASSA_BANK_PORT"))
        yield Sockets(base=base, gate=gate, bank=bank)


def resolved(settings: Settings, sockets: Sockets) -> Settings:
    """Return the settings with the URLs that follow from the ports, where the operator gave no others."""

    def url(given: str | None, taken: socket.socket) -> str:
        return given.rstrip("/") if given else f"http://{_reachable(settings.host)}:{port_of(taken)}"

    return msgspec.structs.replace(
        settings,
        base_url=url(settings.base_url, sockets.base),
        gate_url=url(settings.gate_url, sockets.gate),
        bank_url=url(settings.bank_url, sockets.bank) if sockets.bank else settings.bank_url,
    )


def _reachable(host: str) -> str:
    if host in {"", "0.0.0.0", "::"}:  # noqa: S104  # asked about, not listened on
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


class Server(uvicorn.Server):
    """A server that leaves signals to its owner."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


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
        crowd: Crowd | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Take the app, the socket, and how long requests in flight may take at the end.

        ``trusted_proxies`` are addresses whose ``X-Forwarded-For`` is believed; ``lifespan`` runs the app's own.
        ``crowd`` counts the connections, those of other listeners with it; by default they are not limited.
        """
        patience = patience or Patience()
        self._taken = taken
        self._server = Server(
            uvicorn.Config(
                app,
                http=protocol(patience, crowd or Crowd()),
                ws="none",
                interface="asgi3",
                lifespan="on" if lifespan else "off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=trusted_proxies,
                timeout_keep_alive=math.ceil(patience.idle_seconds),
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

    async def stop(self) -> None:
        """Accept nothing more and let what is in flight finish."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
