"""What a request is about: its account and invoice, learned on the way and put on every log line of the request."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from structlog.typing import EventDict, WrappedLogger

_known: ContextVar[dict[str, str] | None] = ContextVar("known of this request", default=None)


@contextlib.contextmanager
def learning(**facts: str) -> Iterator[dict[str, str]]:
    """Collect what ``about`` is given within the context, tasks that it starts included."""
    known = dict(facts)
    token = _known.set(known)
    try:
        yield known
    finally:
        _known.reset(token)


def about(**facts: str) -> None:
    """Say whose the request is and which invoice it is about; outside of one nothing happens."""
    known = _known.get()
    if known is not None:
        known.update(facts)


def add_known(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put what is known on a line that does not say otherwise (a processor of structlog)."""
    known = _known.get()
    return {**known, **event} if known else event
