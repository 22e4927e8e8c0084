"""What follows when a reserve's time is over: its release, in the steps that ``invoices.operations`` tells of."""

from kassa import failpoints
from kassa.db.pool import transaction, unit_of_work
from kassa.errors import NotFound, TransitionRefused
from kassa.failpoints import Point
from kassa.invoices import events, queries
from kassa.invoices.reserve import model
from kassa.ledger import operations as ledger
from kassa.ledger import recipes
from kassa.platform import Platform


@unit_of_work
async def release(platform: Platform, invoice_id: str, *, account_id: str, test_mode: bool) -> None:
    """Make what is left of a reserve the merchant's to have, once its time is over.

    Nobody is told: the document changes, its status does not (contract#statuses). Of many callers one releases.
    Raises ``NotFound`` where the account has no such invoice.
    """
    now = platform.clock.now(test_mode=test_mode)
    async with transaction(platform.pool) as connection:
        view = await queries.lock(connection, invoice_id, account_id=account_id)
        if view is None:
            raise NotFound
        invoice = view.invoice
        if invoice.release_at is None or now < invoice.release_at:
            return
        after = model.release(invoice, now=now)
        if not await queries.update(connection, after, account_id=account_id, was=invoice.status):
            raise TransitionRefused(f"The invoice is no longer {invoice.status}.")
        entry = recipes.released(invoice_id=invoice_id, currency=invoice.currency, reserve=invoice.reserve_left)
        await ledger.post(connection, entry, account_id=account_id, test_mode=test_mode, now=now)
        events.reserve_released(after, amount=invoice.reserve_left)
        failpoints.reach(Point.RELEASING)
