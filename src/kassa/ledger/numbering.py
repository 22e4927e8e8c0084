"""The worker's job that gives new entries their number, their link in the chain and the balances after them."""

from typing import Final

from kassa.db.pool import Pool, Row
from kassa.ledger import operations
from kassa.ledger.operations import BATCH
from kassa.values import Value
from kassa.work.jobs import LEDGER_ENTRIES


class Unnumbered(Value, frozen=True, kw_only=True):
    """An account whose entries of a mode wait for their numbers."""

    account_id: str
    test_mode: bool


class Numbering:
    """One batch of one account at a time; of two workers at the same account one writes, and the other goes on."""

    queue: Final = LEDGER_ENTRIES

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def read(self, row: Row) -> Unnumbered:
        """Return an account whose entries wait; two workers may have it at once."""
        return Unnumbered(account_id=row["account_id"], test_mode=row["test_mode"])

    async def run(self, claim: Unnumbered) -> bool:
        """Number what waits, a batch at a time; return whether this worker did."""
        first = last = await self._number(claim)
        while last == BATCH:
            last = await self._number(claim)
        return first > 0

    async def _number(self, claim: Unnumbered) -> int:
        return await operations.number(self._pool, account_id=claim.account_id, test_mode=claim.test_mode)
