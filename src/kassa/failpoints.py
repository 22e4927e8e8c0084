"""Places where a test lets this process die as a failing machine does.

Nothing happens at any of them unless ``TESTING_FAILPOINTS`` names a file, and that file a number of times. What is left
of a number that is too large shows how many places were reached.
``kassa serve`` refuses to start so outside of demo mode. A test that has Kassa in its own process lets one task end
there instead (``dying``).
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from pathlib import Path
from typing import Final

VARIABLE: Final = "TESTING_FAILPOINTS"


class Point(StrEnum):
    """Every place: before and behind each of the two things by which this process has an effect on the world."""

    WRITING = "writing"
    """A statement that writes is about to be sent (``db.statement.write``)."""
    WRITTEN = "written"
    """It has taken effect, and nothing has followed from it yet."""
    SENDING = "sending"
    """A request to a provider or a merchant is about to be sent (``outbound``)."""
    ANSWERED = "answered"
    """Its answer is there, and nothing has followed from it yet."""


class Died(BaseException):
    """A task ends at a point; no handler takes it for an error."""

    def __init__(self, point: Point) -> None:
        super().__init__(point)
        self.point = point


_doomed: Final = ContextVar[Iterator[int]]("doomed")
_orders: Final = Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def armed() -> bool:
    """Return whether this process may be ordered to die."""
    return _orders is not None


def order(orders: Path, times: int) -> None:
    """Let a process that is armed with this file die at the ``times``-th point that it reaches."""
    orders.write_text(str(times))


@contextmanager
def dying(times: int) -> Iterator[None]:
    """Let what this task does end with ``Died`` at the ``times``-th point that it reaches; 0: at none."""
    token = _doomed.set(iter(range(times - 1, -1, -1)))
    try:
        yield
    finally:
        _doomed.reset(token)


def reach(point: Point) -> None:
    """Die here if this is the place and the time; the order is then carried out, and gone."""
    if next(_doomed.get(iter(())), None) == 0:
        raise Died(point)
    if _orders is None or not _orders.exists():
        return
    times = int(_orders.read_text())
    if times > 1:
        order(_orders, times - 1)
        return
    _orders.unlink()
    os.kill(os.getpid(), signal.SIGKILL)
