"""Whether a process can do its work: what /readyz, /healthz and /metrics say on the health port."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from kassa.app import compare
from kassa.backlog.measuring import Measuring
from kassa.db import migrate, queries
from kassa.errors import DatabaseUnavailable
from kassa.observability import metrics
from kassa.observability.requests import Observed, healthz
from kassa.platform import Platform
from kassa.reconciliation.measuring import Measuring as ReconciliationMeasuring

Check: TypeAlias = Callable[[], Awaitable[str]]
"""Returns what is wrong, an empty text where nothing is."""


def health_app(readiness: "Readiness") -> ASGIApp:
    """Return what answers those who watch this process: how it does, and its counters."""
    routes = [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readiness.answer, methods=["GET"]),
        Route("/metrics", readiness.metrics, methods=["GET"]),
    ]
    return Observed(Router(routes=routes, redirect_slashes=False), surface="health")


class Readiness:
    """Whether this process can do its work at the moment."""

    def __init__(
        self,
        platform: Platform,
        database_url: str,
        *,
        beside: Mapping[str, Check] | None = None,
        rendered: Callable[[], bytes] = metrics.rendered,
    ) -> None:
        """Look at the database through the platform's pool, and at its migrations as their owner.

        ``beside`` are checks of what else this process answers for, ``rendered`` gives its metrics.
        """
        self._platform = platform
        self._database_url = database_url
        self._beside = beside or {}
        self._rendered = rendered
        self._migrated = False
        self._measuring = (Measuring(platform), ReconciliationMeasuring(platform.pool))
        self.stopping = False
        """Whether this process is stopping: then nothing new should be sent to it."""

    def stop(self) -> None:
        """Say from now on that this process stops."""
        self.stopping = True

    async def checks(self) -> dict[str, str]:
        """Return what is wrong by the name of each check, an empty text where all is well."""
        if self.stopping:
            return {"running": "stopping"}
        return {
            "database": await _outcome_of(self._database),
            "migrations": await _outcome_of(self._migrations),
            "clock": await _outcome_of(self._clock),
            **{name: await _outcome_of(check) for name, check in self._beside.items()},
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
        for measuring in self._measuring:
            await measuring.measure()
        return Response(self._rendered(), media_type=metrics.CONTENT_TYPE)

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


async def _outcome_of(check: Check) -> str:
    try:
        return await check()
    except DatabaseUnavailable as error:
        return error.detail
