"""Which changes of an invoice its merchant is notified of, and the callback that is written with the change."""

from kassa import ids
from kassa.accounts.model import Account
from kassa.callbacks.queries import Queued
from kassa.invoices.document import building
from kassa.invoices.rules.attempt import PaymentStatus
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.snapshot import Change
from kassa.observability import tracing
from kassa.platform import Platform


async def callback(platform: Platform, account: Account, change: Change) -> Queued | None:
    """Return the callback of a change; one that leaves the status alone has none, but for disputes.

    An invoice whose provider has to be asked for its page is notified of when the page is there.
    See contract#statuses.
    """
    invoice = change.after.invoice
    if not is_due(account, invoice) or not (change.notify or change.status_changed) or _asks_for_page(change):
        return None
    url = invoice.callback_url or account.callback_url
    listened = await platform.accounts.is_listened(account.account_id, test_mode=invoice.test_mode)
    if url is None and not listened:
        return None
    return Queued(
        callback_id=ids.new_id("msg", account.tag),
        invoice_id=invoice.invoice_id,
        test_mode=invoice.test_mode,
        invoice_status=invoice.status,
        final=invoice.final,
        url=url,
        body=building.callback_body(platform, account, change.after),
        # Each change that is notified of moves ``updated`` into another second.
        logged_at=building.unix(invoice.updated_at),
        now=change.at,
        listened=listened,
        traceparent=tracing.carried(),
    )


def is_due(account: Account, invoice: Invoice) -> bool:
    """Return whether the account wants to be notified of an invoice in this status."""
    return invoice.final or not account.only_final_callbacks


def _asks_for_page(change: Change) -> bool:
    payment = change.after.payment
    return change.before is None and payment is not None and payment.status is PaymentStatus.INVOKE_PENDING
