"""The demo shop's memory, within bounds: its orders, and the callbacks that it received."""

import json
from collections import OrderedDict, deque
from datetime import datetime
from typing import Final

from kassa.demo.merchant import PAID, UNPAID, Invoice, Signatures
from kassa.values import Value

CALLBACKS_MAX: Final = 50
ORDERS_MAX: Final = 1000

_TEXT_MAX: Final = 20_000


class Received(Value, frozen=True, kw_only=True):
    """One callback."""

    account_id: str | None
    """The account that the invoice belongs to; None where there is no such account."""
    callback_id: str
    headers: dict[str, str]
    """Those that sign it, by name."""
    body: bytes
    invoice: Invoice
    signatures: Signatures
    received_at: datetime

    @property
    def genuine(self) -> bool:
        """Whether it can be trusted."""
        return self.signatures.genuine

    @property
    def text(self) -> str:
        """The body, indented for people, and cut where it is not one that Kassa would send."""
        indented = json.dumps(json.loads(self.body), indent=2, ensure_ascii=False)
        return indented[:_TEXT_MAX].encode(errors="replace").decode()


class Order:
    """One order and what the shop knows of it."""

    def __init__(self, reference_id: str, account_id: str) -> None:
        self.reference_id = reference_id
        self.account_id = account_id
        self.pay_url: str | None = None
        """Where it is paid, once its invoice exists."""
        self.callback: Received | None = None
        """The newest genuine one."""
        self.paid = False
        """Set once, by the first callback that says so: this is where goods are shipped."""

    @property
    def failed(self) -> bool:
        """Whether its invoice cannot be paid any more."""
        return not self.paid and self.callback is not None and self.callback.invoice.status in UNPAID

    @property
    def open(self) -> bool:
        """Whether it may still be paid."""
        return not self.paid and not self.failed

    def take(self, callback: Received) -> None:
        """Apply a genuine callback, unless a newer one has come."""
        if not callback.invoice.replaces(self.callback.invoice if self.callback else None):
            return
        self.callback = callback
        self.paid = self.paid or callback.invoice.status in PAID


class Orders:
    """All orders and callbacks."""

    def __init__(self) -> None:
        self.received: deque[Received] = deque(maxlen=CALLBACKS_MAX)
        """Newest first."""
        self._orders: OrderedDict[str, Order] = OrderedDict()

    def find(self, reference_id: str) -> Order | None:
        """Return an order."""
        return self._orders.get(reference_id)

    def open(self, reference_id: str, account_id: str) -> Order:
        """Return an order, creating it if needed; the oldest is dropped where there are too many."""
        order = self._orders.setdefault(reference_id, Order(reference_id, account_id))
        if len(self._orders) > ORDERS_MAX:
            self._orders.popitem(last=False)
        return order

    def take(self, callback: Received) -> None:
        """Keep a callback, and apply it to its order if it is genuine."""
        self.received.appendleft(callback)
        order = self._orders.get(callback.invoice.reference_id)
        if callback.genuine and order is not None and order.account_id == callback.account_id:
            order.take(callback)
