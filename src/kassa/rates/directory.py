"""The rate that a payer pays, cached for half a second, as accounts are."""

from decimal import Decimal
from typing import Final

from kassa.cache import Recent
from kassa.clock import Clock
from kassa.config import Settings
from kassa.db.pool import Pool
from kassa.rates import queries
from kassa.rates.model import Source, Table, effective, table

KEPT_SECONDS: Final = 0.5


class Rates:
    """One process's view of the exchange rates."""

    def __init__(self, pool: Pool, clock: Clock, settings: Settings) -> None:
        self._pool = pool
        self._clock = clock
        self._days_max = {
            Source.ECB: settings.rates_ecb_days,
            Source.NBU: settings.rates_nbu_days,
            Source.CBR: settings.rates_cbr_days,
        }
        self._tables = Recent(self._load, seconds=KEPT_SECONDS)

    async def rate(self, base: str, quote: str, *, spread: Decimal, test_mode: bool) -> Decimal | None:
        """Return how much of ``quote`` a payer pays for one unit of ``base``, the spread (percent) included.

        1 for equal currencies; None where there is no rate, or in live mode only an outdated one.
        """
        if base == quote:
            return Decimal(1)
        middle = (await self._tables.get(test_mode)).middle(base, quote)
        return None if middle is None else effective(middle, spread)

    async def _load(self, test_mode: bool) -> Table:  # noqa: FBT001  # the mode is the key of what is kept
        now = self._clock.now(test_mode=test_mode)
        quotes = await queries.latest(self._pool, now=now)
        return table(quotes, now=now, days_max=None if test_mode else self._days_max)
