"""What a difference changes: a discrepancy is opened, seen again or closed, and its payment or refund may come due.

Nothing here changes a status or the books: only the provider's own answer does that (``invoices.asking``,
``invoices.returns.asking``).
"""

from datetime import datetime

import structlog

from kassa import ids
from kassa.accounts.model import Account
from kassa.db.pool import Executor, Pool, transaction, unit_of_work
from kassa.errors import Invalid, NotFound
from kassa.invoices.rules.records import RefundStatus
from kassa.invoices.tables import payments, refunds
from kassa.reconciliation.discrepancies import queries
from kassa.reconciliation.model import OF_CHARGEBACKS, TEXT_LENGTH_MAX, Difference, Ours, Period, askable
from kassa.reconciliation.statements.queries import Books

_log = structlog.get_logger(__name__)


@unit_of_work
async def see(
    pool: Pool,
    account: Account,
    books: Books,
    difference: Difference,
    *,
    now: datetime,
) -> bool:
    """Note a difference in its discrepancy, which is opened unless it is there; where asking may help, ask soon.

    Returns whether the discrepancy is new and the question is on its way: then the books may agree shortly.
    """
    new_id, named = ids.new_id("dcy", account.tag), difference.named
    async with transaction(pool) as connection:
        discrepancy_id = await queries.see(
            connection,
            books,
            difference,
            discrepancy_id=new_id,
            now=now,
        )
        if difference.ours is not None and askable(difference):
            await _wake(connection, difference.ours, account_id=account.account_id, now=now)
    if discrepancy_id == new_id:
        _log.error(
            "the provider's books and ours differ",
            discrepancy_id=discrepancy_id,
            kind=difference.kind,
            movement=named.movement,
            ref=named.ref,
            provider_account_id=books.provider_account_id,
        )
    return discrepancy_id == new_id and askable(difference)


async def _wake(connection: Executor, ours: Ours, *, account_id: str, now: datetime) -> None:
    if isinstance(ours.status, RefundStatus):
        await refunds.wake(connection, ours.ref, account_id=account_id, now=now)
        return
    charge_back = ours.movement in OF_CHARGEBACKS
    await payments.wake(connection, ours.payment_id, account_id=account_id, now=now, dispute=charge_back)


async def close_agreed(pool: Pool, books: Books, period: Period, *, begun_at: datetime, now: datetime) -> int:
    """Close what a run over a period, begun then, has not seen again; return how many discrepancies that were."""
    closed = await queries.agreed(pool, books, period, begun_at=begun_at, now=now)
    for discrepancy_id in closed:
        _log.info("the provider's books and ours agree again", discrepancy_id=discrepancy_id)
    return len(closed)


async def close(pool: Pool, discrepancy_id: str, *, account_id: str, note: str, now: datetime) -> None:
    """Close a discrepancy with an operator's note. Raises ``NotFound`` where none is open, ``Invalid`` for no note."""
    note = note.strip()
    if not 0 < len(note) <= TEXT_LENGTH_MAX or not note.isprintable():
        raise Invalid({"note": f"This value should have from 1 to {TEXT_LENGTH_MAX} printable characters."})
    if not await queries.close(pool, discrepancy_id, account_id=account_id, note=note, now=now):
        raise NotFound("There is no such open discrepancy.")
