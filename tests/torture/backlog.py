"""A merchant who was away comes back to all that he was not told: he gets it soon, and nobody else notices."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import quantiles
from typing import Final

from tests.support import merchant as merchants
from tests.support.api import Client
from tests.support.life import Creators
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.waiting import until

AT_A_TIME: Final = 4
"""Callbacks that an account is told at once at most."""
PATIENCE_SECONDS: Final = 600
ROUNDS: Final = 20
RETRY: Final = timedelta(minutes=2)
"""Past the first retry, and before any invoice ends, which would be told as well."""


@dataclass(kw_only=True)
class Neighbour:
    """Another merchant, who creates an invoice and waits until he is told of it, again and again."""

    shop: Client
    endpoint: Merchant
    answered: list[float] = field(default_factory=list)
    """Seconds until each creation was answered."""
    told: list[float] = field(default_factory=list)
    """Seconds from there until its callback came."""

    async def go_on(self) -> None:
        """Do it once."""
        began = time.monotonic()
        created = await self.shop.create()
        assert created.status == 201, created.text
        answered = time.monotonic()
        await self.endpoint.wait_for(lambda told: bool(told.document["data"]["id"] == created.data["id"]))
        self.answered.append(answered - began)
        self.told.append(time.monotonic() - answered)


@dataclass(frozen=True, kw_only=True)
class Drained:
    """What came of it."""

    count: int
    seconds: float
    idle: Neighbour
    busy: Neighbour

    def __str__(self) -> str:
        busy, idle = self.busy, self.idle
        return (
            f"{self.count} callbacks for one who was away in {self.seconds:.1f} s, {self.count / self.seconds:.0f} a "
            f"second, {AT_A_TIME} at a time; meanwhile 95 of 100 creations of another were answered within "
            f"{_ms(busy.answered)} ms (before: {_ms(idle.answered)}) and told within {_ms(busy.told)} ms (before: "
            f"{_ms(idle.told)})"
        )


async def drained(office: Office, away: Merchant, *, count: int) -> Drained:
    """Let so many callbacks wait for a merchant who is away, and let him come back. Raises ``AssertionError``."""
    away.status = 503
    creators = Creators(shop=await office.account(callback_url=away.url))
    creators.start(8)
    await until(lambda: len(creators.acknowledged) >= count, seconds=PATIENCE_SECONDS, what="the invoices")
    await creators.stop()
    shop = creators.shop
    await until(lambda: _all_tried(office, shop), seconds=PATIENCE_SECONDS, what="a try of each callback")
    async with merchants.listening() as endpoint:
        other = await office.account(callback_url=endpoint.url)
        idle, busy = (Neighbour(shop=other, endpoint=endpoint) for _ in range(2))
        for _ in range(ROUNDS):
            await idle.go_on()
        away.status, away.under_way_most = 200, 0
        away.open.clear()
        away.received.clear()
        await office.advance(RETRY)
        await away.wait_for_count(AT_A_TIME)
        # He is slow at first: whoever would take more of him than that has the time to.
        await busy.go_on()
        assert (away.under_way, len(away.received)) == (AT_A_TIME, AT_A_TIME)
        began = time.monotonic()
        away.open.set()
        while len(away.received) < len(creators.acknowledged):
            assert time.monotonic() < began + PATIENCE_SECONDS, len(away.received)
            await busy.go_on()
        seconds = time.monotonic() - began
        await office.told(shop)
    assert away.under_way_most == AT_A_TIME
    assert {each.document["data"]["id"] for each in away.received} == set(creators.acknowledged.values())
    return Drained(count=len(creators.acknowledged), seconds=seconds, idle=idle, busy=busy)


async def _all_tried(office: Office, shop: Client) -> bool:
    statement = "SELECT FROM callbacks WHERE account_id = $1 AND failure IS NULL LIMIT 1"
    return not await office.fetch(statement, shop.keys.id)


def _ms(seconds: list[float]) -> str:
    return f"{1000 * quantiles(seconds, n=20)[-1]:.0f}" if len(seconds) > 1 else f"{1000 * seconds[0]:.0f}"
