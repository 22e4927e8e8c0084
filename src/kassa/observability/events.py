"""Business events: what happened to money leaves one log line, once it is committed, and is counted then.

``record`` is called where a change is decided. In a transaction the line waits for the commit, and is dropped with
what is rolled back; ``db.pool.transaction`` holds and releases it. Nothing that goes wrong here reaches the caller.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import NamedTuple

import structlog

from kassa.observability.context import about

Fact = str | int | bool | None

_log = structlog.get_logger("kassa.events")


class _Event(NamedTuple):
    name: str
    warning: bool
    facts: dict[str, Fact]
    counting: Callable[[], None] | None


_held: ContextVar[list[_Event] | None] = ContextVar("events held until the commit", default=None)


@contextlib.contextmanager
def until_committed() -> Iterator[None]:
    """Hold what is recorded within the context until its end, and drop it if that raises."""
    held: list[_Event] = []
    token = _held.set(held)
    try:
        yield
    finally:
        _held.reset(token)
    for event in held:
        _write(event)


def record(
    name: str,
    *,
    account_id: str,
    invoice_id: str,
    warning: bool = False,
    count: Callable[[], None] | None = None,
    **facts: Fact,
) -> None:
    """Write an event with its facts, those that are not None, at once or with the transaction under way.

    ``count`` is called with it, for the metrics. ``warning`` is for what an operator may have to look at.
    """
    about(account_id=account_id, invoice_id=invoice_id)
    known = {name: value for name, value in facts.items() if value is not None}
    event = _Event(name, warning, {"account_id": account_id, "invoice_id": invoice_id, **known}, count)
    held = _held.get()
    if held is None:
        _write(event)
    else:
        held.append(event)


def _write(event: _Event) -> None:
    try:
        if event.counting is not None:
            event.counting()
        log = _log.warning if event.warning else _log.info
        log(event.name, **event.facts)
    except Exception:  # noqa: BLE001  # what has happened has happened: a payment is worth more than the line about it
        with contextlib.suppress(Exception):
            _log.exception("an event could not be written", lost=event.name)
