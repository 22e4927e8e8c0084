"""Composition: makes the platform and puts every room behind its address; with ``worker`` it alone knows them all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp

import kassa.api.app
import kassa.bank.app
import kassa.cardgate.app
import kassa.checkout.app
from kassa import failpoints
from kassa.accounts import demo
from kassa.accounts.directory import Directory
from kassa.accounts.model import Keys
from kassa.accounts.operations import BANK_MERCHANT_ID, bank_merchant_secret
from kassa.backlog.measuring import Measuring
from kassa.catalogue import builtin
from kassa.catalogue.directory import Catalogue
from kassa.catalogue.operations import load_builtin
from kassa.clock import Clock
from kassa.config import Settings
from kassa.db import migrate, pool, queries, view
from kassa.db.home import load_root
from kassa.demo import landing, shop
from kassa.errors import DatabaseUnavailable, SettingsWrong
from kassa.observability import metrics
from kassa.observability.requests import Observed, healthz
from kassa.outbound import Outbound
from kassa.pacing import Paces
from kassa.pages import front
from kassa.platform import Platform
from kassa.providers.registry import Registry
from kassa.rates.directory import Rates
from kassa.rates.operations import load_bundled
from kassa.tokens import TokenSigner

POOL_SIZE = 16
VIEW_POOL_SIZE = 8

_ALIVE = Route("/healthz", healthz, methods=["GET"])
_FOLLOW_SECONDS = 0.25
_CLOSE_SECONDS = 1.0

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def open_platform(settings: Settings, database_url: str) -> AsyncIterator[Platform]:
    """Migrate, connect and load what every room needs; ``settings`` has its URLs resolved.

    Raises ``SettingsWrong`` for a live database that may lose what it acknowledged, ``DatabaseUnavailable``,
    ``MigrationFailed``.
    """
    if failpoints.armed() and not settings.demo:
        raise SettingsWrong(f"{failpoints.VARIABLE} is set, which kills Kassa on purpose: that is for demo mode alone.")
    await migrate.migrate(database_url)
    root = load_root(settings)
    clock = Clock()
    async with contextlib.AsyncExitStack() as stack:
        connections = await pool.connect(database_url, role="kassa_app", size=POOL_SIZE)
        stack.push_async_callback(pool.close, connections, seconds=_CLOSE_SECONDS)
        views = await pool.connect(database_url, role=view.ROLE, size=VIEW_POOL_SIZE)
        stack.push_async_callback(pool.close, views, seconds=_CLOSE_SECONDS)
        if not settings.demo:
            await _check_durable(connections)
        await load_builtin(connections)
        await load_bundled(connections, now=clock.real())
        clock.test_offset = await queries.test_offset(connections)
        await compare(clock, connections)
        catalogue = Catalogue(connections)
        await catalogue.learn_currencies()
        outbound = await stack.enter_async_context(Outbound(settings))
        providers = Registry.load(settings, outbound)
        yield Platform(
            settings=settings,
            clock=clock,
            root=root,
            tokens=TokenSigner(settings, root),
            pool=connections,
            view=views,
            accounts=Directory(connections, root, providers.codes()),
            catalogue=catalogue,
            rates=Rates(connections, clock, settings),
            providers=providers,
            outbound=outbound,
            paces=Paces(settings),
        )


async def compare(clock: Clock, connections: pool.Pool) -> None:
    """Let our clock learn how far it is from the database's."""
    asked = clock.reading()
    clock.compare(await queries.database_now(connections), asked)


async def demo_keys(platform: Platform) -> Keys:
    """Return the demo account's keys, after making the account if it is not there; it tells the demo shop."""
    settings = platform.settings
    addresses = {"merchant_url": f"{settings.base_url}{shop.PATH}"}
    addresses["callback_url"] = f"{settings.base_url}{shop.CALLBACKS_PATH}"
    services = [service.code for service in builtin.read()[1]]
    return await demo.ensure(
        platform.pool, platform.root, platform.clock, settings.home_path(), addresses, services=services
    )


def base_app(platform: Platform) -> ASGIApp:
    """Return what answers under the base URL: front door, the APIs, the checkout, the demo shop, ``/healthz``."""
    routes: list[BaseRoute] = [_ALIVE, *kassa.checkout.app.routes(platform)]
    if platform.settings.demo:
        routes += [*landing.routes(platform), *shop.routes(platform)]
    else:
        routes += front.routes(platform)
    rest = kassa.api.app.create(platform)
    return Observed(Router(routes=routes, redirect_slashes=False, default=rest), surface="base")


