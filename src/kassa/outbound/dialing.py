"""From names to sockets: each address that a name has is checked, and once more the one that is connected to."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from ipaddress import ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from kassa.errors import AddressRefused, ConnectionFailed
from kassa.outbound.addresses import Address

Permits = Callable[[Address, int], bool]
"""Tells whether an address and port may be connected to."""

_ANSWER_HEADERS_MAX = 128
_CONNECTIONS_UNLIMITED = 0
"""A limit here would let slow servers hold up others; whoever sends bounds what is in flight."""


def open_session(permits: Permits) -> aiohttp.ClientSession:
    """Return a session that connects only where ``permits`` says yes, and anew for each request, which it sends once.

    A kept connection could be one that the server is just closing, and then nobody knows whether it got the request.
    """
    connector = aiohttp.TCPConnector(
        resolver=CheckedResolver(permits),
        use_dns_cache=False,
        socket_factory=lambda info: _checked_socket(info, permits),
        force_close=True,
        limit=_CONNECTIONS_UNLIMITED,
        ssl=_tls(),
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        auto_decompress=False,
        trust_env=False,
        max_headers=_ANSWER_HEADERS_MAX,
        middlewares=(_once,),
    )


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Tell of a broken connection in an error of ours: at its own the client sends a PUT again, with its card (P1)."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise ConnectionFailed from None


class CheckedResolver(AbstractResolver):
    """The system's resolver, which refuses a name as soon as one of its addresses may not be connected to."""

    def __init__(self, permits: Permits) -> None:
        self._permits = permits

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return a name's addresses. Raises ``AddressRefused``, or ``OSError`` where there is no such name."""
        found = await _look_up(host, port, family)
        for address in found:
            _check(address, port, self._permits)
        return [_result(host, address, port) for address in found]

    async def close(self) -> None:
        """Nothing is held."""


async def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[str]:
    """Ask the system's resolver in a thread of its own: a shared pool would fill up with the names that hang."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[str]] = loop.create_future()

    def settle(found: list[str] | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(found or [])

    def ask() -> None:
        found, error = None, None
        try:
            infos = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(info[4][0]) for info in infos))
        except (OSError, UnicodeError) as reason:
            error = OSError(f"The name cannot be resolved: {type(reason).__name__}")
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile, nobody waits
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=ask, name="kassa-dns", daemon=True).start()
    return await future


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
