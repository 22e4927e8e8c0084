"""What becomes of money that a provider has taken and nobody wants, or that a payer's bank takes back. Pure.

refund_pending ──┬──> refunded
├──> refund_failed ──> refund_pending     asked once more, under another name
└──> refund_error ──> refunded            sent back, but not as asked: a person settles it
"""

from datetime import datetime
from typing import Final, assert_never

import msgspec

from kassa.errors import TransitionRefused
from kassa.payments.model import Payment, PaymentStatus, move, wait, woken
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending, Redirect

UNWANTED: Final = frozenset({PaymentStatus.REFUNDED, PaymentStatus.REFUND_FAILED, PaymentStatus.REFUND_ERROR})
"""Statuses of money that nobody wanted, once the provider has answered about its return."""


def return_again(payment: Payment, *, now: datetime) -> Payment:
    """Return a payment whose money the provider would not send back on its way once more, under another name.

    Raises ``TransitionRefused`` for one that the provider has not refused.
    """
    if payment.status is not PaymentStatus.REFUND_FAILED:
        raise TransitionRefused("The provider has not refused to send this money back.")
    if not payment.returnable:
        raise TransitionRefused("The payer's bank has taken this money back.")
    number = payment.return_number + 1
    return move(payment, PaymentStatus.REFUND_PENDING, payment.resolution, now=now, due_at=now, return_number=number)


def settle(payment: Payment, *, now: datetime) -> Payment:
    """Return a payment whose money went back otherwise than asked as one that has gone back; questions stay due.

    Raises ``TransitionRefused`` for any other.
    """
    if payment.status is not PaymentStatus.REFUND_ERROR:
        raise TransitionRefused("The payment has not gone back otherwise than asked.")
    return move(payment, PaymentStatus.REFUNDED, "ok", now=now, due_at=payment.due_at)


def refund_answered(payment: Payment, outcome: Outcome, *, now: datetime) -> Payment:
    """Return the attempt as it is after a provider's answer to ``refund``; what is unknown is asked for again.

    However it ends, what was charged back while it was under way is asked about at once.
    """
    match outcome:
        case Accepted():
            back = {"returned_amount": outcome.amount, "returned_currency": outcome.currency}
            if (outcome.amount, outcome.currency) != (payment.returnable, payment.processed_currency):
                return move(payment, PaymentStatus.REFUND_ERROR, "invalid_amount", now=now, due_at=now, **back)
            part = back if payment.charged_back_amount else {}
            return move(payment, PaymentStatus.REFUNDED, "ok", now=now, due_at=now, **part)
        case Declined():
            return move(payment, PaymentStatus.REFUND_FAILED, outcome.resolution, now=now, due_at=now)
        case Redirect() | Pending() | Absent():
            return wait(payment, external_id=None, now=now)
        case _:
            assert_never(outcome)


def heard(payment: Payment, outcome: Outcome, *, now: datetime) -> Payment:
    """Return an attempt that has taken money after a question about charge-backs: asked again where nobody knows."""
    if isinstance(outcome, Pending):
        return wait(payment, external_id=None, now=now)
    return msgspec.structs.replace(payment, due_at=woken(payment, now))


def charge_back(payment: Payment, *, total: int, currency: str) -> tuple[Payment, int]:
    """Return a payment of money that nobody wanted after its payer's bank took some back, and what that is more.

    Nothing, where it is known already. ``total`` is what the bank has taken in all.
    """
    if payment.status not in UNWANTED or currency != payment.processed_currency:
        return payment, 0
    more = max(total - payment.charged_back_amount, 0)
    return msgspec.structs.replace(payment, charged_back_amount=payment.charged_back_amount + more), more
