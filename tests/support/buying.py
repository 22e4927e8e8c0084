"""People who buy one thing after the other, and count what goes wrong on the way."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from tests.support import visitor
from tests.support.api import Client
from tests.support.world import GOOD, GOOD_SECURE

_PACE_SECONDS: Final = 0.15
_PAID: Final = "Payment received"


@dataclass(kw_only=True)
class Buyers:
    """Each goes from the order to the page that says that it is paid, every third by way of 3-D Secure."""

    shop: Client
    paid: list[str] = field(default_factory=list)
    """Ids of the invoices."""
    failed: list[str] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: bool = False

    def start(self, number: int) -> None:
        """Let so many begin."""
        self._tasks = [asyncio.create_task(self._buy()) for _ in range(number)]

    async def stop(self) -> None:
        """Let each end what it is at."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _buy(self) -> None:
        while not self._stopping:
            begun = time.monotonic()
            try:
                await self._buy_one(GOOD_SECURE if len(self.paid) % 3 == 0 else GOOD)
            except Exception as error:  # noqa: BLE001  # whatever goes wrong is what is counted
                self.failed.append(repr(error))
            await asyncio.sleep(max(0, _PACE_SECONDS - (time.monotonic() - begun)))

    async def _buy_one(self, card: str) -> None:
        created = await self.shop.create()
        async with visitor.visiting() as payer:
            form = await payer.open(created.attributes["flow_data"]["action"])
            page = await payer.press(form, card_number=card, expiry="12/30", cvc="123")
            if card == GOOD_SECURE:
                page = await payer.press(page, "approve")
        assert page.heading == _PAID, page.heading
        assert (await self.shop.read(created.data["id"])).attributes["status"] == "processed"
        self.paid.append(created.data["id"])
