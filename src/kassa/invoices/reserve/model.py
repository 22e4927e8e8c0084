"""What may happen to an invoice's reserve once it is held: drawn on, refilled, the rest released (contract#amounts).

``fees.model.reserve`` says how much is held, ``invoices.model.succeed`` holds it. Amounts are minor units of the
invoice's currency. Pure.
"""

from datetime import datetime

from msgspec.structs import replace

from kassa.errors import TransitionRefused
from kassa.invoices.model import Invoice, touch


def draw(invoice: Invoice, amount: int) -> tuple[Invoice, int]:
    """Take an amount that goes back to the payer from the reserve, as far as that lasts.

    Returns the invoice and how much came from its reserve; the rest of the amount is the active purse's to give. The
    entry that takes the amount from there begins with ``(RESERVED, ACTIVE, drawn)``. A reserve that is used up is due
    for nothing any more.
    """
    drawn = min(amount, invoice.reserve_left)
    if drawn <= 0:
        return invoice, 0
    after = replace(invoice, reserve_left=invoice.reserve_left - drawn)
    return replace(after, due_at=after.release_at), drawn


def refill(invoice: Invoice, amount: int, *, now: datetime) -> tuple[Invoice, int]:
    """Put an amount that was drawn back into the reserve: it has not gone to the payer after all.

    Returns the invoice and how much is held again: nothing once the reserve's time is over.
    """
    over = invoice.unreserved_at is not None or invoice.reserve_expires_at is None or now >= invoice.reserve_expires_at
    if over or amount <= 0:
        return invoice, 0
    after = replace(invoice, reserve_left=invoice.reserve_left + amount)
    return replace(after, due_at=after.release_at), amount


def release(invoice: Invoice, *, now: datetime) -> Invoice:
    """Return the invoice with nothing held any more; its status stays.

    Raises ``TransitionRefused`` before the reserve's time is over, and where nothing is held.
    """
    if invoice.release_at is None or now < invoice.release_at:
        raise TransitionRefused("No reserve is due for its release.")
    return replace(touch(invoice, now=now), reserve_left=0, unreserved_at=now, due_at=None)
