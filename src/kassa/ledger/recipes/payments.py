"""What payments do to money, and the reserve that is kept of them."""

from kassa.ledger.model import Entry, LedgerAccount, across, transfers

PROVIDER, ACTIVE, PENDING = LedgerAccount.PROVIDER, LedgerAccount.ACTIVE, LedgerAccount.PENDING
RESERVED, FEES = LedgerAccount.RESERVED, LedgerAccount.FEES


def processed(
    *,
    payment_id: str,
    invoice_id: str,
    currency: str,
    paid: int,
    fee: int,
    reserve: int,
    at_provider: tuple[int, str],
) -> Entry:
    """The payer has paid: the provider holds the money, the merchant is owed it less the fee, part of it kept back.

    Where the provider has taken another currency, the gateway keeps that and gives the merchant their own.
    """
    return Entry(
        entry_id=f"processed:{payment_id}",
        recipe="processed",
        invoice_id=invoice_id,
        payment_id=payment_id,
        transfers=(
            *across(PROVIDER, ACTIVE, given=at_provider, got=(paid, currency)),
            *transfers(currency, (ACTIVE, FEES, fee), (ACTIVE, RESERVED, reserve)),
        ),
    )


def suspended(*, payment_id: str, invoice_id: str, currency: str, paid: int) -> Entry:
    """What was taken is held for review: it is not what was asked for, or a rule wants someone to look at it."""
    return Entry(
        entry_id=f"suspended:{payment_id}",
        recipe="suspended",
        invoice_id=invoice_id,
        payment_id=payment_id,
        transfers=transfers(currency, (PROVIDER, PENDING, paid)),
    )


def approved(
    *,
    payment_id: str,
    invoice_id: str,
    currency: str,
    paid: int,
    fee: int,
    reserve: int,
    at_provider: tuple[int, str],
) -> Entry:
    """A review has approved what was held: the merchant is owed it less the fee, part of it kept back."""
    return Entry(
        entry_id=f"approved:{payment_id}",
        recipe="approved",
        invoice_id=invoice_id,
        payment_id=payment_id,
        transfers=(
            *across(PENDING, ACTIVE, given=at_provider, got=(paid, currency)),
            *transfers(currency, (ACTIVE, FEES, fee), (ACTIVE, RESERVED, reserve)),
        ),
    )


def unexpected(*, payment_id: str, invoice_id: str, currency: str, paid: int) -> Entry:
    """The payer has paid too late, or a second time: the money is pending until it has been refunded."""
    return Entry(
        entry_id=f"unexpected:{payment_id}",
        recipe="unexpected",
        invoice_id=invoice_id,
        payment_id=payment_id,
        transfers=transfers(currency, (PROVIDER, PENDING, paid)),
    )


def released(*, invoice_id: str, currency: str, reserve: int) -> Entry:
    """The reserve's time is over: what is left of it is the merchant's to have."""
    return Entry(
        entry_id=f"released:{invoice_id}",
        recipe="released",
        invoice_id=invoice_id,
        transfers=transfers(currency, (RESERVED, ACTIVE, reserve)),
    )
