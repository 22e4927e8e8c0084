"""What the books are made of: transfers from one ledger account to another, several of them to one entry (P4).

A transfer has a debit and a credit side of one amount, so no entry can be out of balance. An entry is one business
fact; its id is made from the fact's own, so a fact that is reported twice is booked once.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from kassa.values import Value


class LedgerAccount(StrEnum):
    """Whose money it is. Every merchant's account has each of them once for each mode and currency."""

    PROVIDER = "provider"
    """What providers hold of what payers paid: the only ledger account by which money comes in and goes out."""
    ACTIVE = "active"
    """What the merchant can have."""
    PENDING = "pending"
    """What is neither the merchant's nor the payer's yet, such as a refund on its way."""
    RESERVED = "reserved"
    """The rolling reserve: the merchant's, held back for refunds and chargebacks."""
    FEES = "fees"
    """What the gateway has earned."""
    EXCHANGE = "exchange"
    """The gateway's position in a currency: what one conversion took in one currency and gave in another."""


DEBIT_NORMAL: Final = frozenset({LedgerAccount.PROVIDER})
"""Ledger accounts whose balance grows by debits: assets. The others are owed to someone and grow by credits."""


class Transfer(Value, frozen=True, kw_only=True):
    """One movement. ``amount`` is positive, in minor units of ``currency``."""

    debit: LedgerAccount
    credit: LedgerAccount
    amount: int
    currency: str


class Entry(Value, frozen=True, kw_only=True):
    """One business fact, as the transfers that it made."""

    entry_id: str
    """The fact's name and id, such as ``processed:pay_…``: unique, so that it is booked once."""
    recipe: str
    invoice_id: str | None
    payment_id: str | None = None
    """Whose money moved; None where it is the whole invoice's, as for a reserve."""
    refund_id: str | None = None
    dispute_id: str | None = None
    charged_back_total: int | None = None
    """Of a chargeback and its reversal: what was charged back of the payment in all, with this chargeback, in minor
    units of the provider's currency."""
    transfers: tuple[Transfer, ...]


class Row(Value, frozen=True, kw_only=True):
    """One transfer as the books have it, with every column of its row."""

    line: int
    """Its position in the entry, from 1."""
    test_mode: bool
    recipe: str
    invoice_id: str | None
    payment_id: str | None = None
    refund_id: str | None = None
    dispute_id: str | None = None
    charged_back_total: int | None = None
    created_at: datetime
    transfer: Transfer


class Posted(Value, frozen=True, kw_only=True):
    """An entry as the books have it. The first row says what all of them have in common."""

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


Balances = Mapping[tuple[LedgerAccount, str], int]
"""A balance for each ledger account and currency, in minor units, positive in the account's normal direction."""


def applied(balances: Balances, transfers: Iterable[Transfer]) -> dict[tuple[LedgerAccount, str], int]:
    """Return the balances after transfers."""
    after = dict(balances)
    for transfer in transfers:
        for ledger_account, sign in ((transfer.debit, 1), (transfer.credit, -1)):
            key = (ledger_account, transfer.currency)
            normal = sign if ledger_account in DEBIT_NORMAL else -sign
            after[key] = after.get(key, 0) + normal * transfer.amount
    return after


def transfers(currency: str, *moves: tuple[LedgerAccount, LedgerAccount, int]) -> tuple[Transfer, ...]:
    """Return the transfers of ``(debit, credit, amount)`` moves, leaving out those of nothing."""
    return tuple(
        Transfer(debit=debit, credit=credit, amount=amount, currency=currency)
        for debit, credit, amount in moves
        if amount
    )


def across(
    debit: LedgerAccount, credit: LedgerAccount, *, given: tuple[int, str], got: tuple[int, str]
) -> tuple[Transfer, ...]:
    """Return the transfers that debit one ledger account what is given, and credit another what is got for it.

    Each is minor units and their currency. Where these differ the gateway is between them, with ``exchange``.
    """
    if given[1] == got[1]:
        return transfers(got[1], (debit, credit, got[0]))
    return (
        *transfers(given[1], (debit, LedgerAccount.EXCHANGE, given[0])),
        *transfers(got[1], (LedgerAccount.EXCHANGE, credit, got[0])),
    )
