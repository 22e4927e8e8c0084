"""How long a provider is waited for, when it is asked again, and which of its answers can be believed. Pure."""

from datetime import datetime, timedelta
from typing import Final

from kassa.providers.protocol import Absent, Outcome, Pending

ANSWER_SECONDS: Final = 25
"""How long a provider may take to answer ``pay``: the request that carries the card waits no longer."""

ABSENT_AFTER: Final = timedelta(seconds=2 * ANSWER_SECONDS)
"""When "never heard of it" can be believed: a ``pay`` that was on its way has either arrived by then or never will."""

ASK_AFTER_BEGIN: Final = timedelta(seconds=ANSWER_SECONDS)
"""When the worker asks about an attempt whose own request has not reported back: it died, or is about to."""

CLOCKS_APART: Final = timedelta(seconds=5)
"""How far the clocks of two of our processes may differ."""

RECHECK_AFTER: Final = timedelta(minutes=10)
"""When an attempt that failed only because nobody had heard of it is asked about once more (P2)."""

ASK_FIRST: Final = timedelta(seconds=2)
ASK_SLOWEST: Final = timedelta(minutes=5)


def in_time(begun_at: datetime, *, now: datetime) -> bool:
    """Tell whether a provider may still be asked for what was begun at a moment.

    A process that stood still for longer asks for nothing any more: others may have given up what it was about to do.
    """
    return now <= begun_at + ASK_AFTER_BEGIN


def believed(outcome: Outcome, begun_at: datetime, *, asked_at: datetime) -> Outcome:
    """Return an answer as far as it can be believed: ``Absent`` says nothing where the question may have been early.

    What counts is when it was asked: the answer may have taken longer than the request for the money.
    """
    early = isinstance(outcome, Absent) and asked_at < begun_at + ABSENT_AFTER
    return Pending() if early else outcome


def ask_delay(asks: int) -> timedelta:
    """Return how long to wait after the ``asks``-th question to the provider: 2 s, doubling, 5 minutes at most."""
    doublings: int = 2 ** min(asks, 16)
    return min(ASK_FIRST * doublings, ASK_SLOWEST)
