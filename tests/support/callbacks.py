"""A callback of a new invoice, queued as the heart queues it."""

from kassa import ids
from kassa.accounts.model import NewAccount
from kassa.callbacks import queries
from kassa.callbacks.queries import Queued
from kassa.db.pool import Executor
from kassa.db.statement import Statement
from kassa.invoices.rules.invoice import Invoice
from kassa.platform import Platform
from tests.support.platform import new_invoice

BODY = '{"data":{"attributes":{"description":"№ 1"}}}'.encode()


async def enqueue(
    platform: Platform, made: NewAccount, url: str, *, test_mode: bool = True, body: bytes | None = None
) -> Invoice:
    """Queue a callback of a new invoice to an address; an empty ``body`` is its id. Returns the invoice."""
    invoice = await new_invoice(platform, made, test_mode=test_mode)
    await add(
        platform.pool,
        invoice.account_id,
        Queued(
            callback_id=ids.new_id("msg", made.account.tag),
            invoice_id=invoice.invoice_id,
            test_mode=test_mode,
            invoice_status="processed",
            final=True,
            url=url,
            body=invoice.invoice_id.encode() if body == b"" else body or BODY,
            logged_at=int(invoice.created_at.timestamp()),
            now=invoice.created_at,
            listened=False,
            traceparent=None,
        ),
    )
    return invoice


async def add(executor: Executor, account_id: str, queued: Queued) -> None:
    """Queue a callback by itself; Kassa queues it in the statement that writes what it is about."""
    statement = Statement(account_id)
    queries.add(statement, queued)
    await executor.execute(statement.text, *statement.values)
