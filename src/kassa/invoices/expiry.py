"""The worker's job that ends invoices whose time is over."""

from datetime import datetime, timedelta
from typing import Final

from kassa.invoices import operations, queries
from kassa.platform import Platform
from kassa.providers.protocol import Value


class Overdue(Value, frozen=True, kw_only=True):
    """One invoice to end."""

    account_id: str
    invoice_id: str
    test_mode: bool


class Expiry:
    """The worker's job: invoices that are due."""

    name: Final = "expiry"
    lease_seconds: Final = 60
    per_account: Final = 8

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        """Return the accounts with an invoice whose time is over."""
        return await queries.due_accounts(self._platform.pool, test_mode=test_mode, now=now)

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[Overdue]:
        """Take invoices of an account whose time is over."""
        until = now + timedelta(seconds=self.lease_seconds)
        taken = await queries.claim(
            self._platform.pool, account_id=account_id, test_mode=test_mode, now=now, until=until, limit=limit
        )
        return [Overdue(account_id=account_id, invoice_id=invoice_id, test_mode=test_mode) for invoice_id in taken]

    async def run(self, claim: Overdue) -> None:
        """End one invoice."""
        await operations.expire(
            self._platform, claim.invoice_id, account_id=claim.account_id, test_mode=claim.test_mode
        )

    async def hand_back(self, claims: list[Overdue], now: datetime) -> None:
        """Give claims back undone."""
        for claim in claims:
            await queries.hand_back(self._platform.pool, claim.invoice_id, account_id=claim.account_id, now=now)
