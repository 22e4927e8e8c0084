"""The platform's one clock: real time in live mode, real time plus a movable offset in test mode.

Nothing else in Kassa asks what time it is (ruff bans it): ``now`` is read here, at the edge, and handed on as a value.
"""

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time of each mode; the test offset is kept in the database and set here by whoever reads it."""

    def __init__(self, test_offset: timedelta = timedelta()) -> None:
        self.test_offset = test_offset

    def now(self, *, test_mode: bool) -> datetime:
        """Return the present moment of a mode, aware, in UTC."""
        return self.real() + self.test_offset if test_mode else self.real()

    @staticmethod
    def real() -> datetime:
        """Return the real moment: for signatures that strangers check against their own clock, and for logs."""
        return datetime.now(UTC)
