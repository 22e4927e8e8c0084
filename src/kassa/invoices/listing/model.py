"""What may be asked of a list of invoices, and in which stretches of time it is read so that no page is slow.

The order is that of creation, newest first; a cursor is an invoice's id and means its place in that order. Bounds
of time take in their first moment and leave out their last.
"""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from kassa.invoices.rules.invoice import Status
from kassa.values import Value

SIZE_DEFAULT: Final = 20
SIZE_MAX: Final = 100


class Filters(Value, frozen=True, kw_only=True):
    """Which invoices are listed; None does not choose."""

    reference_id: str | None = None
    status: Status | None = None
    resolution: str | None = None
    service: str | None = None
    currency: str | None = None
    moderation_required: bool | None = None
    test_mode: bool | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    updated_from: datetime | None = None
    updated_until: datetime | None = None


class Page(Value, frozen=True, kw_only=True):
    """Which of them are shown: the newest, or those next to a cursor, which is not shown itself."""

    size: int = SIZE_DEFAULT
    before: str | None = None
    """Show older invoices than the one of this id."""
    after: str | None = None
    """Show newer ones."""

    @property
    def cursor(self) -> str | None:
        """The id next to which the page is."""
        return self.before or self.after


class Place(Value, frozen=True, kw_only=True):
    """A place in the list's order."""

    created_at: datetime
    invoice_id: str


class Walk(Value, frozen=True, kw_only=True):
    """A way through the list: from a place, or from the list's end, towards older or newer invoices."""

    start: Place | None = None
    newer: bool = False


class Stretch(Value, frozen=True, kw_only=True):
    """A part of the list that is read in one way."""

    filters: Filters
    by_update: bool = False
    """Whether its invoices are so few among their neighbours that they are found by ``updated`` and then sorted."""


def stretches(filters: Filters, walk: Walk) -> list[Stretch]:
    """Return the parts that a walk may come through, in its order.

    Nothing is updated before it is created. So of the invoices updated in a range of time, those created in it stand
    close together in the list. Those created earlier are sparse there, and only the order of updates finds them.
    """
    recent = replace(
        filters,
        created_from=_latest(filters.created_from, filters.updated_from),
        created_until=_earliest(filters.created_until, filters.updated_until),
        updated_from=None,
    )
    parts = [Stretch(filters=recent)]
    if filters.updated_from is not None:
        earlier = replace(filters, created_until=_earliest(filters.created_until, filters.updated_from))
        parts.append(Stretch(filters=earlier, by_update=True))
    if walk.newer:
        parts.reverse()
    return [part for part in parts if _reached(part.filters, walk)]


def _reached(filters: Filters, walk: Walk) -> bool:
    """Whether a walk can find anything in this range of creation."""
    begin, end, start = filters.created_from, filters.created_until, walk.start
    if begin is not None and end is not None and begin >= end:
        return False
    if start is None:
        return True
    if walk.newer:
        return end is None or start.created_at < end
    return begin is None or start.created_at >= begin


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return one if other is None or (one is not None and one > other) else other


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return one if other is None or (one is not None and one < other) else other
