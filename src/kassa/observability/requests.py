"""Every request leaves one log line, and its time in the metrics."""

import contextlib
import re
import secrets
import time
from typing import Any, Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kassa.observability import tracing
from kassa.observability.context import learning
from kassa.observability.metrics import request_seconds, requests_total

REQUEST_ID_HEADER: Final = "X-Request-Id"
INTERNAL_ERROR: Final = {
    "errors": [
        {"status": "internal_error", "code": "500", "title": "internal_error", "detail": "Internal server error."}
    ]
}
"""The body of every 500 (contract#errors)."""

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_INVOICE_ID: Final = re.compile(r"cpi_[A-Za-z0-9]{16}")
_OTHER: Final = "other"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""A client may invent methods; metrics know these."""
_QUIET_PATHS: Final = frozenset({"/healthz", "/readyz", "/metrics"})

_TRACED: Final = frozenset({"base", "gate"})
"""Kassa's own surfaces: the fake bank plays somebody else's server."""

_log = structlog.get_logger(__name__)


class Observed:
    """The outermost layer of each surface: for every request an id, one log line and the counters (pure ASGI)."""

    def __init__(self, app: ASGIApp, *, surface: str) -> None:
        """Wrap an app; ``surface`` is its name in logs and counters."""
        self._app = app
        self._surface = surface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and log it; an error that nothing caught becomes the contract's 500."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), (REQUEST_ID_HEADER.lower().encode(), request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        begun = time.monotonic()
        with self._span(scope, request_id) as current, learning(request_id=request_id) as known:
            try:
                await self._app(scope, receive, answer)
            except Exception:  # noqa: BLE001  # nothing is further out than this
                _log.exception("request failed")
                if not status:
                    await JSONResponse(INTERNAL_ERROR, status_code=500)(scope, receive, answer)
            finally:
                _learn_invoice(scope, known)
                self._note(scope, status, time.monotonic() - begun)
                if current is not None:
                    _describe(current, scope, status, known)
        return None

    def _span(self, scope: Scope, request_id: str) -> Any:
        """Return the request's span. A traceparent from outside is not taken up: its sender would choose the trace."""
        if scope["path"] in _QUIET_PATHS or self._surface not in _TRACED:
            return contextlib.nullcontext()
        return tracing.span("request", "server", surface=self._surface, request_id=request_id)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or _OTHER
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        requests_total.labels(self._surface, method, route, str(status)).inc()
        request_seconds.labels(self._surface, method, route, f"{status // 100}xx").observe(seconds)
        path = scope["path"]
        log = _log.debug if path in _QUIET_PATHS and status < 400 else _log.info  # noqa: PLR2004
        milliseconds = round(seconds * 1000, 1)
        log("request", surface=self._surface, method=scope["method"], path=path, status=status, ms=milliseconds)


def _learn_invoice(scope: Scope, known: dict[str, str]) -> None:
    """Take the invoice's id from the address, where nothing on the way has named it."""
    named: Any = scope.get("path_params", {}).get("invoice_id")
    if isinstance(named, str) and _INVOICE_ID.fullmatch(named):
        known.setdefault("invoice_id", named)


def _describe(current: Any, scope: Scope, status: int, known: dict[str, str]) -> None:
    """Name a request's span as conventions have it, once its route is known."""
    route = getattr(scope.get("route"), "path", None) or _OTHER
    method = scope["method"] if scope["method"] in _METHODS else _OTHER
    current.update_name(f"{method} {route}")
    current.set_attribute("http.request.method", method)
    current.set_attribute("http.route", route)
    current.set_attribute("http.response.status_code", status)
    for name in ("account_id", "invoice_id"):
        if name in known:
            current.set_attribute(f"kassa.{name}", known[name])


async def healthz(_request: Request) -> Response:
    """Answer that the process lives."""
    return JSONResponse({"status": "ok"})


def _request_id(scope: Scope) -> str:
    wanted = REQUEST_ID_HEADER.lower().encode()
    given = next((value for name, value in scope["headers"] if name == wanted), b"").decode("latin-1")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