def gate_app(platform: Platform) -> ASGIApp:
    """Return what answers under the gate's URL: the card pages, and that the process lives."""
    rest = kassa.cardgate.app.create(platform)
    return Observed(Router(routes=[_ALIVE], redirect_slashes=False, default=rest), surface="gate")


def bank_app(platform: Platform) -> ASGIApp:
    """Return the fake bank of the test world; the server that runs it runs its lifespan too."""
    merchants = {BANK_MERCHANT_ID: bank_merchant_secret(platform.root)}
    bank = kassa.bank.app.create(platform.settings.home_path(), platform.clock, merchants, platform.outbound)
    return Observed(bank, surface="bank")


def health_app(readiness: "Readiness") -> ASGIApp:
    """Return what answers those who watch this process: how it does, and its counters."""
    routes = [
        _ALIVE,
        Route("/readyz", readiness.answer, methods=["GET"]),
        Route("/metrics", readiness.metrics, methods=["GET"]),
    ]
    return Observed(Router(routes=routes, redirect_slashes=False), surface="health")


async def follow_operator(platform: Platform) -> None:
    """Keep up with what changes beside us: test mode's clock, the database's own, and the currencies that there are.

    This function never returns, and nothing that goes wrong ends it: payments do not stop for a clock that stands.
    """
    told = False
    while True:
        await asyncio.sleep(_FOLLOW_SECONDS)
        try:
            platform.clock.test_offset = await queries.test_offset(platform.pool)
            await compare(platform.clock, platform.pool)
            await platform.catalogue.learn_currencies()
        except DatabaseUnavailable:
            _log.debug("clocks and currencies not read, the database is away")
        except Exception:  # noqa: BLE001  # the end of this task is the end of the gateway
            # Once, not four times a second for as long as it lasts.
            if not told:
                _log.exception("clocks and currencies not read")
            told = True
        else:
            told = False


class Readiness:
    """Whether this process can do its work at the moment."""

    def __init__(self, platform: Platform, database_url: str) -> None:
        """Look at the database through the platform's pool, and at its migrations as their owner."""
        self._platform = platform
        self._database_url = database_url
        self._migrated = False
        self._measuring = Measuring(platform)
        self.stopping = False
        """Whether this process was told to stop: then nothing new should come to it."""

    async def checks(self) -> dict[str, str]:
        """Return what is wrong by the name of each check, an empty text where all is well."""
        if self.stopping:
            return {"running": "stopping"}
        return {
            "database": await _told(self._database),
            "migrations": await _told(self._migrations),
            "clock": await _told(self._clock),
        }

    async def answer(self, _request: Request) -> Response:
        """Answer ``/readyz``: 200, or 503 with what is wrong."""
        checks = await self.checks()
        ready = not any(checks.values())
        content = {
            "status": "ready" if ready else "not ready",
            "checks": {name: wrong or "ok" for name, wrong in checks.items()},
        }
        return JSONResponse(content, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    async def metrics(self, _request: Request) -> Response:
        """Answer ``/metrics``, in Prometheus' text format."""
        await self._measuring.measure()
        return Response(metrics.rendered(), media_type=metrics.CONTENT_TYPE)

    async def _database(self) -> str:
        await queries.test_offset(self._platform.pool)
        return ""

    async def _migrations(self) -> str:
        # Migrations only go forward: once they are applied they stay so.
        if not self._migrated:
            waiting = await migrate.pending(self._database_url)
            self._migrated = not waiting
            return f"{len(waiting)} to apply" if waiting else ""
        return ""

    async def _clock(self) -> str:
        clock = self._platform.clock
        await compare(clock, self._platform.pool)
        return "" if clock.agrees() else f"{abs(clock.apart()).total_seconds():.0f} s from the database's"


async def _told(check: Callable[[], Awaitable[str]]) -> str:
    try:
        return await check()
    except DatabaseUnavailable as error:
        return error.detail


async def _check_durable(connections: pool.Pool) -> None:
    for name in ("fsync", "synchronous_commit"):
        if await queries.setting(connections, name) == "off":
            raise SettingsWrong(f"The database runs with {name}=off and could lose payments: set it to on.")
