"""What happens to money, fact by fact, so that a bookkeeper can read it. Each recipe returns one entry.

Read ``PROVIDER, ACTIVE, amount`` as: debit the provider's purse, credit the merchant's. All amounts are minor units of
``currency``, the invoice's. ``at_provider`` is what of it the provider has taken or given back, with its own currency:
where that is another, the money goes through the exchange purse.
"""

from kassa.ledger.model import Entry, Purse, across, transfers

PROVIDER, ACTIVE, PENDING = Purse.PROVIDER, Purse.ACTIVE, Purse.PENDING
RESERVED, FEES = Purse.RESERVED, Purse.FEES


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

    Where the provider has taken another currency, the gateway keeps that and gives the merchant his own.
    """
    return Entry(
        entry_id=f"processed:{payment_id}",
        recipe="processed",
        invoice_id=invoice_id,
        transfers=(
            *across(PROVIDER, ACTIVE, given=at_provider, got=(paid, currency)),
            *transfers(currency, (ACTIVE, FEES, fee), (ACTIVE, RESERVED, reserve)),
        ),
    )


def suspended(*, payment_id: str, invoice_id: str, currency: str, paid: int) -> Entry:
    """What was taken is held until a person has decided: it is not what was asked for, or a rule wants him to look."""
    return Entry(
        entry_id=f"suspended:{payment_id}",
        recipe="suspended",
        invoice_id=invoice_id,
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
    """A person has approved what was held: the merchant is owed it less the fee, part of it kept back."""
    return Entry(
        entry_id=f"approved:{payment_id}",
        recipe="approved",
        invoice_id=invoice_id,
        transfers=(
            *across(PENDING, ACTIVE, given=at_provider, got=(paid, currency)),
            *transfers(currency, (ACTIVE, FEES, fee), (ACTIVE, RESERVED, reserve)),
        ),
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
    """The unwanted or rejected payment has gone back to the payer."""
    return Entry(
        entry_id=f"returned:{payment_id}",
        recipe="returned",
        invoice_id=invoice_id,
        transfers=transfers(currency, (PENDING, PROVIDER, paid)),
    )


def returned_otherwise(
    *, payment_id: str, invoice_id: str, currency: str, paid: int, at_provider: tuple[int, str]
) -> Entry:
    """The unwanted or rejected payment went back otherwise than asked, and a person has settled it.

    What went back too little is the merchant's, and what went back too much he owes: it is in his account there.
    """
    back, there = at_provider
    rest = paid - back if there == currency else 0
    return Entry(
        entry_id=f"returned_otherwise:{payment_id}",
        recipe="returned_otherwise",
        invoice_id=invoice_id,
        transfers=(
            *transfers(currency, (PENDING, ACTIVE, max(rest, 0)), (ACTIVE, PENDING, max(-rest, 0))),
            *across(PENDING, PROVIDER, given=(paid - rest, currency), got=at_provider),
        ),
    )


def released(*, invoice_id: str, currency: str, reserve: int) -> Entry:
    """The reserve's time is over: what is left of it is the merchant's to have."""
    return Entry(
        entry_id=f"released:{invoice_id}",
        recipe="released",
        invoice_id=invoice_id,
        transfers=transfers(currency, (RESERVED, ACTIVE, reserve)),
    )


def refund_begun(*, refund_id: str, invoice_id: str, currency: str, amount: int, reserve: int) -> Entry:
    """A refund has begun: its money is set aside, what the reserve holds for the invoice first."""
    return Entry(
        entry_id=f"refund_begun:{refund_id}",
        recipe="refund_begun",
        invoice_id=invoice_id,
        transfers=transfers(
            currency,
            (RESERVED, ACTIVE, reserve),
            (ACTIVE, PENDING, amount),
        ),
    )


def refunded(
    *, refund_id: str, invoice_id: str, currency: str, amount: int, fee: int, at_provider: tuple[int, str]
) -> Entry:
    """The provider has given the money back to the payer; the merchant pays for the refund."""
    return Entry(
        entry_id=f"refunded:{refund_id}",
        recipe="refunded",
        invoice_id=invoice_id,
        transfers=(
            *across(PENDING, PROVIDER, given=(amount, currency), got=at_provider),
            *transfers(currency, (ACTIVE, FEES, fee)),
        ),
    )


def refunded_otherwise(
    *,
    refund_id: str,
    invoice_id: str,
    currency: str,
    set_aside: int,
    amount: int,
    fee: int,
    reserve: int,
    at_provider: tuple[int, str],
) -> Entry:
    """The money went back otherwise than asked, and a person has settled it: ``amount`` is what went back.

    The difference is the merchant's; what the reserve gives for it, or, below zero, holds of it again, is ``reserve``.
    """
    return Entry(
        entry_id=f"refunded_otherwise:{refund_id}",
        recipe="refunded_otherwise",
        invoice_id=invoice_id,
        transfers=(
            *transfers(
                currency,
                (RESERVED, ACTIVE, max(reserve, 0)),
                (PENDING, ACTIVE, set_aside),
                (ACTIVE, RESERVED, max(-reserve, 0)),
            ),
            *across(ACTIVE, PROVIDER, given=(amount, currency), got=at_provider),
            *transfers(currency, (ACTIVE, FEES, fee)),
        ),
    )


def refund_failed(*, refund_id: str, invoice_id: str, currency: str, amount: int, reserve: int) -> Entry:
    """The money has not gone back, and is the merchant's again; what the reserve gave is held again, if it has time."""
    return Entry(
        entry_id=f"refund_failed:{refund_id}",
        recipe="refund_failed",
        invoice_id=invoice_id,
        transfers=transfers(
            currency,
            (PENDING, ACTIVE, amount),
            (ACTIVE, RESERVED, reserve),
        ),
    )


