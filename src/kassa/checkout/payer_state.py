"""The invoice that a payer's address names, and its stage."""

from datetime import datetime
from typing import Final

from starlette.requests import Request

from kassa import ids
from kassa.accounts.model import Account
from kassa.errors import NotFound
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import snapshots as queries
from kassa.pages import stages
from kassa.pages.stages import Stage
from kassa.platform import Platform
from kassa.values import Value

PASSING: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
"""The headers of a redirect."""


class PayerState(Value, frozen=True, kw_only=True):
    """An invoice with its account and its stage for the payer, as of ``now``."""

    account: Account
    view: Snapshot
    stage: Stage
    now: datetime


async def find(platform: Platform, request: Request, invoice_id: object) -> PayerState:
    """Return the invoice of an id from outside. Raises ``NotFound``, and ``TooMany`` for clients that guess ids."""
    with platform.rate_limits.misses.guessing(request.client.host if request.client else ""):
        return await _find(platform, invoice_id)


async def _find(platform: Platform, invoice_id: object) -> PayerState:
    tag = ids.tag_of(invoice_id, "cpi") if isinstance(invoice_id, str) else None
    if tag is None or not isinstance(invoice_id, str):
        raise NotFound
    account = await platform.accounts.by_tag(tag)
    view = await queries.by_id(platform.pool, invoice_id, account_id=account.account_id)
    if view is None:
        raise NotFound
    now = platform.clock.now(test_mode=view.invoice.test_mode)
    return PayerState(account=account, view=view, stage=stages.stage(view.invoice, view.payment, now=now), now=now)
