"""The kill rig's short form: Kassa dies once at each place; ``make torture`` is the long one."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kassa import failpoints
from kassa.failpoints import Point
from tests.support import life as lives
from tests.support.merchant import Merchant
from tests.support.visitor import Visitor
from tests.torture.lives import LIVES, Life
from tests.torture.rig import Rig


@pytest.fixture(scope="module")
async def kassa(folders: Callable[[], Path]) -> AsyncIterator[lives.Life]:
    """One Kassa for the deaths of this file, which takes orders to die."""
    folder = folders()
    async with lives.lived(folder) as lived:
        lived.environment[failpoints.VARIABLE] = str(folder / "orders")
        yield lived


def _chosen() -> list[tuple[Life, Point]]:
    """Return each place with a life that meets it, a different one each time as far as there are.

    Where there is a choice, it is one in which money is taken.
    """
    places = sorted(Point)
    paid = [life for life in LIVES if Point.NUMBERING in life.meets]
    meeting = {point: [life for life in paid if point in life.meets] for point in places}
    return [(meeting[point][number % len(meeting[point])], point) for number, point in enumerate(places)]


@pytest.mark.parametrize("life, point", [pytest.param(*each, id=f"{each[1]}: {each[0].name}") for each in _chosen()])
@pytest.mark.timeout(120)
async def test_a_death_on_the_way_takes_nothing_twice_and_loses_nothing(
    kassa: lives.Life, merchant: Merchant, payer: Visitor, life: Life, point: Point
) -> None:
    orders = Path(kassa.environment[failpoints.VARIABLE])
    rig = Rig(kassa=kassa, merchant=merchant, payer=payer, orders=orders)
    assert await rig.live(life, point, 1), "nobody died"
