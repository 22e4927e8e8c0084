"""Composition: makes the platform, the jobs, and puts every room behind its address; it alone knows them all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeAlias

import structlog
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
from kassa.callbacks.delivery import Delivery
from kassa.callbacks.listeners.forgetting import ForgettingListeners
from kassa.catalogue import builtin
from kassa.catalogue.directory import Catalogue
from kassa.catalogue.operations import load_builtin
from kassa.clock import Clock
from kassa.config import Settings
from kassa.db import migrate, pool, queries, view
from kassa.db.home import load_root
from kassa.demo import landing, relay, shop
from kassa.errors import DatabaseUnavailable, SettingsWrong
from kassa.idempotency.forgetting import Forgetting
from kassa.invoices.operations.expire import Expiring
from kassa.invoices.operations.polling import Polling
from kassa.invoices.operations.refund import RefundPolling
from kassa.ledger.numbering import Numbering
from kassa.observability.requests import Observed, healthz
from kassa.outbound import Outbound
from kassa.pages import front
from kassa.platform import Platform
from kassa.providers.registry import Registry
from kassa.rate_limits import RateLimits
from kassa.rates.directory import Rates
from kassa.rates.operations import load_bundled
from kassa.reconciliation.nightly import Reconciling
from kassa.tokens import TokenSigner
from kassa.work.runner import Job
from kassa.work.worker import POLL_SECONDS, Worker

Check: TypeAlias = Callable[[], Awaitable[str]]
"""Returns what is wrong, an empty text where nothing is."""

_ALIVE = Route("/healthz", healthz, methods=["GET"])
_UNOBSERVED_SECONDS: Final = 2 * POLL_SECONDS
"""How old what the worker observed may be before we look ourselves."""
_CLOSE_SECONDS = 1.0

_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def open_platform(
    settings: Settings, database_url: str, *, sizes: pool.PoolSizes | None = None, prepares: bool = True
) -> AsyncIterator[Platform]:
    """Migrate, connect and load what every room needs; ``settings`` has its URLs resolved.

    Only one process ``prepares`` the database, where it starts others beside it. Raises ``SettingsWrong`` for a live
    database that may lose what it acknowledged, ``DatabaseUnavailable``, ``MigrationFailed``.
    """
    if failpoints.armed() and not settings.demo:
        raise SettingsWrong(f"{failpoints.VARIABLE} is set, which kills Kassa on purpose: that is for demo mode alone.")
    if prepares:
        await migrate.migrate(database_url)
    sizes = sizes or pool.PoolSizes()
    root = load_root(settings)
    clock = Clock()
    async with contextlib.AsyncExitStack() as stack:
        connections = await pool.connect(database_url, role="kassa_app", size=sizes.app)
        stack.push_async_callback(pool.close, connections, seconds=_CLOSE_SECONDS)
        views = await pool.connect(database_url, role=view.ROLE, size=sizes.view)
        stack.push_async_callback(pool.close, views, seconds=_CLOSE_SECONDS)
        await _prepare(settings, connections, clock, loads=prepares)
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
            rate_limits=RateLimits(settings),
        )


async def _prepare(settings: Settings, connections: pool.Pool, clock: Clock, *, loads: bool) -> None:
    """Look whether the database can be used, load what comes with Kassa, and set the clock by it."""
    if not settings.demo:
        await _check_durable(connections)
    if loads:
        await load_builtin(connections)
        await load_bundled(connections, now=clock.real())
    clock.test_offset = await queries.test_offset(connections)
    await compare(clock, connections)


async def compare(clock: Clock, connections: pool.Pool) -> None:
    """Let our clock learn how far it is from the database's."""
    asked = clock.reading()
    clock.compare(await queries.database_now(connections), asked)


async def demo_keys(platform: Platform) -> Keys:
    """Return the demo account's keys, creating the account if needed; its callbacks go to the demo shop."""
    settings = platform.settings
    addresses = {"merchant_url": f"{settings.base_url}{shop.PATH}"}
    addresses["callback_url"] = f"{settings.base_url}{shop.CALLBACKS_PATH}"
    services = [service.code for service in builtin.read()[1]]
    return await demo.ensure(
        platform.pool, platform.root, platform.clock, settings.home_path(), addresses, services=services
    )


