"""A reverse proxy as operators put one before several processes: takes turns, and asks another where one is away."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import aiohttp
from aiohttp import web
from yarl import URL

IDLE_SECONDS: Final = 0.5
"""How long an idle connection is kept: for less than a process that stops still listens."""

_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


@dataclass(kw_only=True)
class Balancer:
    """The proxy, and how it went."""

    upstreams: Sequence[str]
    session: aiohttp.ClientSession
    url: str = ""
    answered: dict[str, int] = field(default_factory=dict)
    """How many requests each process has answered."""
    retried: int = 0
    broken: list[str] = field(default_factory=list)
    """Requests that were sent and not answered: nobody may send those again by himself."""
    _turns: count = field(default_factory=count)  # type: ignore[type-arg]  # a type only to checkers

    async def carry(self, request: web.Request) -> web.Response:
        """Carry one request to whose turn it is, and once more to the next where that one is away or says 503."""
        body, turn = await request.read(), next(self._turns)
        first, second = (self.upstreams[(turn + step) % len(self.upstreams)] for step in (0, 1))
        try:
            answer = await self._ask(first, request, body)
            if answer.status != 503:
                return answer
        except aiohttp.ClientConnectorError:
            pass
        except (aiohttp.ClientError, OSError) as error:
            self.broken.append(f"{request.method} {request.path}: {error!r}")
            return web.Response(status=502)
        self.retried += 1
        return await self._ask(second, request, body)

    async def _ask(self, upstream: str, request: web.Request, body: bytes) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        url = URL(upstream + request.raw_path, encoded=True)
        async with self.session.request(
            request.method, url, headers=headers, data=body or None, allow_redirects=False
        ) as answer:
            back = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
            content = await answer.read()
        self.answered[upstream] = self.answered.get(upstream, 0) + 1
        return web.Response(status=answer.status, headers=back, body=content)


@asynccontextmanager
async def balancing(upstreams: Sequence[str]) -> AsyncIterator[Balancer]:
    """Run a proxy before these."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        balancer = Balancer(upstreams=upstreams, session=session)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", balancer.carry)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            balancer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield balancer
        finally:
            await runner.cleanup()
