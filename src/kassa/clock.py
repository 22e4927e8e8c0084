"""The platform's one clock: real time in live mode, real time plus a movable offset in test mode.

Nothing else in Kassa asks what time it is (ruff bans it): ``now`` is read here, at the edge, and handed on as a value.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

APART_MAX: Final = timedelta(seconds=5)
"""How far this machine's clock and the database's may differ before work is left to other processes."""

_NONE: Final = timedelta()


class Reading(NamedTuple):
    """This machine's time, and its monotonic count of seconds."""

    real: datetime
    elapsed: float


class Clock:
    """The time of each mode; the test offset is kept in the database and set here by the code that reads it."""

    def __init__(self, test_offset: timedelta = _NONE) -> None:
        self.test_offset = test_offset
        self._apart = _NONE
        self._compared = self.reading()

    def now(self, *, test_mode: bool) -> datetime:
        """Return the present moment of a mode, aware, in UTC."""
        return self.real() + self.test_offset if test_mode else self.real()

    @staticmethod
    def real() -> datetime:
        """Return the real time: for signatures that others check against their own clock, and for logs."""
        return datetime.now(UTC)

    def reading(self) -> Reading:
        """Return this machine's reading, to be compared with the database's time."""
        return Reading(self.real(), time.monotonic())

    def compare(self, theirs: datetime, asked: Reading) -> None:
        """Learn what the database's clock said some time between ``asked`` and now: a slow answer is no difference."""
        latest = asked.real + timedelta(seconds=time.monotonic() - asked.elapsed)
        self._apart = max(asked.real - theirs, _NONE) - max(theirs - latest, _NONE)
        self._compared = asked

    def apart(self) -> timedelta:
        """Return how far this clock is ahead of the database's: what was last learnt, and every jump since then."""
        real, elapsed = self.reading()
        passed = timedelta(seconds=elapsed - self._compared.elapsed)
        return self._apart + (real - self._compared.real - passed)

    @property
    def compared(self) -> Reading:
        """When the database's clock was last compared."""
        return self._compared

    def agrees(self) -> bool:
        """Return whether this clock is close enough to the database's to decide what is due."""
        return abs(self.apart()) <= APART_MAX
