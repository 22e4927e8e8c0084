"""Which changes of an invoice its merchant is notified of, and the callbacks that are queued for them."""

from datetime import datetime

from kassa import ids
from kassa.accounts.model import Account
from kassa.callbacks import operations as callbacks
from kassa.db.pool import Connection
from kassa.invoices import document
from kassa.invoices.model import Invoice, Status
from kassa.invoices.queries import FirstCallback, View
from kassa.observability import tracing
from kassa.platform import Platform


async def enqueue(
    connection: Connection,
    platform: Platform,
    account: Account,
    view: View,
    *,
    was: Status | None,
    now: datetime,
) -> None:
    """Queue the callback of a change of status; a document that changed without one has none (contract#statuses)."""
    invoice = view.invoice
    url = _callback_url(account, invoice)
    if invoice.status is was or not is_due(account, invoice):
        return
    listened = await platform.accounts.is_listened(account.account_id, test_mode=invoice.test_mode)
    if url is None and not listened:
        return
    await callbacks.enqueue(
        connection,
        account_id=invoice.account_id,
        tag=account.tag,
        invoice_id=invoice.invoice_id,
        test_mode=invoice.test_mode,
        invoice_status=invoice.status,
        final=invoice.final,
        url=url,
        body=document.callback_body(platform, account, view),
        listened=listened,
        now=now,
    )


def first(platform: Platform, account: Account, view: View) -> FirstCallback | None:
    """Return the callback that a creation writes beside its invoice, or None where nothing is to be delivered."""
    url = _callback_url(account, view.invoice)
    if url is None:
        return None
    body = document.callback_body(platform, account, view)
    callback_id = ids.new_id("msg", account.tag)
    return FirstCallback(callback_id=callback_id, url=url, body=body, traceparent=tracing.carried())


def _callback_url(account: Account, invoice: Invoice) -> str | None:
    return (invoice.callback_url or account.callback_url) if is_due(account, invoice) else None


def is_due(account: Account, invoice: Invoice) -> bool:
    """Tell whether the account wants to hear of an invoice in this status."""
    return invoice.final or not account.only_final_callbacks
