"""What a difference changes: a case is opened, seen again or closed, and a question about it may come due.

Nothing here changes a status or the books: only the provider's own answer does that (``invoices.asking``,
``invoices.returns.asking``).
"""

from datetime import datetime

import structlog

from kassa import ids
from kassa.accounts.model import Account
from kassa.db.pool import Executor, Pool, transaction, unit_of_work
from kassa.errors import Invalid, NotFound
from kassa.payments import queries as payments
from kassa.reconciliation.cases import queries
from kassa.reconciliation.model import TEXT_LENGTH_MAX, Difference, Ours, Period, askable
from kassa.refunds import queries as refunds
from kassa.refunds.model import RefundStatus

_log = structlog.get_logger(__name__)


@unit_of_work
async def see(
    pool: Pool,
    account: Account,
    difference: Difference,
    *,
    provider_account_id: str,
    test_mode: bool,
    now: datetime,
) -> bool:
    """Note a difference in its case, which is opened unless it is there; where asking may help, ask soon.

    Returns whether the case is new and the question is on its way: then the books may agree shortly.
    """
    new_id, named = ids.new_id("case", account.tag), difference.named
    async with transaction(pool) as connection:
        case_id = await queries.see(
            connection,
            difference,
            account_id=account.account_id,
            case_id=new_id,
            provider_account_id=provider_account_id,
            test_mode=test_mode,
            now=now,
        )
        if difference.ours is not None and askable(difference):
            await _wake(connection, difference.ours, account_id=account.account_id, now=now)
    if case_id == new_id:
        _log.error(
            "the provider's books and ours differ",
            case_id=case_id,
            kind=difference.kind,
            movement=named.movement,
            ref=named.ref,
            provider_account_id=provider_account_id,
        )
    return case_id == new_id and askable(difference)


async def _wake(connection: Executor, ours: Ours, *, account_id: str, now: datetime) -> None:
    if isinstance(ours.status, RefundStatus):
        await refunds.wake(connection, ours.ref, account_id=account_id, now=now)
        return
    charge_back = ours.movement == "charge_back"
    await payments.wake(connection, ours.payment_id, account_id=account_id, now=now, charge_back=charge_back)


async def close_agreed(
    pool: Pool, account: Account, period: Period, *, provider_account_id: str, begun_at: datetime, now: datetime
) -> int:
    """Close what a run over a period, begun then, has not seen again; return how many cases that were."""
    closed = await queries.agreed(
        pool, provider_account_id, period, account_id=account.account_id, begun_at=begun_at, now=now
    )
    for case_id in closed:
        _log.info("the provider's books and ours agree again", case_id=case_id)
    return len(closed)


async def close(pool: Pool, case_id: str, *, account_id: str, note: str, now: datetime) -> None:
    """Close a case with a person's word on it. Raises ``NotFound`` where none is open, ``Invalid`` without a word."""
    note = note.strip()
    if not 0 < len(note) <= TEXT_LENGTH_MAX or not note.isprintable():
        raise Invalid({"note": f"This value should have from 1 to {TEXT_LENGTH_MAX} printable characters."})
    if not await queries.close(pool, case_id, account_id=account_id, note=note, now=now):
        raise NotFound("There is no such open case.")
