"""What happens to money, fact by fact, so that a bookkeeper can read it. Each recipe returns one entry.

Read ``PROVIDER, ACTIVE, amount`` as: debit the provider's purse, credit the merchant's. All amounts are minor units.
"""

from kassa.ledger.model import Entry, Purse, Transfer, transfers

PROVIDER, ACTIVE, PENDING = Purse.PROVIDER, Purse.ACTIVE, Purse.PENDING
RESERVED, FEES, EXCHANGE = Purse.RESERVED, Purse.FEES, Purse.EXCHANGE


def processed(
    *,
    payment_id: str,
    invoice_id: str,
    currency: str,
    paid: int,
    fee: int,
    reserve: int,
    taken: tuple[int, str] | None = None,
) -> Entry:
    """The payer has paid: the provider holds the money, the merchant is owed it less the fee, part of it kept back.

    Where the provider has taken another currency, the gateway keeps that and gives the merchant his own.
    """
    bought: tuple[Transfer, ...] = ()
    source = PROVIDER
    if taken is not None and taken[1] != currency:
        bought, source = transfers(taken[1], (PROVIDER, EXCHANGE, taken[0])), EXCHANGE
    return Entry(
        entry_id=f"processed:{payment_id}",
        recipe="processed",
        invoice_id=invoice_id,
        transfers=(
            *bought,
            *transfers(currency, (source, ACTIVE, paid), (ACTIVE, FEES, fee), (ACTIVE, RESERVED, reserve)),
        ),
    )


def suspended(*, payment_id: str, invoice_id: str, currency: str, paid: int) -> Entry:
    """The provider took something else than it was asked for: held for whoever a person decides on."""
    return Entry(
        entry_id=f"suspended:{payment_id}",
        recipe="suspended",
        invoice_id=invoice_id,
        transfers=transfers(currency, (PROVIDER, PENDING, paid)),
    )


def unwanted(*, payment_id: str, invoice_id: str, currency: str, paid: int) -> Entry:
    """The payer has paid what nobody waits for (too late, or a second time): held until it has gone back."""
    return Entry(
        entry_id=f"unwanted:{payment_id}",
        recipe="unwanted",
        invoice_id=invoice_id,
        transfers=transfers(currency, (PROVIDER, PENDING, paid)),
    )


def returned(*, payment_id: str, invoice_id: str, currency: str, paid: int) -> Entry:
    """The unwanted payment has gone back to the payer."""
    return Entry(
        entry_id=f"returned:{payment_id}",
        recipe="returned",
        invoice_id=invoice_id,
        transfers=transfers(currency, (PENDING, PROVIDER, paid)),
    )
