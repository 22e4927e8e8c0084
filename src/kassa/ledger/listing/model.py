"""What may be asked of the journal's list, whose order is the journal's own: by number, newest first."""

from datetime import datetime
from typing import Final

from kassa.ledger.model import Balances, LedgerAccount, Posted
from kassa.values import Value

SIZE_DEFAULT: Final = 20
SIZE_MAX: Final = 100


class Filters(Value, frozen=True, kw_only=True):
    """Which entries are listed; None does not choose. Account and currency are those of one and the same transfer."""

    test_mode: bool = False
    ledger_account: LedgerAccount | None = None
    currency: str | None = None
    invoice_id: str | None = None
    created_from: datetime | None = None
    created_until: datetime | None = None
    """Exclusive."""


class Page(Value, frozen=True, kw_only=True):
    """Which of them are shown: the newest, or those next to a number, which is not shown itself."""

    size: int = SIZE_DEFAULT
    before: int | None = None
    """Show entries of smaller numbers, which are older."""
    after: int | None = None
    """Show the entries that follow: those of the next greater numbers."""


class Listed(Value, frozen=True, kw_only=True):
    """An entry with its place in the journal."""

    number: int
    posted: Posted
    balances: Balances
    """After this entry."""
