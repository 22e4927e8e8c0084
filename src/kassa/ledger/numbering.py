"""The worker's job that gives new entries their number, their link in the chain and the balances after them."""

import time
from datetime import datetime
from typing import Final

from kassa.db.pool import Pool
from kassa.ledger import operations, queries
from kassa.ledger.operations import BATCH
from kassa.providers.protocol import Value

GATHER_SECONDS: Final = 0.1
"""How long entries gather at least, so that a busy account's are numbered by the dozen and not one by one."""


class Unnumbered(Value, frozen=True, kw_only=True):
    """An account whose entries of a mode wait for their numbers."""

    account_id: str
    test_mode: bool


class Numbering:
    """One batch of one account at a time; a second worker at the same account finds it locked and goes on."""

    name: Final = "numbering"
    per_account: Final = 1

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asked: dict[bool, float] = {}

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        """Return the accounts with entries that have no number; none while they gather."""
        asked = time.monotonic()
        if asked - self._asked.get(test_mode, -GATHER_SECONDS) < GATHER_SECONDS:
            return []
        self._asked[test_mode] = asked
        return await queries.waiting(self._pool, test_mode=test_mode)

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[Unnumbered]:
        """Take an account; the lock is the database's and is taken by ``run``."""
        return [Unnumbered(account_id=account_id, test_mode=test_mode)]

    async def run(self, claim: Unnumbered) -> bool:
        """Number what waits, a batch at a time; tell whether anything was, and not held by somebody else."""
        first = last = await self._number(claim)
        while last == BATCH:
            last = await self._number(claim)
        return first > 0

    async def hand_back(self, claims: list[Unnumbered], now: datetime) -> None:
        """Do nothing: what was not numbered still waits."""

    async def _number(self, claim: Unnumbered) -> int:
        return await operations.number(self._pool, account_id=claim.account_id, test_mode=claim.test_mode)
