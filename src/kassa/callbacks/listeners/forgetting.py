"""The worker's job that deletes leases which are over, with what they have collected."""

from datetime import datetime
from typing import Final

from kassa.callbacks.listeners import queries
from kassa.platform import Platform
from kassa.providers.protocol import Value


class Over(Value, frozen=True, kw_only=True):
    """An account with leases that are over."""

    account_id: str


class ForgettingListeners:
    """The worker's job. Leases live by the real clock: they belong to processes, not to a mode."""

    name: Final = "forgetting listeners"
    per_account: Final = 1

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        """Return the accounts that have leases to delete."""
        return [] if test_mode else await queries.over_accounts(self._platform.pool, now=self._platform.clock.real())

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[Over]:
        """Take an account. Two workers that take the same do no harm."""
        return [Over(account_id=account_id)]

    async def run(self, claim: Over) -> bool:
        """Delete them, and say whether there were any."""
        now = self._platform.clock.real()
        return await queries.forget(self._platform.pool, account_id=claim.account_id, now=now) > 0

    async def hand_back(self, claims: list[Over], now: datetime) -> None:
        """Leave them as they are: due."""
