"""How every operation changes an invoice: read, decide, carry out; and again, where someone else came first.

No lock is held while the database is spoken to: of those who decide on the same snapshot one is written, and the others
read again and decide again. One that has lost too often takes the invoice's lock, and then cannot lose.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Final, TypeAlias

from kassa.accounts.model import Account
from kassa.db.pool import Executor, transaction, unit_of_work
from kassa.errors import NotFound
from kassa.invoices.operations import notifying, reporting
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.invoices.tables import carrying, snapshots
from kassa.invoices.tables.carrying import Stale
from kassa.platform import Platform

Decide: TypeAlias = Callable[[Snapshot], Change | None]
"""A decision on an invoice as it is; None changes nothing. It is made again where the invoice has changed meanwhile."""

TRIES: Final = 4
PAUSE_SECONDS: Final = 0.02
"""The longest pause before the first new try; it doubles, and is as long as chance says."""


@unit_of_work
async def change(
    platform: Platform, account: Account, invoice_id: str, decide: Decide, *, payment_id: str | None = None
) -> Snapshot:
    """Read an invoice, decide and carry the change out; return the invoice as it then is.

    ``payment_id``: the attempt that the decision is about, where that may not be the invoice's latest. Raises
    ``NotFound``, and what the decision raises: then nothing was written.
    """
    snapshot = await read(platform.pool, account, invoice_id, payment_id=payment_id)
    return await change_from(platform, account, snapshot, decide, payment_id=payment_id)


@unit_of_work
async def change_from(
    platform: Platform, account: Account, snapshot: Snapshot, decide: Decide, *, payment_id: str | None = None
) -> Snapshot:
    """Decide on an invoice as it was read a moment ago, and go on as ``change``."""
    for place in range(TRIES):
        decided = decide(snapshot)
        if decided is None:
            return snapshot
        try:
            return await carry_out(platform, account, decided)
        except Stale:
            await asyncio.sleep(random.uniform(0, PAUSE_SECONDS * 2**place))  # noqa: S311 (no one gains by guessing it)
        snapshot = await read(platform.pool, account, snapshot.invoice.invoice_id, payment_id=payment_id)
    return await _locked(platform, account, snapshot.invoice.invoice_id, decide, payment_id=payment_id)


@unit_of_work
async def _locked(
    platform: Platform, account: Account, invoice_id: str, decide: Decide, *, payment_id: str | None
) -> Snapshot:
    async with transaction(platform.pool) as connection:
        await snapshots.lock(connection, invoice_id, account_id=account.account_id)
        snapshot = await read(connection, account, invoice_id, payment_id=payment_id)
        decided = decide(snapshot)
        return snapshot if decided is None else await carry_out(platform, account, decided, connection=connection)


async def carry_out(
    platform: Platform, account: Account, decided: Change, *, connection: Executor | None = None
) -> Snapshot:
    """Write a change with its callback, report it, and return the invoice as it then is. Raises ``Stale``."""
    queued = await notifying.callback(platform, account, decided)
    after = await carrying.carry_out(connection or platform.pool, decided, queued)
    reporting.report(decided)
    return after


async def read(executor: Executor, account: Account, invoice_id: str, *, payment_id: str | None = None) -> Snapshot:
    """Return an account's invoice. Raises ``NotFound``."""
    found = await snapshots.about(executor, invoice_id, account_id=account.account_id, payment_id=payment_id)
    if found is None:
        raise NotFound
    return found
