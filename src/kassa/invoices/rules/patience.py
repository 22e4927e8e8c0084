"""How long a provider is waited for, when it is polled again, and which of its answers can be believed. Pure."""

from datetime import datetime, timedelta
from typing import Final

from kassa.providers.protocol import Absent, Outcome, Pending

ANSWER_SECONDS: Final = 25
"""How long a provider may take to answer ``pay``: the request that carries the card waits no longer."""

ABSENT_AFTER: Final = timedelta(seconds=2 * ANSWER_SECONDS)
"""When "never heard of it" can be believed: a ``pay`` that was on its way has either arrived by then or never will."""

POLL_AFTER_BEGIN: Final = timedelta(seconds=ANSWER_SECONDS)
"""When the worker polls for an attempt whose own request has not reported back: it died, or is about to."""

CLOCKS_APART: Final = timedelta(seconds=5)
"""How far the clocks of two of our processes may differ."""

RECHECK_AFTER: Final = timedelta(minutes=10)
"""When the provider is polled once more for what it has refused, or has never heard of (P2)."""

POLL_FIRST: Final = timedelta(seconds=2)
POLL_SLOWEST: Final = timedelta(minutes=5)


def in_time(begun_at: datetime, *, now: datetime) -> bool:
    """Return whether a provider may still be asked for what was begun at a moment.

    A process that was suspended for longer asks for nothing any more: others may have given up what it was about to do.
    """
    return now <= begun_at + POLL_AFTER_BEGIN


def believed(outcome: Outcome, begun_at: datetime, *, asked_at: datetime) -> Outcome:
    """Return an answer as far as it can be believed: ``Absent`` says nothing where the poll may have been early.

    What counts is when it was asked: the answer may have taken longer than the request for the money.
    """
    early = isinstance(outcome, Absent) and asked_at < begun_at + ABSENT_AFTER
    return Pending() if early else outcome


def recheck_at(failed_at: datetime, *, now: datetime) -> datetime | None:
    """Return when the provider is polled once more for what failed at a moment; None once that is over.

    What it says before, because a notification or the payer has woken the poll, does not stand for it.
    """
    at = failed_at + RECHECK_AFTER
    return at if now < at else None


def poll_delay(polls: int) -> timedelta:
    """Return how long to wait after the ``polls``-th poll of the provider: 2 s, doubling, 5 minutes at most."""
    doublings: int = 2 ** min(polls, 16)
    return min(POLL_FIRST * doublings, POLL_SLOWEST)
