"""The worker's job that deletes leases which are over, with what they have collected."""

from typing import Final

from kassa.callbacks.listeners import queries
from kassa.db.pool import Row
from kassa.platform import Platform
from kassa.values import Value
from kassa.work.jobs import LISTENERS


class Over(Value, frozen=True, kw_only=True):
    """An account with leases that are over."""

    account_id: str


class ForgettingListeners:
    """The worker's job. Leases live by the real clock: they belong to processes, not to a mode."""

    queue: Final = LISTENERS

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def read(self, row: Row) -> Over:
        """Return an account that was taken. Two workers that take the same do no harm."""
        return Over(account_id=row["account_id"])

    async def run(self, claim: Over) -> bool:
        """Delete them, and say whether there were any."""
        now = self._platform.clock.real()
        return await queries.forget(self._platform.pool, account_id=claim.account_id, now=now) > 0
