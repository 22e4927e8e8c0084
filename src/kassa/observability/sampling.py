"""Which traces begin: those of requests and of work, never one of a statement alone."""

from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes


class Rooted(Sampler):
    """Drop a request to another system that belongs to no trace: a worker that polls would send little else.

    All else is the other sampler's to decide, which OTEL_TRACES_SAMPLER chooses.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(  # noqa: PLR0917 (the SDK calls it so)
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Decide about one span, as the SDK asks it."""
        rootless = not trace.get_current_span(parent_context).get_span_context().is_valid
        if kind is SpanKind.CLIENT and rootless:
            return SamplingResult(Decision.DROP)
        rest: dict[str, Any] = {"attributes": attributes, "links": links, "trace_state": trace_state}
        return self._sampler.should_sample(parent_context, trace_id, name, kind, **rest)

    def get_description(self) -> str:
        """Name this sampler and the other one."""
        return f"Rooted({self._sampler.get_description()})"
