"""Finding the invoice that a payer's address names."""

from datetime import datetime
from typing import Final

from starlette.requests import Request

from kassa import ids
from kassa.accounts.model import Account
from kassa.errors import NotFound
from kassa.invoices import queries
from kassa.invoices.queries import View
from kassa.pages import stages
from kassa.pages.stages import Stage
from kassa.platform import Platform
from kassa.providers.protocol import Value

PASSING: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
"""What an answer says that only leads on."""


class Standing(Value, frozen=True, kw_only=True):
    """An invoice with its account, and where its payer stands."""

    account: Account
    view: View
    stage: Stage
    now: datetime


async def find(platform: Platform, request: Request, invoice_id: object) -> Standing:
    """Return the invoice of an id that came in from outside. Raises ``NotFound``, ``TooMany`` for who guesses."""
    with platform.paces.misses.guessing(request.client.host if request.client else ""):
        return await _find(platform, invoice_id)


async def _find(platform: Platform, invoice_id: object) -> Standing:
    tag = ids.tag_of(invoice_id, "cpi") if isinstance(invoice_id, str) else None
    if tag is None or not isinstance(invoice_id, str):
        raise NotFound
    account = await platform.accounts.by_tag(tag)
    view = await queries.by_id(platform.pool, invoice_id, account_id=account.account_id)
    if view is None:
        raise NotFound
    now = platform.clock.now(test_mode=view.invoice.test_mode)
    return Standing(account=account, view=view, stage=stages.stage(view.invoice, view.payment, now=now), now=now)
