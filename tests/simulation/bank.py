"""A model bank: takes money once under each name, decides when it likes, and sometimes says no where it means yes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending, Redirect
from tests.simulation.scheduler import Scheduler

Notify = Callable[[str, bool], None]

PAGE_SECONDS: Final = 30 * 60


@dataclass(kw_only=True)
class Purchase:
    """One purchase in its books."""

    amount: int
    paid: int
    state: str
    """``page``, ``open``, ``approved`` or ``refused``."""
    denies: bool = False
    """Whether it says "refused" for a while although it has taken the money."""
    refunds: dict[str, int] = field(default_factory=dict)
    charge_backs: list[int] = field(default_factory=list)
    asked: int = 0
    """How often it was asked to take the money."""

    @property
    def kept(self) -> int:
        """What of the money is still there."""
        taken = self.paid if self.state == "approved" else 0
        return taken - sum(self.refunds.values()) - sum(self.charge_backs)


@dataclass(kw_only=True)
class Bank:
    """Its books, and whom it tells."""

    scheduler: Scheduler
    notify: Notify = lambda _payment_id, _charge_back: None
    purchases: dict[str, Purchase] = field(default_factory=dict)

    def pay(self, payment_id: str, amount: int) -> Outcome:
        """Take money, or show what became of it when it was asked before."""
        if payment_id not in self.purchases:
            dice = self.scheduler.dice
            state = dice.choice(("approved", "approved", "refused", "page", "page", "open"))
            paid = amount - 1 if dice.random() < 0.05 else amount
            self.purchases[payment_id] = Purchase(amount=amount, paid=paid, state=state)
            if state == "page":
                self.scheduler.after(PAGE_SECONDS, lambda: self.close(payment_id))
            if state == "open":
                self.scheduler.after(dice.uniform(1, 4 * 3600), lambda: self.decide(payment_id))
            if state == "approved" and dice.random() < 0.1:
                self.purchases[payment_id].denies = True
                self.scheduler.after(dice.uniform(30, 3600), lambda: self._admit(payment_id))
        self.purchases[payment_id].asked += 1
        return self.status(payment_id)

    def status(self, payment_id: str) -> Outcome:
        """Say how a purchase stands."""
        purchase = self.purchases.get(payment_id)
        if purchase is None:
            return Absent()
        name = f"bank-{payment_id}"
        if purchase.state == "refused" or purchase.denies:
            return Declined(external_id=name, resolution="declined")
        if purchase.state == "page":
            return Redirect(external_id=name, action="https://bank.example", method="GET", params={})
        if purchase.state == "open":
            return Pending(external_id=name)
        taken_back = tuple(purchase.charge_backs)
        return Accepted(external_id=name, amount=purchase.paid, currency="USD", charge_backs=taken_back)

    def decide(self, payment_id: str) -> None:
        """Approve or refuse what is on its page or open, and tell."""
        purchase = self.purchases[payment_id]
        if purchase.state in ("page", "open"):
            purchase.state = "approved" if self.scheduler.chance(0.7) else "refused"
            self._tell(payment_id)

    def close(self, payment_id: str) -> None:
        """Refuse what is still on its page: the payer's time is over, or they have given up."""
        if self.purchases[payment_id].state == "page":
            self.purchases[payment_id].state = "refused"
            self._tell(payment_id)

    def cancel(self, payment_id: str) -> Outcome:
        """Close what is still on its page, and return what became of it."""
        if payment_id in self.purchases:
            self.close(payment_id)
        return self.status(payment_id)

    def refund(self, refund_id: str, payment_id: str, amount: int) -> Outcome:
        """Give money back once under each name, never more than is there."""
        purchase = self.purchases.get(payment_id)
        if purchase is None:
            return Absent()
        if refund_id not in purchase.refunds:
            if purchase.kept < amount or self.scheduler.chance(0.1):
                return Declined(external_id=None, resolution="declined")
            purchase.refunds[refund_id] = amount
        return self.refund_status(refund_id, payment_id)

    def refund_status(self, refund_id: str, payment_id: str) -> Outcome:
        """Say what became of a refund."""
        purchase = self.purchases.get(payment_id)
        if purchase is None or refund_id not in purchase.refunds:
            return Absent()
        return Accepted(external_id=f"bank-{refund_id}", amount=purchase.refunds[refund_id], currency="USD")

    def charge_back(self, payment_id: str) -> None:
        """Take back a part of what is there, and tell."""
        purchase = self.purchases[payment_id]
        if purchase.kept > 0:
            purchase.charge_backs.append(self.scheduler.dice.randint(1, purchase.kept))
            self._tell(payment_id, charge_back=True)

    def _admit(self, payment_id: str) -> None:
        self.purchases[payment_id].denies = False
        self._tell(payment_id)

    def _tell(self, payment_id: str, *, charge_back: bool = False) -> None:
        """Notify, as banks do: late, several times, and again until somebody has heard it."""
        for _ in range(self.scheduler.dice.choice((1, 1, 2, 5))):
            self.scheduler.after(self.scheduler.dice.uniform(0, 120), lambda: self.notify(payment_id, charge_back))
        self.scheduler.after(3 * 86_400, lambda: self.notify(payment_id, charge_back))
