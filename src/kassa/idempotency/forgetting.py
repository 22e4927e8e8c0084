"""The worker's job that deletes keys once nobody may rely on them any more."""

from datetime import datetime
from typing import Final

from kassa.idempotency import operations, queries
from kassa.platform import Platform
from kassa.providers.protocol import Value


class Over(Value, frozen=True, kw_only=True):
    """An account with keys that are over."""

    account_id: str


class Forgetting:
    """The worker's job. Keys live by the real clock: they belong to requests, not to a mode."""

    name: Final = "forgetting"
    per_account: Final = 1

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        """Return the accounts that have keys to delete."""
        return [] if test_mode else await queries.due_accounts(self._platform.pool, now=now)

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[Over]:
        """Take an account. Two workers that take the same do no harm."""
        return [Over(account_id=account_id)]

    async def run(self, claim: Over) -> bool:
        """Delete some of them, and tell whether there were any; what is left is due still."""
        now = self._platform.clock.now(test_mode=False)
        return await operations.forget(self._platform.pool, claim.account_id, now=now) > 0

    async def hand_back(self, claims: list[Over], now: datetime) -> None:
        """Leave them as they are: due."""
