"""A model database: what is committed stays, what is not never was; and the laws of each commit (P1, P4-P7)."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kassa.invoices.model import TRANSITIONS, Invoice, Status
from kassa.ledger.model import Balances, Entry, Purse, applied
from kassa.payments.model import LIVE, Payment, PaymentStatus
from kassa.refunds.model import Refund, claimed, sent_back


class Broken(AssertionError):
    """A law does not hold."""


@dataclass(kw_only=True)
class Callback:
    """One callback that waits for its merchant or has reached him."""

    invoice_id: str
    status: Status
    final: bool
    updated_at: datetime
    due_at: datetime | None
    tries: int = 0
    dropped: bool = False


@dataclass(kw_only=True)
class Change:
    """What one transaction writes, and what it was decided on."""

    invoice: Invoice
    was: Invoice
    payment: Payment | None = None
    payment_was: Payment | None = None
    refund: Refund | None = None
    entry: Entry | None = None
    told: bool = False
    """Whether the merchant is told though the status stays."""


@dataclass(kw_only=True)
class Store:
    """All rows."""

    invoices: dict[str, Invoice] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    callbacks: list[Callback] = field(default_factory=list)
    balances: Balances = field(default_factory=dict)

    def refunds_of(self, invoice_id: str) -> list[Refund]:
        """Return an invoice's refunds, oldest first."""
        return [refund for refund in self.refunds.values() if refund.invoice_id == invoice_id]

    def create(self, invoice: Invoice) -> None:
        """Write a new invoice and its first callback."""
        self.invoices[invoice.invoice_id] = invoice
        self._tell(invoice)

    def commit(self, change: Change) -> None:
        """Write a change, all of it. Raises ``Broken`` where a law does not hold after it."""
        invoice, was = change.invoice, change.was
        _law(self.invoices[was.invoice_id] is was, "an invoice changed under its lock")
        _law(
            invoice.status is was.status or invoice.status in TRANSITIONS[was.status],
            f"{was.status} → {invoice.status}",
        )
        _law(invoice.updated_at >= was.updated_at, "updated went back")
        moved = invoice.status is not was.status
        _law(not moved or invoice.updated_at >= was.updated_at + timedelta(seconds=1), "updated does not order")
        self.invoices[invoice.invoice_id] = invoice
        if change.payment is not None:
            self._save_payment(change.payment, change.payment_was)
        if change.refund is not None:
            begins = change.refund.refund_id not in self.refunds
            self.refunds[change.refund.refund_id] = change.refund
            begun = claimed(self.refunds_of(invoice.invoice_id)) + (invoice.charged_back_amount or 0)
            _law(not begins or begun <= (invoice.processed_amount or 0), "more was begun than there is (P5)")
        if change.entry is not None and change.entry.transfers:
            self._post(change.entry)
        if moved or change.told:
            self._tell(invoice)
        self._check(invoice)

    def _save_payment(self, payment: Payment, was: Payment | None) -> None:
        _law(self.payments.get(payment.payment_id) is was, "an attempt changed under its invoice's lock")
        others = (each for each in self.payments.values() if each.invoice_id == payment.invoice_id)
        open_ones = [each for each in others if each.status in LIVE - {PaymentStatus.PROCESS_ERROR}]
        _law(was is not None or not open_ones, "two live attempts (P1)")
        self.payments[payment.payment_id] = payment

    def _post(self, entry: Entry) -> None:
        _law(entry.entry_id not in self.entries, f"{entry.entry_id} is booked twice (P4)")
        self.entries[entry.entry_id] = entry
        self.balances = applied(self.balances, entry.transfers)
        held = self.balance
        owed = sum(held(purse) for purse in Purse if purse is not Purse.PROVIDER)
        _law(held(Purse.PROVIDER) == owed, "the books do not balance (P4)")
        _law(held(Purse.PENDING) >= 0 and held(Purse.RESERVED) >= 0, "a purse that holds is overdrawn")

    def balance(self, purse: Purse) -> int:
        """Return a purse's balance, in minor units."""
        return self.balances.get((purse, "USD"), 0)

    def _tell(self, invoice: Invoice) -> None:
        for waiting in self.callbacks:
            if waiting.invoice_id == invoice.invoice_id and waiting.due_at and waiting.tries and not waiting.final:
                waiting.due_at, waiting.dropped = None, True
        self.callbacks.append(
            Callback(
                invoice_id=invoice.invoice_id,
                status=invoice.status,
                final=invoice.final,
                updated_at=invoice.updated_at,
                due_at=invoice.updated_at,
            )
        )

    def _check(self, invoice: Invoice) -> None:
        attempts = [each for each in self.payments.values() if each.invoice_id == invoice.invoice_id]
        _law(sum(each.status is PaymentStatus.PROCESSED for each in attempts) <= 1, "paid twice (P1)")
        gone = sent_back(self.refunds_of(invoice.invoice_id)) + (invoice.charged_back_amount or 0)
        _law(gone <= (invoice.processed_amount or 0) or invoice.moderation_required, "too much went back (P5)")
        last = next(each for each in reversed(self.callbacks) if each.invoice_id == invoice.invoice_id)
        _law(last.status is invoice.status, "a status that nobody is told (P7)")


def _law(holds: bool, what: str) -> None:  # noqa: FBT001
    if not holds:
        raise Broken(what)
