"""What all of Kassa's operations share in the simulation: read, decide, carry out; again, where another was first."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Final, TypeAlias

from kassa.accounts.model import Account
from kassa.invoices.rules.invoice import Status
from kassa.invoices.rules.snapshot import Change, Snapshot
from kassa.invoices.tables.carrying import Stale
from tests.simulation.bank import Bank
from tests.simulation.scheduler import Call, Scheduler, Wait
from tests.simulation.store import Callback, Store

ASK_SECONDS: Final = 10.0

Decide: TypeAlias = Callable[[Snapshot], Change | None]
Changing: TypeAlias = Generator[Wait | Call, Any, tuple[Snapshot, bool]]
"""Steps that end with the invoice as it then is, and whether it was changed."""


@dataclass(kw_only=True)
class Endpoint:
    """The merchant's: what it has heard."""

    scheduler: Scheduler
    deaf: float = 0.0
    """How likely it takes nothing."""
    heard: dict[str, set[Status]] = field(default_factory=dict)

    def take(self, callback: Callback) -> int | None:
        """Answer a callback with a status, or with nothing."""
        if self.scheduler.chance(self.deaf):
            return self.scheduler.dice.choice((500, 503, None))
        self.heard.setdefault(callback.invoice_id, set()).add(callback.status)
        return 200


@dataclass(kw_only=True)
class Process:
    """One of Kassa's processes: what it works with, and how it changes an invoice."""

    scheduler: Scheduler
    store: Store
    bank: Bank
    endpoint: Endpoint
    account: Account
    slowness: float = 0.0
    """Seconds that a statement takes at most; meanwhile others go on."""
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def now(self) -> datetime:
        """The platform's clock."""
        return self.scheduler.now

    def change(self, invoice_id: str, decide: Decide, *, payment_id: str | None = None) -> Changing:
        """``operations.changing.change``: read, decide, carry out; and again, where another change came first."""
        while True:
            snapshot = self.store.read(invoice_id, payment_id)
            yield self.statement()
            decided = decide(snapshot)
            if decided is None:
                return snapshot, False
            yield self.statement()
            try:
                after = self.store.carry_out(decided)
            except Stale:
                yield self.statement()
                continue
            yield self.statement()
            return after, True

    def id(self, kind: str) -> str:
        """Return a new id."""
        return f"{kind}-{next(self._numbers)}"

    def statement(self) -> Wait:
        """Wait for a statement; meanwhile others have their turn."""
        return Wait(seconds=self.scheduler.dice.uniform(0, self.slowness))
