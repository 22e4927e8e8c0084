"""One request to another server: one deadline for all of it, no redirects, cookies, or proxies from the environment."""

import asyncio
import contextlib
import re
from collections.abc import Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Self

import aiohttp
import msgspec
from yarl import URL

from kassa import __version__, failpoints
from kassa.config import Settings
from kassa.errors import AddressRefused, AnswerTimedOut, AnswerTooLarge, ConnectionFailed, TlsFailed
from kassa.failpoints import Point
from kassa.outbound.addresses import AddressTable, Reach, literal
from kassa.outbound.causes import cause_of
from kassa.outbound.dialing import Sending, open_session

ANSWER_BYTES_MAX = 64 * 1024
URL_LENGTH_MAX = 2048
_COURTESY_SECONDS = 5.0
"""How long an unneeded body is read: hanging up at once would abort some servers' scripts half-way."""

_UNFIT = re.compile(r"[\x00-\x20\x7f\\]")
_OWN_HEADERS = {"User-Agent": f"Kassa/{__version__}", "Accept-Encoding": "identity"}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; values of a repeated name are joined by ``", "``."""
    body: bytes
    """As it came over the wire: never decompressed, and at most 64 KiB."""


class Outbound:
    """Sends requests. Made once in a process; ``close`` it in the loop that used it."""

    def __init__(self, settings: Settings) -> None:
        """Read what guarded requests may reach. Raises ``SettingsWrong``."""
        self._table = AddressTable.from_settings(settings)
        self._sessions: dict[tuple[Reach, bool], aiohttp.ClientSession] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close what is open; requests after it fail with ``ConnectionFailed``."""
        self._closed = True
        for session in self._sessions.values():
            await session.close()

    def check_url(self, url: str, *, https_only: bool = False) -> None:
        """Validate a URL that is about to be saved, as far as possible without DNS.

        Raises ``AddressRefused``, whose ``detail`` is a sentence for the user.
        """
        parsed = _parse(url)
        port = parsed.port or 0
        reach = _guarded_reach(parsed, https_only=https_only)
        address = literal(parsed.host or "")
        if address is not None:
            if not self._table.permits(address, port, reach):
                raise AddressRefused
        elif self._table.opened:
            return  # the name may resolve to what the operator opened, on any port
        elif reach is Reach.OPENED:
            raise AddressRefused("This address should begin with https://.")
        elif port not in self._table.ports:
            raise AddressRefused("This port is not one that requests are sent to.")

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeout_seconds: float,
        guarded: bool,
        https_only: bool = False,
        body_needed: bool = True,
        repeatable: bool = False,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Answer:
        """Send one request and return the answer, whatever its status; redirects are answers like others.

        A ``repeatable`` one, of which a second copy does no harm, goes over a kept connection where there is one, and
        once more over a new one where that turns out to be closed; every other one connects anew and is sent once.

        ``guarded`` is for addresses that came from a merchant: it admits public addresses and what the operator opened.
        ``https_only`` refuses plain HTTP to all that the operator did not open. Without ``body_needed`` the status line
        is the answer: of a body that is too large, too slow or cut, what has come is kept. ``timeout_seconds`` is for
        all of it.

        Raises ``AddressRefused``, ``ConnectionFailed``, ``TlsFailed``, ``AnswerTimedOut``, ``AnswerTooLarge``.
        """
        parsed = _parse(url)
        reach = _guarded_reach(parsed, https_only=https_only) if guarded else Reach.ANYWHERE
        request = _Request(
            method=method,
            url=parsed,
            headers={**_OWN_HEADERS, **headers},
            body=body,
            body_needed=body_needed,
            answer_bytes_max=answer_bytes_max,
        )
        with _named_failures():
            async with asyncio.timeout(timeout_seconds) as deadline:
                return await self._send(request, reach, deadline, repeatable=repeatable)

    async def _send(self, request: "_Request", reach: Reach, deadline: asyncio.Timeout, *, repeatable: bool) -> Answer:
        sending = Sending()
        try:
            return await request.send(self._session(reach, kept=repeatable), deadline, sending)
        except ConnectionFailed:
            if not sending.reused:
                raise
        return await request.send(self._session(reach, kept=False), deadline, Sending())

    def _session(self, reach: Reach, *, kept: bool) -> aiohttp.ClientSession:
        if self._closed:
            raise ConnectionFailed
        if (reach, kept) not in self._sessions:
            self._sessions[reach, kept] = open_session(partial(self._table.permits, reach=reach), keeps=kept)
        return self._sessions[reach, kept]


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, ready to be sent."""

    method: str
    url: URL
    headers: Mapping[str, str]
    body: bytes
    body_needed: bool
    answer_bytes_max: int

    def __repr__(self) -> str:
        return f"_Request({self.method}, …)"

    async def send(self, session: aiohttp.ClientSession, deadline: asyncio.Timeout, sending: Sending) -> Answer:
        """Send it once, and note in ``sending`` over what."""
        failpoints.reach(Point.SENDING)
        async with session.request(
            self.method,
            self.url,
            headers=self.headers,
            data=self.body or None,
            allow_redirects=False,
            trace_request_ctx=sending,
        ) as response:
            content = bytearray()
            if self.body_needed:
                await _read(response, content, self.answer_bytes_max)
            else:
                await _read_in_courtesy(response, content, deadline)
            failpoints.reach(Point.ANSWERED)
            body = bytes(content[: self.answer_bytes_max])
            return Answer(status=response.status, headers=_plain(response), body=body)


@contextlib.contextmanager
def _named_failures() -> Iterator[None]:
    """Raise our own errors in place of what the client and the system raise."""
    try:
        yield
    except TimeoutError:
        raise AnswerTimedOut from None
    except aiohttp.ClientSSLError as error:
        raise TlsFailed(cause=cause_of(error)) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ConnectionFailed(cause=cause_of(error)) from None


def _guarded_reach(url: URL, *, https_only: bool) -> Reach:
    return Reach.OPENED if https_only and url.scheme == "http" else Reach.GUARDED


def _parse(url: str) -> URL:
    """Return the parts of an address that a request can be sent to. Raises ``AddressRefused``."""
    if len(url) > URL_LENGTH_MAX:
        raise AddressRefused(f"This address should be no longer than {URL_LENGTH_MAX} characters.")
    if _UNFIT.search(url):
        raise AddressRefused("This address should hold no spaces, control characters or backslashes.")
    try:
        parsed = URL(url)
    except ValueError:
        raise AddressRefused("This is not an address.") from None
    if "%" in (parsed.raw_host or ""):
        raise AddressRefused("This is not an address.")
    if parsed.scheme not in ("http", "https") or not parsed.host or not parsed.port:
        raise AddressRefused("This address should begin with https:// or http://.")
    if parsed.user is not None or parsed.password is not None:
        raise AddressRefused("This address should hold no user name or password.")
    return parsed


async def _read(response: aiohttp.ClientResponse, content: bytearray, most: int = ANSWER_BYTES_MAX) -> None:
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > most:
            raise AnswerTooLarge


async def _read_in_courtesy(response: aiohttp.ClientResponse, content: bytearray, deadline: asyncio.Timeout) -> None:
    until = min(deadline.when() or 0.0, asyncio.get_running_loop().time() + _COURTESY_SECONDS)
    deadline.reschedule(None)
    with contextlib.suppress(TimeoutError, AnswerTooLarge, aiohttp.ClientError, OSError):
        async with asyncio.timeout_at(until):
            await _read(response, content)


def _plain(response: aiohttp.ClientResponse) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers
