"""What Prometheus reads: one registry, and every metric of Kassa in it. Labels take bounded sets of values only."""

import platform
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from kassa import __version__

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double every series

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_RESOLUTIONS_MAX: Final = 100
_OTHER: Final = "other"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

registry = CollectorRegistry()
ProcessCollector(registry=registry)
Info("kassa_build", "The version of Kassa and of the Python that runs it.", registry=registry).info(
    {"version": __version__, "python": platform.python_version()}
)

requests_total = Counter(
    "kassa_http_requests",
    "Requests answered, by surface, method, route and status.",
    ("surface", "method", "route", "status"),
    registry=registry,
)
request_seconds = Histogram(
    "kassa_http_request_duration_seconds",
    "How long requests took, by surface, method, route and class of status.",
    ("surface", "method", "route", "status_class"),
    buckets=_SECONDS,
    registry=registry,
)
connections_cut_total = Counter(
    "kassa_connections_cut",
    "Connections that were cut because they were slow, or refused because there was no room.",
    ("why",),
    registry=registry,
)
refused_total = Counter(
    "kassa_limits_refused",
    "Requests refused because there were too many of them, by the limit that they passed.",
    ("limit",),
    registry=registry,
)

payments_total = Counter(
    "kassa_payments",
    "Changes of payment attempts: what became of each, by service, provider and resolution.",
    ("service", "provider", "outcome", "resolution", "mode"),
    registry=registry,
)
provider_requests_total = Counter(
    "kassa_provider_requests",
    "Requests to providers, by what came of them; unknown is silence or an answer that makes no sense.",
    ("provider", "operation", "outcome"),
    registry=registry,
)
provider_request_seconds = Histogram(
    "kassa_provider_request_duration_seconds",
    "How long providers took to answer.",
    ("provider", "operation"),
    buckets=_SECONDS,
    registry=registry,
)
callback_requests_total = Counter(
    "kassa_callback_requests",
    "Tries to deliver a callback: delivered, failed (it is tried again) or given up, and why.",
    ("outcome", "cause"),
    registry=registry,
)
callback_request_seconds = Histogram(
    "kassa_callback_request_duration_seconds",
    "How long merchants' endpoints took to answer a callback, or to fail.",
    ("outcome",),
    buckets=_SECONDS,
    registry=registry,
)

reconciliation_discrepancies_open = Gauge(
    "kassa_reconciliation_discrepancies_open",
    "Differences between the providers' books and ours that are still open, by mode.",
    ("mode",),
    multiprocess_mode="mostrecent",
    registry=registry,
)
reconciliation_problems = Gauge(
    "kassa_reconciliation_problems",
    "Provider accounts whose last comparison of books could not be made, by mode.",
    ("mode",),
    multiprocess_mode="mostrecent",
    registry=registry,
)
reconciliation_last_run = Gauge(
    "kassa_reconciliation_last_run_timestamp_seconds",
    "When books were last compared to the end, by mode and its clock.",
    ("mode",),
    multiprocess_mode="mostrecent",
    registry=registry,
)

callbacks_waiting = Gauge(
    "kassa_callbacks_waiting",
    "Callbacks that are not delivered yet; counted to 10,000. The database's: the same in every process.",
    ("mode",),
    registry=registry,
)
attempts_waiting = Gauge(
    "kassa_attempts_waiting",
    "Payment attempts that the provider or the payer has to decide; counted to 10,000.",
    ("mode",),
    registry=registry,
)
refunds_waiting = Gauge(
    "kassa_refunds_waiting",
    "Refunds that the provider has not decided; counted to 10,000.",
    ("mode",),
    registry=registry,
)
ledger_entries_waiting = Gauge(
    "kassa_ledger_entries_waiting",
    "Ledger entries that have no number yet; counted to 10,000.",
    ("mode",),
    registry=registry,
)
unknown_outcomes = Gauge(
    "kassa_unknown_outcomes",
    "Payment attempts whose outcome is unknown and that wait for no payer.",
    ("mode",),
    registry=registry,
)
held_for_review = Gauge(
    "kassa_held_for_review",
    "Invoices that wait for a person.",
    ("mode",),
    registry=registry,
)
oldest_callback_age_seconds = Gauge(
    "kassa_oldest_callback_age_seconds",
    "How long ago the oldest callback that is not delivered was queued; 0: there is none.",
    ("mode",),
    registry=registry,
)
oldest_attempt_age_seconds = Gauge(
    "kassa_oldest_attempt_age_seconds",
    "How long ago the oldest attempt that is not decided began; 0: there is none.",
    ("mode",),
    registry=registry,
)
oldest_refund_age_seconds = Gauge(
    "kassa_oldest_refund_age_seconds",
    "How long ago the oldest refund that is not decided began; 0: there is none.",
    ("mode",),
    registry=registry,
)
oldest_ledger_entry_age_seconds = Gauge(
    "kassa_oldest_ledger_entry_age_seconds",
    "How long ago the oldest entry without a number was booked; 0: there is none.",
    ("mode",),
    registry=registry,
)
oldest_unknown_outcome_age_seconds = Gauge(
    "kassa_oldest_unknown_outcome_age_seconds",
    "How long ago the oldest attempt of unknown outcome began; 0: there is none.",
    ("mode",),
    registry=registry,
)
BACKLOG: Final = (
    callbacks_waiting,
    attempts_waiting,
    refunds_waiting,
    ledger_entries_waiting,
    unknown_outcomes,
    held_for_review,
    oldest_callback_age_seconds,
    oldest_attempt_age_seconds,
    oldest_refund_age_seconds,
    oldest_ledger_entry_age_seconds,
    oldest_unknown_outcome_age_seconds,
)
"""Gauges that are read from the database."""

pool_connections = Gauge(
    "kassa_db_pool_connections",
    "This process's connections to the database.",
    ("pool", "state"),
    multiprocess_mode="livesum",
    registry=registry,
)
pool_connections_max = Gauge(
    "kassa_db_pool_connections_max",
    "How many there may be.",
    ("pool",),
    multiprocess_mode="livesum",
    registry=registry,
)
pool_waiting = Gauge(
    "kassa_db_pool_waiting",
    "Who waits for a free one.",
    ("pool",),
    multiprocess_mode="livesum",
    registry=registry,
)
clock_skew_seconds = Gauge(
    "kassa_clock_skew_seconds",
    "How far this machine's clock is ahead of the database's.",
    # Only the process that is asked sets it: the others add their zeros.
    multiprocess_mode="livesum",
    registry=registry,
)
worker_ends_total = Counter(
    "kassa_worker_process_ends",
    "Worker processes that ended without being asked to, and were replaced.",
    registry=registry,
)


def rendered() -> bytes:
    """Return all metrics in Prometheus' text format."""
    return generate_latest(registry)


def mode(*, test_mode: bool) -> str:
    """Return the value of the label ``mode``."""
    return "test" if test_mode else "live"


def resolution(word: str) -> str:
    """Return the value of the label ``resolution``: providers have their own words, and metrics no room for all."""
    if word not in _resolutions and len(_resolutions) >= _RESOLUTIONS_MAX:
        return _OTHER
    _resolutions.add(word)
    return word


_resolutions: set[str] = set()
