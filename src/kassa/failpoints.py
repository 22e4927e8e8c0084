"""Named places between two steps, where a test lets this process die as a failing machine does.

Nothing happens at any of them unless ``TESTING_FAILPOINTS`` names a file, and that file a place and a number of times.
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
    """Every place, in the order in which a payment meets them."""

    DRAWN = "drawn"
    """A creation is decided, nothing is written."""
    CREATED = "created"
    """It is written, the merchant has no answer."""
    BEGINNING = "beginning"
    """An attempt is written and not committed."""
    BEGUN = "begun"
    """It is committed, the provider is not asked."""
    ANSWERED = "answered"
    """The provider has answered, nothing is applied."""
    SETTLING = "settling"
    """The attempt is saved; the books, the invoice and the merchant know nothing."""
    BOOKED = "booked"
    """The money is booked, the invoice is as it was."""
    TELLING = "telling"
    """Everything is written, the callback included, and not committed."""
    SETTLED = "settled"
    """It is committed, whoever asked has no answer."""
    RETURNED = "returned"
    """The payer is back from the bank's page, nobody has asked what he did there."""
    CANCELLING = "cancelling"
    """The payer wants to pay in another way, the provider is not asked to close what is open."""
    NOTIFIED = "notified"
    """A notification is found genuine, nothing follows from it yet."""
    EXPIRING = "expiring"
    """An invoice is ended and not committed."""
    RELEASING = "releasing"
    """A reserve is released and not committed."""
    REFUND_BEGINNING = "refund-beginning"
    """A refund's money is set aside and not committed."""
    REFUND_BEGUN = "refund-begun"
    """It is committed, the provider is not asked."""
    REFUND_ANSWERED = "refund-answered"
    """The provider has answered about a refund, nothing is applied."""
    REFUND_ENDING = "refund-ending"
    """What it answered is written, booked and told, and not committed."""
    CHARGED_BACK = "charged-back"
    """A charge-back is booked and told, and not committed."""
    CLAIMED = "claimed"
    """A callback is taken and not sent."""
    SENT = "sent"
    """The merchant has it, which is not written down."""
    MARKED = "marked"
    """It is written down that he has it."""
    NUMBERING = "numbering"
    """Entries have their place in the journal, not committed."""


class Died(BaseException):
    """A task ends at a point; no handler takes it for an error."""

    def __init__(self, point: Point) -> None:
        super().__init__(point)
        self.point = point


_doomed: Final = ContextVar[Iterator[int]]("doomed")
_orders: Final = Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def armed() -> bool:
    """Tell whether this process may be told to die."""
    return _orders is not None


def order(orders: Path, point: Point, times: int = 1) -> None:
    """Let a process that is armed with this file die at a point when it is reached for the ``times``-th time."""
    orders.write_text(f"{point} {times}")


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
    name, _, times = _orders.read_text().partition(" ")
    if name != point:
        return
    if int(times) > 1:
        order(_orders, point, int(times) - 1)
        return
    _orders.unlink()
    os.kill(os.getpid(), signal.SIGKILL)
