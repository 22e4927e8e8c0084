"""Amounts, dates and times on the payer's pages."""

from kassa.formats import moment, money

__all__ = ["clock", "moment", "money"]

_LONGEST_CLOCK_MINUTES = 60


def clock(seconds: int) -> str:
    """Return the time that is left: ``29:05``, or ``26:03:00`` from an hour on."""
    minutes, rest = divmod(max(seconds, 0), 60)
    if minutes < _LONGEST_CLOCK_MINUTES:
        return f"{minutes}:{rest:02}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
