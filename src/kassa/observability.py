"""What Kassa tells about itself: structured log lines, a request id, counters; never a card number or a key."""

import contextlib
import logging
import re
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import msgspec
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, Processor, WrappedLogger

REQUEST_ID_HEADER = "X-Request-Id"
INTERNAL_ERROR = {
    "errors": [
        {"status": "internal_error", "code": "500", "title": "internal_error", "detail": "Internal server error."}
    ]
}
"""The body of every 500 (CONTRACT §8)."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_OTHER = "other"
_QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})

_CARD = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
_MASKED_LENGTH_MIN = 7
"""Shorter texts, as most of a line's are, hold neither a card number nor one of these."""
_SECRETS = (
    ("sk_", re.compile(r"\b(sk_(?:test|live)_)[A-Za-z0-9_-]+"), r"\1…"),
    ("", re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"), "…"),
    ("://", re.compile(r"(://[^:/@\s]+:)[^@\s]+@"), r"\1…@"),
    (" ", re.compile(r"\b((?:Basic|Bearer) )[A-Za-z0-9+/=._~-]+"), r"\1…"),
)
"""What a text has to hold before it is searched, which is found much faster; what is searched for; what stays."""

registry = CollectorRegistry()
requests_total = Counter(
    "kassa_requests_total",
    "Requests answered, by surface, method, route and status.",
    ("surface", "method", "route", "status"),
    registry=registry,
)
request_seconds = Histogram(
    "kassa_request_seconds",
    "How long requests took, by surface and route.",
    ("surface", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=registry,
)
reconciliation_cases_open = Gauge(
    "kassa_reconciliation_cases_open",
    "Differences between the providers' books and ours that nobody has closed, by mode.",
    ("mode",),
    registry=registry,
)
reconciliation_problems = Gauge(
    "kassa_reconciliation_problems",
    "Provider accounts whose last comparison of books could not be made, by mode.",
    ("mode",),
    registry=registry,
)
reconciliation_last_run = Gauge(
    "kassa_reconciliation_last_run_timestamp_seconds",
    "When books were last compared to the end, by mode and its clock.",
    ("mode",),
    registry=registry,
)
connections_cut_total = Counter(
    "kassa_connections_cut_total",
    "Connections that were cut because they were slow, or refused because there was no room.",
    ("why",),
    registry=registry,
)
refused_total = Counter(
    "kassa_limits_refused_total",
    "Requests refused because there were too many of them, by the limit that they passed.",
    ("limit",),
    registry=registry,
)

Rendering = Callable[[WrappedLogger, str, EventDict], bytes]

_log = structlog.get_logger(__name__)


def configure(level: str) -> None:
    """Send every log line, our own and the libraries', to standard error: JSON, or readable when that is a terminal.

    ``level`` is a name of ``logging``'s; an unknown one counts as ``info``.
    """
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Text without locals: a frame of the card gate holds a card.
    shown: list[Processor] = [structlog.processors.format_exc_info, mask]
    rendered = _rendered_for_people() if sys.stderr.isatty() else _json_line
    _take_libraries_lines([*shown, lambda *line: rendered(*line).decode()], shared, number)
    # Ours go their own way: there is one a request, and logging's machinery costs more than the line itself.
    structlog.configure(
        processors=[*shared, *shown, rendered],
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", _Forgiving(sys.stderr.buffer))),
        wrapper_class=_harmless(structlog.make_filtering_bound_logger(number)),
        cache_logger_on_first_use=True,
    )


def _rendered_for_people() -> Rendering:
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)

    def rendered(logger: WrappedLogger, method: str, event: EventDict) -> bytes:
        return console(logger, method, event).encode(errors="backslashreplace")

    return rendered


def _harmless(bound: type[Any]) -> type[Any]:
    """Return a logger of which no line, whatever it carries, raises anything in the code that logs it."""

    class Harmless(bound):  # type: ignore[misc]  # chosen by level at run time
        def _proxy_to_logger(self, method_name: str, event: str | None = None, **event_kw: Any) -> Any:
            try:
                return super()._proxy_to_logger(method_name, event, **event_kw)
            except Exception as error:  # noqa: BLE001  # a payment is worth more than the line about it
                line = {"level": "error", "event": "a log line could not be written", "error": type(error).__name__}
                self._logger.msg(msgspec.json.encode({**line, "line": mask_text(str(event))}))

    return Harmless


class _Forgiving:
    """A stream for lines, whose trouble is nobody else's: where the disk is full a line is lost, and no payment is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: bytes) -> None:
        """Write a line, if there is room for it."""
        with contextlib.suppress(OSError):
            self._stream.write(line)

    def flush(self) -> None:
        """Let it be seen, if that can be."""
        with contextlib.suppress(OSError):
            self._stream.flush()


def _take_libraries_lines(shown: list[Processor], shared: list[Processor], number: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    processors = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shown]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=processors))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.INFO))
    for name in ("uvicorn", "asyncio", "asyncpg", "aiohttp"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns of every migration that it applies; ours tells the same.
    logging.getLogger("pogo_core").setLevel(logging.ERROR)


def _json_line(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    return msgspec.json.encode(event)


def mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace what looks like a card number or a key: the last net, for what no line should have carried at all."""
    return {name: _masked(value) for name, value in event.items()}


def mask_text(text: str) -> str:
    """Return a text without card numbers and keys."""
    if len(text) < _MASKED_LENGTH_MIN:
        return text
    for sign, shape, replacement in _SECRETS:
        if sign in text:
            text = shape.sub(replacement, text)
    return _CARD.sub(_card_masked, text)


def _masked(value: Any) -> Any:
    match value:
        case None | bool() | float():
            return value
        case str():
            return mask_text(value)
        case int():
            text = str(value)
            shown = mask_text(text)
            return value if shown == text else shown
        case dict():
            return {mask_text(str(name)): _masked(inner) for name, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(inner) for inner in value]
        case _:
            return mask_text(repr(value))


def _card_masked(found: re.Match[str]) -> str:
    digits = [int(character) for character in found[0] if character.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return "[card]" if sum(doubled) % 10 == 0 else found[0]


class Observed:
    """The outermost layer of each surface: for every request an id, one log line and the counters (pure ASGI)."""

    def __init__(self, app: ASGIApp, *, surface: str) -> None:
        """Wrap an app; ``surface`` is its name in logs and counters."""
        self._app = app
        self._surface = surface

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and tell how it went; an error that no room caught becomes the contract's 500."""
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
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer)
            except Exception:  # noqa: BLE001  # nothing is further out than this
                _log.exception("request failed")
                if not status:
                    await JSONResponse(INTERNAL_ERROR, status_code=500)(scope, receive, answer)
            finally:
                self._tell(scope, status, time.monotonic() - begun)
        return None

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or _OTHER
        requests_total.labels(self._surface, scope["method"], route, str(status)).inc()
        request_seconds.labels(self._surface, route).observe(seconds)
        path = scope["path"]
        tell = _log.debug if path in _QUIET_PATHS and status < 400 else _log.info  # noqa: PLR2004
        milliseconds = round(seconds * 1000, 1)
        tell("request", surface=self._surface, method=scope["method"], path=path, status=status, ms=milliseconds)


async def healthz(_request: Request) -> Response:
    """Answer that the process lives."""
    return JSONResponse({"status": "ok"})


async def metrics(_request: Request) -> Response:
    """Answer the counters in Prometheus' text format."""
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _request_id(scope: Scope) -> str:
    wanted = REQUEST_ID_HEADER.lower().encode()
    given = next((value for name, value in scope["headers"] if name == wanted), b"").decode("latin-1")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
