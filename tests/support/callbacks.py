"""A callback of a new invoice, queued as the heart queues it."""

from kassa.accounts.model import NewAccount
from kassa.callbacks import operations
from kassa.platform import Platform
from tests.support.platform import new_invoice

BODY = '{"data":{"attributes":{"description":"№ 1"}}}'.encode()


async def enqueue(platform: Platform, made: NewAccount, url: str, *, test_mode: bool = True) -> None:
    """Queue a callback to an address."""
    invoice = await new_invoice(platform, made, test_mode=test_mode)
    await operations.enqueue(
        platform.pool,
        account_id=invoice.account_id,
        tag=made.account.tag,
        invoice_id=invoice.invoice_id,
        test_mode=test_mode,
        invoice_status="processed",
        final=True,
        url=url,
        body=BODY,
        now=invoice.created_at,
    )
