"""The worker's job that deletes keys that have expired."""

from typing import Final

from kassa.db.pool import Row
from kassa.idempotency import operations
from kassa.platform import Platform
from kassa.values import Value
from kassa.work.jobs import IDEMPOTENCY_KEYS


class Over(Value, frozen=True, kw_only=True):
    """An account with keys that are over."""

    account_id: str


class Forgetting:
    """The worker's job. Keys live by the real clock: they belong to requests, not to a mode."""

    queue: Final = IDEMPOTENCY_KEYS

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def read(self, row: Row) -> Over:
        """Return an account that was taken. Two workers that take the same do no harm."""
        return Over(account_id=row["account_id"])

    async def run(self, claim: Over) -> bool:
        """Delete some of them, and return whether there were any; what is left stays due."""
        now = self._platform.clock.now(test_mode=False)
        return await operations.forget(self._platform.pool, claim.account_id, now=now) > 0
