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
from kassa.outbound.causes import cause_of

LOOK_UPS_MAX = 32
"""Names looked up at once in each session: one that hangs keeps a thread for as long as the system's resolver tries."""

Permits = Callable[[Address, int], bool]
"""Tells whether an address and port may be connected to."""
_Question = tuple[str, int, socket.AddressFamily]

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
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionFailed(cause=cause_of(error)) from None


class CheckedResolver(AbstractResolver):
    """The system's resolver, which refuses a name as soon as one of its addresses may not be connected to."""

    def __init__(self, permits: Permits) -> None:
        self._permits = permits
        # Of each session's own: names that merchants gave do not hold up those of providers.
        self._look_ups = LookUps(LOOK_UPS_MAX)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return a name's addresses. Raises ``AddressRefused``, or ``OSError`` where there is no such name."""
        found = await self._look_ups.ask(host, port, family)
        for address in found:
            _check(address, port, self._permits)
        return [_result(host, address, port) for address in found]

    async def close(self) -> None:
        """Nothing is held."""


class LookUps:
    """The questions to the system's resolver that are under way: one a name, however many wait, and so many at once.

    Each has a daemon thread, which cannot be stopped and keeps its place until the resolver gives up. An executor's
    threads would hold up the end of the process, too.
    """

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)
        self._under_way: dict[_Question, asyncio.Future[list[str] | OSError]] = {}

    async def ask(self, host: str, port: int, family: socket.AddressFamily) -> list[str]:
        """Return a name's addresses; the caller's deadline ends the wait, also for a place. Raises ``OSError``."""
        question = (host, port, family)
        while question not in self._under_way:
            await self._places.acquire()
            if question in self._under_way:
                self._places.release()
            else:
                self._start(question)
        found = await asyncio.shield(self._under_way[question])
        if isinstance(found, OSError):
            raise OSError(*found.args)
        return found

    def _start(self, question: _Question) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[str] | OSError] = loop.create_future()
        self._under_way[question] = future

        def settle(found: list[str] | OSError) -> None:
            del self._under_way[question]
            self._places.release()
            future.set_result(found)

        def run() -> None:
            found = _resolve(question)
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile, nobody waits
                loop.call_soon_threadsafe(settle, found)

        try:
            threading.Thread(target=run, name="kassa-dns", daemon=True).start()
        except RuntimeError:  # the system gives no more threads
            loop.call_soon(settle, OSError("The name cannot be resolved: no thread is left"))


def _resolve(question: _Question) -> list[str] | OSError:
    host, port, family = question
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
