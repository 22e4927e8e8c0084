"""Traces by OpenTelemetry: request, statements, provider and callback in one, over processes and retries.

An extra (``kassa[otel]``) that is on where the SDK's own variable names a collector. Off, it imports nothing and a span
is a constant. Spans carry ids, routes and outcomes; statements are recorded without their parameters.
"""

import contextlib
import os
import threading
from collections.abc import Mapping
from typing import Any, Final

import structlog

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FLUSH_SECONDS: Final = 2
"""How long the last spans may take at the end; a collector that is away holds nothing up."""

_OFF: Final = contextlib.nullcontext()
_log = structlog.get_logger(__name__)


class _Tracing:
    """The SDK's parts that are used, once it is on."""

    def __init__(self) -> None:
        # Imported here, because the extra may not be installed and is dear to import.
        from opentelemetry import propagate, trace  # noqa: PLC0415
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        from kassa import __version__  # noqa: PLC0415

        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over these.
        resource = Resource.create({"service.version": __version__, **_service_name()})
        self.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self.provider.get_tracer("kassa", __version__)
        self.kinds, self.current = trace.SpanKind, trace.get_current_span
        self.inject, self.extract = propagate.inject, propagate.extract


_tracing: _Tracing | None = None


def configure(environ: Mapping[str, str] = os.environ) -> None:
    """Begin to trace where a collector is named; where the extra is missing, say so and go on without."""
    global _tracing  # noqa: PLW0603 (one SDK a process)
    if _tracing is not None or not any(environ.get(name) for name in ENDPOINTS):
        return
    try:
        _tracing = _Tracing()
    except ImportError:
        _log.warning("OpenTelemetry is not installed, so nothing is traced: pip install 'kassa[otel]'.")
    except Exception as error:  # noqa: BLE001 (whatever the SDK's variables say, payments are taken)
        _log.warning("nothing is traced: OpenTelemetry does not start with these settings", error=type(error).__name__)


def on() -> bool:
    """Return whether spans are made."""
    return _tracing is not None


def within() -> bool:
    """Return whether a span is open that is recorded: statements and requests elsewhere are recorded within one only.

    A worker that polls would send little else.
    """
    return _tracing is not None and _tracing.current().is_recording()


def statement(name: str, text: str) -> Any:
    """Return a context that is the span of a statement, whose ``text`` has parameters in the place of values."""
    if _tracing is None:
        return _OFF
    return _span(_tracing, name, "client", None, {"db.system.name": "postgresql", "db.query.text": text})


def span(name: str, kind: str, *, parent: str | None = None, **attributes: object) -> Any:
    """Return a context that is one span, or nothing when tracing is off.

    ``kind`` is ``server``, ``client`` or ``consumer``; ``parent`` is a W3C ``traceparent`` that was ``carried`` here.
    Attributes become ``kassa.…``; None is left out. An error that passes through is recorded by its type alone: its
    text could quote what a payer entered.
    """
    if _tracing is None:
        return _OFF
    context = _tracing.extract({"traceparent": parent}) if parent else None
    given = {f"kassa.{key}": str(value) for key, value in attributes.items() if value is not None}
    return _span(_tracing, name, kind, context, given)


@contextlib.contextmanager
def _span(tracing: _Tracing, name: str, kind: str, context: Any, given: Mapping[str, str]) -> Any:
    with tracing.tracer.start_as_current_span(
        name,
        context=context,
        kind=tracing.kinds[kind.upper()],
        attributes=given,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__qualname__)
            raise


def carried() -> str | None:
    """Return the present span as a W3C ``traceparent``, to be kept with work that goes on elsewhere; None when off."""
    return headers().get("traceparent")


def headers() -> dict[str, str]:
    """Return the headers that let a receiver join the trace; none when tracing is off."""
    found: dict[str, str] = {}
    if _tracing is not None:
        _tracing.inject(found)
    return {name: value for name, value in found.items() if name == "traceparent"}


def finish() -> None:
    """Send the last spans, for at most ``FLUSH_SECONDS``."""
    if _tracing is None:
        return
    # The SDK's own flush may wait for a collector much longer; a daemon's thread is left behind.
    last = threading.Thread(target=_tracing.provider.force_flush, daemon=True)
    last.start()
    last.join(FLUSH_SECONDS)


def _service_name() -> dict[str, str]:
    return {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "kassa"}