def base_app(platform: Platform, *, shop_url: str | None = None) -> ASGIApp:
    """Return what answers under the base URL: front door, the APIs, the checkout, the demo shop, ``/healthz``.

    ``shop_url`` is where the demo shop runs, if it is not in this process.
    """
    routes: list[BaseRoute] = [_ALIVE, *kassa.checkout.app.routes(platform)]
    if platform.settings.demo:
        routes += landing.routes(platform)
        routes += shop.routes(platform) if shop_url is None else relay.routes(platform, shop_url)
    else:
        routes += front.routes(platform)
    rest = kassa.api.app.create(platform)
    return Observed(Router(routes=routes, redirect_slashes=False, default=rest), surface="base")


def gate_app(platform: Platform) -> ASGIApp:
    """Return what answers under the gate's URL: the card pages, and that the process lives."""
    rest = kassa.cardgate.app.create(platform)
    return Observed(Router(routes=[_ALIVE], redirect_slashes=False, default=rest), surface="gate")


def shop_app(platform: Platform) -> ASGIApp:
    """Return the demo shop by itself, for the worker processes that pass requests on to it."""
    return Observed(Router(routes=shop.routes(platform), redirect_slashes=False), surface="shop")


def bank_app(platform: Platform) -> ASGIApp:
    """Return the fake bank of the test world; the server that runs it runs its lifespan too."""
    merchants = {BANK_MERCHANT_ID: bank_merchant_secret(platform.root)}
    bank = kassa.bank.app.create(platform.settings.home_path(), platform.clock, merchants, platform.outbound)
    return Observed(bank, surface="bank")


def jobs(platform: Platform) -> tuple[Job[Any], ...]:
    """Return all that runs by itself; ``work.jobs`` says when, on which table and how much at a time."""
    return (
        Delivery(platform),
        Expiring(platform),
        Polling(platform),
        RefundPolling(platform),
        Numbering(platform.pool),
        Forgetting(platform),
        ForgettingListeners(platform),
        Reconciling(platform),
    )


def worker(platform: Platform) -> Worker:
    """Return the worker that does all jobs; its polls also notice for ``follow_operator`` what changes beside us."""
    return Worker(platform.pool, platform.clock, jobs(platform), observe=partial(_observe, platform))


async def _observe(platform: Platform, observed: queries.Observed) -> None:
    platform.clock.test_offset = observed.test_offset
    await platform.catalogue.learn_currencies(observed.currencies)


async def follow_operator(platform: Platform) -> None:
    """Keep up with what changes beside us: test mode's clock, the database's own, and the currencies that there are.

    Where a worker in this process has just observed them, nothing is asked. This function never returns, and nothing
    that goes wrong ends it: payments do not stop because a clock cannot be compared.
    """
    clock, own, warned = platform.clock, platform.clock.compared, False
    while True:
        await asyncio.sleep(POLL_SECONDS)
        reading, last = clock.reading(), clock.compared
        if last is not own and reading.elapsed - last.elapsed < _UNOBSERVED_SECONDS:
            continue
        try:
            observed = await queries.observed(platform.pool)
            clock.compare(observed.database_now, reading)
            own = reading
            await _observe(platform, observed)
        except DatabaseUnavailable:
            _log.debug("clocks and currencies not read, the database is away")
        except Exception:  # noqa: BLE001  # the end of this task is the end of the gateway
            # Once, not four times a second for as long as it lasts.
            if not warned:
                _log.exception("clocks and currencies not read")
            warned = True
        else:
            warned = False


async def _check_durable(connections: pool.Pool) -> None:
    for name in ("fsync", "synchronous_commit"):
        if await queries.setting(connections, name) == "off":
            raise SettingsWrong(f"The database runs with {name}=off and could lose payments: set it to on.")
