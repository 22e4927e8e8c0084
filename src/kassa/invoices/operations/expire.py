"""What happens when an invoice's time is over: it ends unpaid, or what is left of its reserve is released."""

from datetime import datetime
from typing import Final, Protocol

from kassa.db.pool import Row
from kassa.invoices.operations import changing
from kassa.invoices.rules import reserve, settling
from kassa.invoices.rules.invoice import OPEN
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.invoices.tables import snapshots
from kassa.platform import Platform
from kassa.values import Value
from kassa.work.jobs import INVOICES


async def expire(platform: Platform, invoice_id: str, *, account_id: str, test_mode: bool) -> bool:
    """End an invoice whose time is over, and return whether it did. Of many callers one does. Raises ``NotFound``."""
    return await _change(platform, invoice_id, settling.expire, account_id=account_id, test_mode=test_mode)


async def release(platform: Platform, invoice_id: str, *, account_id: str, test_mode: bool) -> bool:
    """Make what is left of a reserve the merchant's to have, once its time is over, and return whether it did.

    No callback is sent: the document changes, its status does not (contract#statuses). Raises ``NotFound``.
    """
    return await _change(platform, invoice_id, _release, account_id=account_id, test_mode=test_mode)


class _Rule(Protocol):
    def __call__(self, snapshot: Snapshot, *, now: datetime) -> Change | None: ...


def _release(snapshot: Snapshot, *, now: datetime) -> Change | None:
    at = snapshot.invoice.release_at
    return None if at is None or now < at else reserve.release(snapshot, now=now)


async def _change(platform: Platform, invoice_id: str, rule: _Rule, *, account_id: str, test_mode: bool) -> bool:
    account = await platform.accounts.by_id(account_id)
    before = await changing.read(platform.pool, account, invoice_id)

    def decide(current: Snapshot) -> Change | None:
        return rule(current, now=platform.clock.now(test_mode=test_mode))

    after = await changing.change_from(platform, account, before, decide)
    return after is not before


class DueInvoice(Value, frozen=True, kw_only=True):
    """One invoice to look at, and until when it is ours."""

    account_id: str
    invoice_id: str
    test_mode: bool
    leased_until: datetime


class Expiring:
    """The worker's job: invoices that are due."""

    queue: Final = INVOICES

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def read(self, row: Row) -> DueInvoice:
        """Return an invoice that was taken."""
        return DueInvoice(
            account_id=row["account_id"],
            invoice_id=row["invoice_id"],
            test_mode=row["test_mode"],
            leased_until=row["due_at"],
        )

    async def run(self, claim: DueInvoice) -> None:
        """End the invoice if it is still open, else release its reserve; what was due too early waits for its time."""
        platform, invoice_id, account_id = self._platform, claim.invoice_id, claim.account_id
        if await expire(platform, invoice_id, account_id=account_id, test_mode=claim.test_mode):
            return
        await release(platform, invoice_id, account_id=account_id, test_mode=claim.test_mode)
        await self._defer(claim)

    async def _defer(self, claim: DueInvoice) -> None:
        """Make an invoice for which there was nothing to do due when there is, and not whenever its lease ends."""
        pool, account_id = self._platform.pool, claim.account_id
        found = await snapshots.by_id(pool, claim.invoice_id, account_id=account_id)
        if found is None or found.invoice.due_at != claim.leased_until:
            return
        due_at = found.invoice.expires_at if found.invoice.status in OPEN else found.invoice.release_at
        await snapshots.defer(pool, claim.invoice_id, account_id=account_id, until=claim.leased_until, due_at=due_at)
