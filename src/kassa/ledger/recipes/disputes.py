"""What chargebacks do to money, and what undoes them."""

from kassa.ledger.model import Entry, LedgerAccount, across, transfers

PROVIDER, ACTIVE, PENDING = LedgerAccount.PROVIDER, LedgerAccount.ACTIVE, LedgerAccount.PENDING
RESERVED, FEES = LedgerAccount.RESERVED, LedgerAccount.FEES


def charged_back(
    *,
    payment_id: str,
    invoice_id: str,
    currency: str,
    total: int,
    amount: int,
    fee: int,
    reserve: int,
    at_provider: tuple[int, str],
    dispute_id: str | None = None,
) -> Entry:
    """The payer's bank has taken an amount back, the reserve's first: ``total`` at the provider with what it had."""
    return Entry(
        entry_id=f"charged_back:{payment_id}:{total}",
        recipe="charged_back",
        invoice_id=invoice_id,
        payment_id=payment_id,
        dispute_id=dispute_id,
        charged_back_total=total,
        transfers=(
            *transfers(currency, (RESERVED, ACTIVE, reserve)),
            *across(ACTIVE, PROVIDER, given=(amount, currency), got=at_provider),
            *transfers(currency, (ACTIVE, FEES, fee)),
        ),
    )


def charged_back_unexpected(
    *,
    payment_id: str,
    invoice_id: str,
    currency: str,
    total: int,
    amount: int,
    pending: int,
    dispute_id: str | None = None,
) -> Entry:
    """The payer's bank has taken back money that was not the merchant's: ``pending`` of it was not refunded yet.

    What is taken twice the merchant owes: it is their account at the provider that it is taken from.
    """
    return Entry(
        entry_id=f"charged_back_unexpected:{payment_id}:{total}",
        recipe="charged_back_unexpected",
        invoice_id=invoice_id,
        payment_id=payment_id,
        dispute_id=dispute_id,
        charged_back_total=total,
        transfers=transfers(currency, (PENDING, ACTIVE, pending), (ACTIVE, PROVIDER, amount)),
    )


def dispute_won(
    *,
    payment_id: str,
    invoice_id: str,
    currency: str,
    total: int,
    amount: int,
    fee: int,
    reserve: int,
    at_provider: tuple[int, str],
    dispute_id: str | None = None,
) -> Entry:
    """A dispute is won: its chargeback, which was booked with the same ``total``, is undone.

    ``reserve`` is what is held again, and ``fee`` what the merchant gets back of the chargeback's.
    """
    return Entry(
        entry_id=f"dispute_won:{payment_id}:{total}",
        recipe="dispute_won",
        invoice_id=invoice_id,
        payment_id=payment_id,
        dispute_id=dispute_id,
        charged_back_total=total,
        transfers=(
            *transfers(currency, (FEES, ACTIVE, fee)),
            *across(PROVIDER, ACTIVE, given=at_provider, got=(amount, currency)),
            *transfers(currency, (ACTIVE, RESERVED, reserve)),
        ),
    )


def dispute_won_unexpected(
    *,
    payment_id: str,
    invoice_id: str,
    currency: str,
    total: int,
    amount: int,
    pending: int,
    dispute_id: str | None = None,
) -> Entry:
    """A dispute about money that was not the merchant's is won: ``pending`` of what comes back is pending again."""
    return Entry(
        entry_id=f"dispute_won_unexpected:{payment_id}:{total}",
        recipe="dispute_won_unexpected",
        invoice_id=invoice_id,
        payment_id=payment_id,
        dispute_id=dispute_id,
        charged_back_total=total,
        transfers=transfers(currency, (PROVIDER, ACTIVE, amount), (ACTIVE, PENDING, pending)),
    )
