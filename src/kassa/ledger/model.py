"""What the books are made of: transfers from one purse to another, several of them to one entry (P4).

A transfer has a debit and a credit side of one amount, so no entry can be out of balance. An entry is one business
fact; its id is made from the fact's own, so a fact that is told twice is booked once.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from kassa.providers.protocol import Value


class Purse(StrEnum):
    """Whose money it is. Every merchant account has each of them once a mode and currency."""

    PROVIDER = "provider"
    """What providers hold of what payers paid: the only purse that money comes in and goes out by."""
    ACTIVE = "active"
    """What the merchant can have."""
    PENDING = "pending"
    """What is neither the merchant's nor the payer's yet, such as a refund on its way."""
    RESERVED = "reserved"
    """The rolling reserve: the merchant's, held back for refunds and charge-backs."""
    FEES = "fees"
    """What the gateway has earned."""
    EXCHANGE = "exchange"
    """The gateway's position in a currency: what one conversion took in one currency and gave in another."""


DEBIT_NORMAL: Final = frozenset({Purse.PROVIDER})
"""Purses whose balance grows by debits: assets. The others are owed to somebody and grow by credits."""


class Transfer(Value, frozen=True, kw_only=True):
    """One movement. ``amount`` is positive, in minor units of ``currency``."""

    debit: Purse
    credit: Purse
    amount: int
    currency: str


class Entry(Value, frozen=True, kw_only=True):
    """One business fact, told as transfers."""

    entry_id: str
    """The fact's name and id, such as ``processed:pay_…``: unique, so that it is booked once."""
    recipe: str
    invoice_id: str | None
    transfers: tuple[Transfer, ...]


class Row(Value, frozen=True, kw_only=True):
    """One transfer as it stands in the books, with all that its row says."""

    line: int
    """Its place in the entry, from 1."""
    test_mode: bool
    recipe: str
    invoice_id: str | None
    created_at: datetime
    transfer: Transfer


class Posted(Value, frozen=True, kw_only=True):
    """An entry as it stands in the books. What its rows have in common is told by the first."""

    entry_id: str
    rows: tuple[Row, ...]

    @property
    def created_at(self) -> datetime:
        """When the fact became one."""
        return self.rows[0].created_at

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """What it moved."""
        return tuple(row.transfer for row in self.rows)


Balances = Mapping[tuple[Purse, str], int]
"""A balance a purse and currency, in minor units, positive in the purse's normal direction."""


def applied(balances: Balances, transfers: Iterable[Transfer]) -> dict[tuple[Purse, str], int]:
    """Return the balances after transfers."""
    after = dict(balances)
    for transfer in transfers:
        for purse, sign in ((transfer.debit, 1), (transfer.credit, -1)):
            key = (purse, transfer.currency)
            normal = sign if purse in DEBIT_NORMAL else -sign
            after[key] = after.get(key, 0) + normal * transfer.amount
    return after


def transfers(currency: str, *moves: tuple[Purse, Purse, int]) -> tuple[Transfer, ...]:
    """Return the transfers of ``(debit, credit, amount)`` moves, leaving out those of nothing."""
    return tuple(
        Transfer(debit=debit, credit=credit, amount=amount, currency=currency)
        for debit, credit, amount in moves
        if amount
    )


def across(debit: Purse, credit: Purse, *, given: tuple[int, str], got: tuple[int, str]) -> tuple[Transfer, ...]:
    """Return the transfers that debit one purse what is given, and credit another what is got for it.

    Each is minor units and their currency. Where these differ the gateway stands between them: with the exchange purse.
    """
    if given[1] == got[1]:
        return transfers(got[1], (debit, credit, got[0]))
    return (
        *transfers(given[1], (debit, Purse.EXCHANGE, given[0])),
        *transfers(got[1], (Purse.EXCHANGE, credit, got[0])),
    )
