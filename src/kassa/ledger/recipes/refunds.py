"""What refunds do to money, one family for all of them.

A refund of money that is not the merchant's (a late or second payment, or one that a review rejected) starts from
``pending``, where that money is: nothing moves when it starts or fails, and it costs nothing.
"""

from kassa.ledger.model import Entry, LedgerAccount, across, transfers

PROVIDER, ACTIVE, PENDING = LedgerAccount.PROVIDER, LedgerAccount.ACTIVE, LedgerAccount.PENDING
RESERVED, FEES = LedgerAccount.RESERVED, LedgerAccount.FEES


def refund_started(
    *, refund_id: str, payment_id: str, invoice_id: str, currency: str, amount: int, reserve: int
) -> Entry:
    """A merchant's refund has started: its money becomes pending, what the reserve holds for the invoice first."""
    return Entry(
        entry_id=f"refund_started:{refund_id}",
        recipe="refund_started",
        invoice_id=invoice_id,
        payment_id=payment_id,
        refund_id=refund_id,
        transfers=transfers(currency, (RESERVED, ACTIVE, reserve), (ACTIVE, PENDING, amount)),
    )


def refund_sent(
    *,
    refund_id: str,
    payment_id: str,
    invoice_id: str,
    currency: str,
    amount: int,
    fee: int,
    at_provider: tuple[int, str],
) -> Entry:
    """The provider has given the money back to the payer; the merchant pays for a refund that they asked for."""
    return Entry(
        entry_id=f"refund_sent:{refund_id}",
        recipe="refund_sent",
        invoice_id=invoice_id,
        payment_id=payment_id,
        refund_id=refund_id,
        transfers=(
            *across(PENDING, PROVIDER, given=(amount, currency), got=at_provider),
            *transfers(currency, (ACTIVE, FEES, fee)),
        ),
    )


def refund_mismatched(
    *,
    refund_id: str,
    payment_id: str,
    invoice_id: str,
    currency: str,
    pending: int,
    amount: int,
    fee: int,
    reserve: int,
    at_provider: tuple[int, str],
) -> Entry:
    """Another amount was refunded than was asked for, and a review has accepted it: ``amount`` of what was ``pending``.

    The difference is the merchant's; what the reserve gives for it, or, below zero, holds of it again, is ``reserve``.
    """
    rest = pending - amount
    return Entry(
        entry_id=f"refund_mismatched:{refund_id}",
        recipe="refund_mismatched",
        invoice_id=invoice_id,
        payment_id=payment_id,
        refund_id=refund_id,
        transfers=(
            *transfers(
                currency,
                (RESERVED, ACTIVE, max(reserve, 0)),
                (PENDING, ACTIVE, max(rest, 0)),
                (ACTIVE, PENDING, max(-rest, 0)),
                (ACTIVE, RESERVED, max(-reserve, 0)),
            ),
            *across(PENDING, PROVIDER, given=(amount, currency), got=at_provider),
            *transfers(currency, (ACTIVE, FEES, fee)),
        ),
    )


def refund_failed(
    *, refund_id: str, payment_id: str, invoice_id: str, currency: str, amount: int, reserve: int
) -> Entry:
    """A merchant's refund has failed: the money is theirs again; what the reserve gave is held again, if in time."""
    return Entry(
        entry_id=f"refund_failed:{refund_id}",
        recipe="refund_failed",
        invoice_id=invoice_id,
        payment_id=payment_id,
        refund_id=refund_id,
        transfers=transfers(currency, (PENDING, ACTIVE, amount), (ACTIVE, RESERVED, reserve)),
    )


def refund_reopened(
    *, refund_id: str, payment_id: str, invoice_id: str, currency: str, amount: int, reserve: int
) -> Entry:
    """A refund that had failed was sent after all, but not as asked: its money is pending until a review accepts it."""
    return Entry(
        entry_id=f"refund_reopened:{refund_id}",
        recipe="refund_reopened",
        invoice_id=invoice_id,
        payment_id=payment_id,
        refund_id=refund_id,
        transfers=transfers(currency, (RESERVED, ACTIVE, reserve), (ACTIVE, PENDING, amount)),
    )


def refund_sent_after_failure(
    *,
    refund_id: str,
    payment_id: str,
    invoice_id: str,
    currency: str,
    amount: int,
    fee: int,
    reserve: int,
    at_provider: tuple[int, str],
) -> Entry:
    """A merchant's refund that had failed was sent to the payer after all, the reserve's money first."""
    return Entry(
        entry_id=f"refund_sent_after_failure:{refund_id}",
        recipe="refund_sent_after_failure",
        invoice_id=invoice_id,
        payment_id=payment_id,
        refund_id=refund_id,
        transfers=(
            *transfers(currency, (RESERVED, ACTIVE, reserve)),
            *across(ACTIVE, PROVIDER, given=(amount, currency), got=at_provider),
            *transfers(currency, (ACTIVE, FEES, fee)),
        ),
    )


def refund_failed_after_success(
    *,
    refund_id: str,
    payment_id: str,
    invoice_id: str,
    currency: str,
    amount: int,
    fee: int,
    reserve: int,
    pending: int,
    at_provider: tuple[int, str],
) -> Entry:
    """The payer's bank has sent refunded money back: it is the merchant's again, or, where it was not theirs, pending.

    ``reserve`` is what is held of it again, and ``fee`` what the merchant gets back of the refund's.
    """
    return Entry(
        entry_id=f"refund_failed_after_success:{refund_id}",
        recipe="refund_failed_after_success",
        invoice_id=invoice_id,
        payment_id=payment_id,
        refund_id=refund_id,
        transfers=(
            *across(PROVIDER, ACTIVE, given=at_provider, got=(amount, currency)),
            *transfers(currency, (FEES, ACTIVE, fee), (ACTIVE, RESERVED, reserve), (ACTIVE, PENDING, pending)),
        ),
    )
