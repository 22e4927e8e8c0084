"""From names to sockets: all addresses of a name are checked, and the one that is connected to once more."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from kassa.errors import AddressRefused, ConnectionFailed
from kassa.outbound.addresses import Address
from kassa.outbound.causes import cause_of

LOOKUPS_MAX = 32
"""Concurrent look-ups in each session: one that hangs keeps a thread for as long as the system's resolver tries."""

IDLE_SECONDS = 2.0
"""How long a connection is kept for the next request: for less than any server that keeps them at all."""

Permits = Callable[[Address, int], bool]
"""Returns whether an address and port may be connected to."""
_Lookup = tuple[str, int, socket.AddressFamily]

_ANSWER_HEADERS_MAX = 128
_CONNECTIONS_UNLIMITED = 0
"""A limit here would let slow servers delay others; callers limit their own concurrent requests."""


class Sending:
    """One try to send a request."""

    reused = False
    """Whether it went over a connection that an earlier request had opened."""


def open_session(permits: Permits, *, keeps: bool = False) -> aiohttp.ClientSession:
    """Return a session that connects only where ``permits`` says yes, and sends each request once.

    It connects anew for each request unless it ``keeps`` connections, for a moment and the same scheme, host and port.
    One that is kept leads to the address that was checked when it was opened, whatever the name says since. It could be
    one that the server is just closing, and then no one knows whether it got the request.
    """
    connector = _Connector(
        resolver=CheckedResolver(permits),
        use_dns_cache=False,
        socket_factory=lambda info: _checked_socket(info, permits),
        limit=_CONNECTIONS_UNLIMITED,
        ssl=_tls(),
        **({"keepalive_timeout": IDLE_SECONDS} if keeps else {"force_close": True}),
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        auto_decompress=False,
        trust_env=False,
        max_headers=_ANSWER_HEADERS_MAX,
        middlewares=(_once,),
        trace_configs=[_noting_reuse()] if keeps else None,
    )


class _Connector(aiohttp.TCPConnector):
    """A connector that uses no connection again on which something came that no request had asked for.

    The next request would take it for its answer.
    """

    async def _get(self, key: Any, traces: Any) -> Any:
        while (found := await super()._get(key, traces)) is not None:
            if found.protocol is not None and not found.protocol.should_close:
                return found
            found.close()
        return None


def _noting_reuse() -> aiohttp.TraceConfig:
    async def note(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
        context.trace_request_ctx.reused = True

    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(note)
    return config


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Raise our own error for a broken connection: on its own errors the client repeats a PUT, with its card (P1)."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionFailed(cause=cause_of(error)) from None


class CheckedResolver(AbstractResolver):
    """The system's resolver; it refuses a name if any of its addresses may not be connected to."""

    def __init__(self, permits: Permits) -> None:
        self._permits = permits
        # One for each session: merchants' names cannot delay those of providers.
        self._lookups = Lookups(LOOKUPS_MAX)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return a name's addresses. Raises ``AddressRefused``, or ``OSError`` where there is no such name."""
        found = await self._lookups.find(host, port, family)
        for address in found:
            _check(address, port, self._permits)
        return [_result(host, address, port) for address in found]

    async def close(self) -> None:
        """Do nothing: it holds no resources."""


class Lookups:
    """The running look-ups: one for each name, shared by all callers, and a limited number at once.

    Each has a daemon thread, which cannot be stopped and keeps its place until the resolver gives up. An executor's
    threads would also delay the end of the process.
    """

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)
        self._under_way: dict[_Lookup, asyncio.Future[list[str] | OSError]] = {}

    async def find(self, host: str, port: int, family: socket.AddressFamily) -> list[str]:
        """Return a name's addresses; the caller's deadline ends the wait, also for a place. Raises ``OSError``."""
        lookup = (host, port, family)
        while lookup not in self._under_way:
            await self._places.acquire()
            if lookup in self._under_way:
                self._places.release()
            else:
                self._start(lookup)
        found = await asyncio.shield(self._under_way[lookup])
        if isinstance(found, OSError):
            raise OSError(*found.args)
        return found

    def _start(self, lookup: _Lookup) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[str] | OSError] = loop.create_future()
        self._under_way[lookup] = future

        def finish(found: list[str] | OSError) -> None:
            del self._under_way[lookup]
            self._places.release()
            future.set_result(found)

        def run() -> None:
            found = _resolve(lookup)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(finish, found)

        try:
            threading.Thread(target=run, name="kassa-dns", daemon=True).start()
        except RuntimeError:  # the system has no threads left
            loop.call_soon(finish, OSError("The name cannot be resolved: no thread is left"))


def _resolve(lookup: _Lookup) -> list[str] | OSError:
    host, port, family = lookup
    try:
        infos = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as reason:
        return OSError(f"The name cannot be resolved: {type(reason).__name__}")
    return list(dict.fromkeys(str(info[4][0]) for info in infos))


def _checked_socket(info: aiohttp.AddrInfoType, permits: Permits) -> socket.socket:
    family, kind, protocol, _, address = info
    _check(str(address[0]), int(address[1]), permits)
    return socket.socket(family=family, type=kind, proto=protocol)


def _check(text: str, port: int, permits: Permits) -> None:
    address = ip_address(text)
    if getattr(address, "scope_id", None) is not None or not permits(address, port):
        raise AddressRefused


def _result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
