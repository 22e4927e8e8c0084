"""What may happen to an invoice's reserve once it is held: used, restored, the rest released (contract#amounts).

``fees.model.reserve`` says how much is held, ``invoice.succeed`` holds it. Amounts are minor units of the invoice's
currency. Pure.
"""

from datetime import datetime

from msgspec.structs import replace

from kassa.errors import TransitionRefused
from kassa.invoices.rules import booking
from kassa.invoices.rules.invoice import Invoice, touch
from kassa.invoices.rules.snapshot import Change, Event, Snapshot


def use(invoice: Invoice, amount: int) -> tuple[Invoice, int]:
    """Take an amount that goes back to the payer from the reserve, as far as that lasts.

    Returns the invoice and how much came from its reserve; the rest is taken from what the merchant can have. A reserve
    that is used up is due for nothing any more.
    """
    used = min(amount, invoice.reserve_left)
    if used <= 0:
        return invoice, 0
    after = replace(invoice, reserve_left=invoice.reserve_left - used)
    return replace(after, due_at=after.release_at), used


def restore(invoice: Invoice, amount: int, *, now: datetime) -> tuple[Invoice, int]:
    """Put an amount that was used back into the reserve: it has not gone to the payer after all.

    Returns the invoice and how much is held again: nothing once the reserve's time is over.
    """
    over = invoice.unreserved_at is not None or invoice.reserve_expires_at is None or now >= invoice.reserve_expires_at
    if over or amount <= 0:
        return invoice, 0
    after = replace(invoice, reserve_left=invoice.reserve_left + amount)
    return replace(after, due_at=after.release_at), amount


def release(snapshot: Snapshot, *, now: datetime) -> Change:
    """Release what is left of the reserve to the merchant; the status stays, so no callback is sent.

    Raises ``TransitionRefused`` before the reserve's time is over, and where nothing is held.
    """
    invoice = snapshot.invoice
    if invoice.release_at is None or now < invoice.release_at:
        raise TransitionRefused("No reserve is due for its release.")
    after = replace(touch(invoice, now=now), reserve_left=0, unreserved_at=now, due_at=None)
    return Change(
        before=snapshot,
        after=replace(snapshot, invoice=after),
        at=now,
        event=Event(
            kind="reserve.released",
            by="kassa",
            params={"amount": invoice.reserve_left, "currency": invoice.currency},
        ),
        entries=(booking.released(invoice),),
    )
