"""Log lines, structured: JSON, or short and coloured where standard error is a terminal."""

import contextlib
import logging
import sys
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from kassa.observability.context import add_known
from kassa.observability.masking import mask, mask_text
from kassa.observability.terminal import Terminal

Rendering = Callable[[WrappedLogger, str, EventDict], bytes]


def configure(level: str, *, worker: int | None = None) -> None:
    """Send every log line, our own and the libraries', to standard error: JSON, or readable when that is a terminal.

    ``level`` is a name of ``logging``'s; an unknown one counts as ``info``. ``worker`` is the number of the worker
    process that says it, where there are several.
    """
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    terminal = Terminal.of_environment() if sys.stderr.isatty() else None
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _local_time if terminal else structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Text without locals: a frame of the card gate holds a card.
    shown: list[Processor] = [*_naming(worker), add_known, structlog.processors.format_exc_info, mask]
    rendered: Rendering = terminal or _json_line
    _take_libraries_lines([*shown, lambda *line: rendered(*line).decode()], shared, number)
    # Ours go their own way: there is one a request, and logging's machinery costs more than the line itself.
    structlog.configure(
        processors=[*shared, *shown, rendered],
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", _Forgiving(sys.stderr.buffer))),
        wrapper_class=_harmless(structlog.make_filtering_bound_logger(number)),
        cache_logger_on_first_use=True,
    )


def _naming(worker: int | None) -> list[Processor]:
    """Return the step that puts on a line which worker process says it, where there are several."""
    if worker is None:
        return []

    def name(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {**event, "worker": worker}

    return [name]


_local_time = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)


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
    """A stream for log lines that never raises: where the disk is full a line is lost, and no payment is."""

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
    # It warns of every migration that it applies; our own line says the same.
    logging.getLogger("pogo_core").setLevel(logging.ERROR)


def _json_line(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    """Return the line with what a reader looks for first in front."""
    first = {
        "timestamp": event.pop("timestamp", None),
        "level": event.pop("level", None),
        "event": event.pop("event", ""),
    }
    return msgspec.json.encode({**first, **event})
