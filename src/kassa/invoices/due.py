"""The worker's job that does what invoices wait for: ends those whose time is over, releases reserves on time."""

from datetime import datetime, timedelta
from typing import Final

from kassa.invoices import operations, queries
from kassa.invoices.reserve import operations as reserve
from kassa.platform import Platform
from kassa.providers.protocol import Value


class DueInvoice(Value, frozen=True, kw_only=True):
    """One invoice to look at."""

    account_id: str
    invoice_id: str
    test_mode: bool


class Due:
    """The worker's job: invoices that are due."""

    name: Final = "invoices"
    lease_seconds: Final = 60
    per_account: Final = 8

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        """Return the accounts with an invoice that is due."""
        return await queries.due_accounts(self._platform.pool, test_mode=test_mode, now=now)

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[DueInvoice]:
        """Take invoices of an account that are due."""
        until = now + timedelta(seconds=self.lease_seconds)
        taken = await queries.claim(
            self._platform.pool, account_id=account_id, test_mode=test_mode, now=now, until=until, limit=limit
        )
        return [DueInvoice(account_id=account_id, invoice_id=invoice_id, test_mode=test_mode) for invoice_id in taken]

    async def run(self, claim: DueInvoice) -> None:
        """End the invoice if it is still open, else release its reserve."""
        platform, invoice_id, account_id = self._platform, claim.invoice_id, claim.account_id
        if not await operations.expire(platform, invoice_id, account_id=account_id, test_mode=claim.test_mode):
            await reserve.release(platform, invoice_id, account_id=account_id, test_mode=claim.test_mode)

    async def hand_back(self, claims: list[DueInvoice], now: datetime) -> None:
        """Give claims back undone."""
        for claim in claims:
            await queries.hand_back(self._platform.pool, claim.invoice_id, account_id=claim.account_id, now=now)