def refund_begun_again(*, refund_id: str, invoice_id: str, currency: str, amount: int, reserve: int) -> Entry:
    """A refund that was given up has gone back, but not as asked: its money is set aside until a person settles it."""
    return Entry(
        entry_id=f"refund_begun_again:{refund_id}",
        recipe="refund_begun_again",
        invoice_id=invoice_id,
        transfers=transfers(
            currency,
            (RESERVED, ACTIVE, reserve),
            (ACTIVE, PENDING, amount),
        ),
    )


def refunded_late(
    *, refund_id: str, invoice_id: str, currency: str, amount: int, fee: int, reserve: int, at_provider: tuple[int, str]
) -> Entry:
    """A refund that was given up has gone back to the payer all the same, the reserve's money first."""
    return Entry(
        entry_id=f"refunded_late:{refund_id}",
        recipe="refunded_late",
        invoice_id=invoice_id,
        transfers=(
            *transfers(currency, (RESERVED, ACTIVE, reserve)),
            *across(ACTIVE, PROVIDER, given=(amount, currency), got=at_provider),
            *transfers(currency, (ACTIVE, FEES, fee)),
        ),
    )


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
) -> Entry:
    """The payer's bank has taken an amount back, the reserve's first: ``total`` at the provider with what it had."""
    return Entry(
        entry_id=f"charged_back:{payment_id}:{total}",
        recipe="charged_back",
        invoice_id=invoice_id,
        transfers=(
            *transfers(currency, (RESERVED, ACTIVE, reserve)),
            *across(ACTIVE, PROVIDER, given=(amount, currency), got=at_provider),
            *transfers(currency, (ACTIVE, FEES, fee)),
        ),
    )


def charged_back_unwanted(
    *, payment_id: str, invoice_id: str, currency: str, total: int, amount: int, held: int
) -> Entry:
    """The payer's bank has taken back money that nobody wanted: ``held`` is pending still, the rest had gone back.

    What is taken twice the merchant owes: it is his account at the provider that it is taken from.
    """
    return Entry(
        entry_id=f"charged_back_unwanted:{payment_id}:{total}",
        recipe="charged_back_unwanted",
        invoice_id=invoice_id,
        transfers=transfers(
            currency,
            (PENDING, ACTIVE, held),
            (ACTIVE, PROVIDER, amount),
        ),
    )
