"""A model bank: takes money once under each name, decides when it likes, and sometimes says no where it means yes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kassa.providers.protocol import (
    Absent,
    Accepted,
    Declined,
    Dispute,
    DisputeStatus,
    Notice,
    Outcome,
    Pending,
    Redirect,
)
from tests.simulation.scheduler import Scheduler

Notify = Callable[[Notice], None]

PAGE_SECONDS: Final = 30 * 60
FORGETFUL_SECONDS: Final = 500
"""How long it says no at most where it means yes and no notification will tell: less than until the last poll."""


@dataclass(kw_only=True)
class Transfer:
    """One refund in its books."""

    amount: int
    done: bool
    denies: bool = False
    """Whether it says "refused" for a while although it has sent the money."""


@dataclass(kw_only=True)
class Purchase:
    """One purchase in its books."""

    amount: int
    paid: int
    state: str
    """``page``, ``open``, ``approved`` or ``refused``."""
    denies: bool = False
    """Whether it says "refused" for a while although it has taken the money."""
    refunds: dict[str, Transfer] = field(default_factory=dict)
    disputes: list[Dispute] = field(default_factory=list)
    asked: int = 0
    """How often it was asked to take the money."""

    @property
    def kept(self) -> int:
        """What of the money is still there."""
        taken = self.paid if self.state == "approved" else 0
        lost = sum(each.amount for each in self.disputes if each.status is not DisputeStatus.WON)
        return taken - sum(each.amount for each in self.refunds.values() if each.done) - lost


@dataclass(kw_only=True)
class Bank:
    """Its books, and who is notified."""

    scheduler: Scheduler
    notify: Notify = lambda _notice: None
    purchases: dict[str, Purchase] = field(default_factory=dict)

    def pay(self, payment_id: str, amount: int) -> Outcome:
        """Take money, or show what became of it when it was asked before."""
        if payment_id not in self.purchases:
            dice = self.scheduler.dice
            state = dice.choice(("approved", "approved", "refused", "page", "page", "open"))
            paid = amount - 1 if dice.random() < 0.05 else amount
            purchase = self.purchases[payment_id] = Purchase(amount=amount, paid=paid, state=state)
            if state == "page":
                self.scheduler.after(PAGE_SECONDS, lambda: self.close(payment_id))
            if state == "open":
                self.scheduler.after(dice.uniform(1, 4 * 3600), lambda: self.decide(payment_id))
            if state == "approved" and dice.random() < 0.1:
                self._deny(purchase, Notice(payment_id=payment_id))
        self.purchases[payment_id].asked += 1
        return self.status(payment_id)

    def status(self, payment_id: str) -> Outcome:
        """Say what has become of a purchase."""
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
        return Accepted(external_id=name, amount=purchase.paid, currency="USD", disputes=tuple(purchase.disputes))

    def decide(self, payment_id: str) -> None:
        """Approve or refuse what is on its page or open, and notify."""
        purchase = self.purchases[payment_id]
        if purchase.state in ("page", "open"):
            purchase.state = "approved" if self.scheduler.chance(0.7) else "refused"
            self._notify(Notice(payment_id=payment_id))

    def close(self, payment_id: str) -> None:
        """Refuse what is still on its page: the payer's time is over, or they have given up."""
        if self.purchases[payment_id].state == "page":
            self.purchases[payment_id].state = "refused"
            self._notify(Notice(payment_id=payment_id))

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
            done = purchase.kept >= amount and not self.scheduler.chance(0.1)
            transfer = purchase.refunds[refund_id] = Transfer(amount=amount, done=done)
            notice = Notice(payment_id=payment_id, refund_id=refund_id)
            if done and self.scheduler.chance(0.1):
                self._deny(transfer, notice)
            elif done and self.scheduler.chance(0.1):
                self.scheduler.after(self.scheduler.dice.uniform(60, 86_400), lambda: self._come_back(transfer, notice))
        return self.refund_status(refund_id, payment_id)

    def refund_status(self, refund_id: str, payment_id: str) -> Outcome:
        """Say what became of a refund."""
        purchase = self.purchases.get(payment_id)
        transfer = purchase.refunds.get(refund_id) if purchase is not None else None
        if transfer is None:
            return Absent()
        if transfer.denies or not transfer.done:
            return Declined(external_id=f"bank-{refund_id}", resolution="declined")
        return Accepted(external_id=f"bank-{refund_id}", amount=transfer.amount, currency="USD")

    def dispute(self, payment_id: str) -> None:
        """Take back a part of what is there, and notify; later the merchant wins, loses, or nothing more is heard."""
        purchase = self.purchases[payment_id]
        if purchase.state != "approved" or purchase.kept <= 0:
            return
        dice = self.scheduler.dice
        purchase.disputes.append(Dispute(amount=dice.randint(1, purchase.kept)))
        self._notify(Notice(payment_id=payment_id, dispute=True))
        end = dice.choice((None, DisputeStatus.WON, DisputeStatus.WON, DisputeStatus.LOST))
        if end is not None:
            place = len(purchase.disputes) - 1
            self.scheduler.after(dice.uniform(1, 86_400), lambda: self._close(payment_id, place, end))

    def _close(self, payment_id: str, place: int, end: DisputeStatus) -> None:
        disputes = self.purchases[payment_id].disputes
        disputes[place] = Dispute(amount=disputes[place].amount, status=end)
        self._notify(Notice(payment_id=payment_id, dispute=True))

    def _come_back(self, transfer: Transfer, notice: Notice) -> None:
        """A refund could not be delivered: its money is here again."""
        transfer.done = False
        self._notify(notice)

    def _deny(self, what: Purchase | Transfer, notice: Notice) -> None:
        """Say "refused" for a while of what is done; nobody may ever be notified that it was not so."""
        what.denies = True
        notified = self.scheduler.chance(0.5)
        seconds = self.scheduler.dice.uniform(30, 3600 if notified else FORGETFUL_SECONDS)
        self.scheduler.after(seconds, lambda: self._admit(what, notice if notified else None))

    def _admit(self, what: Purchase | Transfer, notice: Notice | None) -> None:
        what.denies = False
        if notice is not None:
            self._notify(notice)

    def _notify(self, notice: Notice) -> None:
        """Notify, as banks do: late, several times, and again until it has been heard."""
        for _ in range(self.scheduler.dice.choice((1, 1, 2, 5))):
            self.scheduler.after(self.scheduler.dice.uniform(0, 120), lambda: self.notify(notice))
        self.scheduler.after(3 * 86_400, lambda: self.notify(notice))
