"""The kill rig's short form: Kassa dies once at many places; ``make torture`` is the long one."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kassa import failpoints
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


def _chosen() -> list[tuple[Life, int]]:
    """Return each life with a place of its own, among those that it is sure to reach; who pays, a late one too.

    A life in which nothing is paid reaches twelve: its creation, its end, and a callback of each.
    """
    early = [(life, 1 + number % 12) for number, life in enumerate(LIVES)]
    paid = [life for life in LIVES if life.cards and life.ends & {"processed", "partially_processed", "refunded"}]
    return early + [(life, 13 + number) for number, life in enumerate(paid)]


@pytest.mark.parametrize("life, place", [pytest.param(*each, id=f"{each[1]}: {each[0].name}") for each in _chosen()])
@pytest.mark.timeout(120)
async def test_a_death_on_the_way_takes_nothing_twice_and_loses_nothing(
    kassa: lives.Life, merchant: Merchant, payer: Visitor, life: Life, place: int
) -> None:
    orders = Path(kassa.environment[failpoints.VARIABLE])
    rig = Rig(kassa=kassa, merchant=merchant, payer=payer, orders=orders)
    assert await rig.live(life, place), "it did not die"
