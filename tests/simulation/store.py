"""A model database: what is committed stays, what is not never was; and the laws of each commit (P1, P4-P7).

As in PostgreSQL, no one is kept from reading while another decides: of those who decide on one snapshot, whose change
comes second is refused by the key of its event (``invoices.tables.carrying``).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from kassa.invoices.rules import booking
from kassa.invoices.rules.attempt import TAKEN, UNDECIDED, Payment
from kassa.invoices.rules.invoice import TRANSITIONS, Invoice, Status
from kassa.invoices.rules.records import Dispute, DisputeStatus, Refund
from kassa.invoices.rules.refundable import claimed, exceeds
from kassa.invoices.rules.snapshot import Change, Event, Snapshot
from kassa.invoices.tables import carrying
from kassa.invoices.tables.carrying import ReferenceTaken, Stale
from kassa.ledger.model import Balances, Entry, LedgerAccount, applied

Row = TypeVar("Row", Payment, Refund)


class Broken(AssertionError):
    """A law does not hold."""


@dataclass(kw_only=True)
class Callback:
    """One callback that waits for its merchant or has reached them."""

    invoice_id: str
    status: Status
    final: bool
    updated_at: datetime
    due_at: datetime | None
    tries: int = 0
    dropped: bool = False


@dataclass(kw_only=True)
class Store:
    """All rows."""

    invoices: dict[str, Invoice] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    events: dict[tuple[str, int], Event] = field(default_factory=dict)
    """By invoice and version."""
    entries: dict[str, Entry] = field(default_factory=dict)
    callbacks: list[Callback] = field(default_factory=list)
    balances: Balances = field(default_factory=dict)
    refused: int = 0
    """How many changes came second."""

    def read(self, invoice_id: str, payment_id: str | None = None) -> Snapshot:
        """Return an invoice with all that belongs to it, and with one of its attempts."""
        invoice = self.invoices[invoice_id]
        shown = self.payments.get(invoice.payment_id or "")
        other = self.payments.get(payment_id or "")
        return Snapshot(
            invoice=invoice,
            payment=shown,
            earlier=None if other is shown else other,
            refunds=tuple(each for each in self.refunds.values() if each.invoice_id == invoice_id),
            disputes=tuple(each for each in self.disputes.values() if each.invoice_id == invoice_id),
        )

    def create(self, invoice: Invoice) -> None:
        """Write a new invoice, its first event and its first callback."""
        self.invoices[invoice.invoice_id] = invoice
        self.events[invoice.invoice_id, invoice.version] = Event(kind="invoice.created", by="merchant")
        self._tell(invoice)

    def carry_out(self, change: Change) -> Snapshot:
        """Write a change, all of it or nothing, and return the invoice as it then is.

        Raises ``Stale`` and ``ReferenceTaken``; ``Broken`` where a law does not hold after it.
        """
        before = change.before
        assert before is not None
        invoice = replace(change.after.invoice, version=before.invoice.version + 1)
        if (invoice.invoice_id, invoice.version) in self.events:
            self.refused += 1
            raise Stale
        new = [each for each in change.after.refunds if before.refund(each.refund_id) is None]
        references = {each.reference_id for each in self.refunds.values() if each.reference_id is not None}
        if any(each.reference_id in references for each in new):
            raise ReferenceTaken
        self.events[invoice.invoice_id, invoice.version] = change.event
        self._save_invoice(before.invoice, invoice)
        for payment in (change.after.payment, change.after.earlier):
            if payment is not None:
                self._save_payment(before.attempt(payment.payment_id), payment)
        for refund in change.after.refunds:
            self._save_refund(before.refund(refund.refund_id), refund)
        self._save_disputes(before.disputes, change.after.disputes)
        for entry in change.entries:
            self._post(entry)
        if change.status_changed or change.notify:
            _law(invoice.updated_at >= before.invoice.updated_at + timedelta(seconds=1), "updated does not order")
            self._tell(invoice)
        after = self.read(invoice.invoice_id)
        self._check(after)
        new_requested = any(each.requested for each in new)
        begun = claimed(after.requested) + after.charged_back_amount
        _law(not new_requested or begun <= (invoice.processed_amount or 0), "more was begun than there is (P5)")
        return after

    def reschedule(self, was: Payment | Refund, due_at: datetime | None) -> None:
        """Make a row due at another moment, if it is due as it was when it was read."""
        if isinstance(was, Payment):
            row = self.payments[was.payment_id]
            self.payments[was.payment_id] = replace(row, due_at=due_at) if row.due_at == was.due_at else row
        else:
            kept = self.refunds[was.refund_id]
            self.refunds[was.refund_id] = replace(kept, due_at=due_at) if kept.due_at == was.due_at else kept

    def balance(self, purse: LedgerAccount) -> int:
        """Return a ledger account's balance, in minor units."""
        return self.balances.get((purse, "USD"), 0)

    def _save_invoice(self, before: Invoice, after: Invoice) -> None:
        stored = self.invoices[after.invoice_id]
        _law(stored.version == before.version, "a change was decided on another version")
        _law(
            after.status is before.status or after.status in TRANSITIONS[before.status],
            f"{before.status} → {after.status}",
        )
        _law(after.updated_at >= before.updated_at, "updated went back")
        _writable(before, after, carrying.CHANGING)
        moved = stored.due_at == before.due_at and after.due_at != before.due_at
        self.invoices[after.invoice_id] = replace(after, due_at=after.due_at if moved else stored.due_at)

    def _save_payment(self, before: Payment | None, after: Payment) -> None:
        if before == after:
            return
        if before is None:
            others = (each for each in self.payments.values() if each.invoice_id == after.invoice_id)
            _law(all(each.status not in UNDECIDED for each in others), "two live attempts (P1)")
            self.payments[after.payment_id] = after
            return
        stored = self.payments[after.payment_id]
        _law(_same(stored, before), "an attempt changed without an event")
        _writable(before, after, carrying.PAYMENT_CHANGING)
        self.payments[after.payment_id] = _rescheduled(stored, before, after)

    def _save_refund(self, before: Refund | None, after: Refund) -> None:
        if before == after:
            return
        if before is None:
            self.refunds[after.refund_id] = after
            return
        stored = self.refunds[after.refund_id]
        _law(_same(stored, before), "a refund changed without an event")
        _writable(before, after, carrying.REFUND_CHANGING)
        self.refunds[after.refund_id] = _rescheduled(stored, before, after)

    def _save_disputes(self, before: Iterable[Dispute], after: Iterable[Dispute]) -> None:
        known = {each.dispute_id: each for each in before}
        places = {(each.payment_id, each.position) for each in self.disputes.values()}
        for dispute in after:
            was = known.get(dispute.dispute_id)
            if was is None:
                _law((dispute.payment_id, dispute.position) not in places, "a dispute is opened twice")
            else:
                _law(self.disputes[dispute.dispute_id] == was, "a dispute changed without an event")
                _law(dispute.booked or not was.booked, "a dispute is taken out of the books")
                _writable(was, dispute, carrying.DISPUTE_CHANGING)
            self.disputes[dispute.dispute_id] = dispute

    def _post(self, entry: Entry) -> None:
        if not entry.transfers:
            return
        _law(entry.entry_id not in self.entries, f"{entry.entry_id} is booked twice (P4)")
        self.entries[entry.entry_id] = entry
        self.balances = applied(self.balances, entry.transfers)
        held = self.balance
        owed = sum(held(purse) for purse in LedgerAccount if purse is not LedgerAccount.PROVIDER)
        _law(held(LedgerAccount.PROVIDER) == owed, "the books do not balance (P4)")
        _law(
            held(LedgerAccount.PENDING) >= 0 and held(LedgerAccount.RESERVED) >= 0,
            "a ledger account that holds is overdrawn",
        )

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

    def _check(self, snapshot: Snapshot) -> None:
        invoice = snapshot.invoice
        attempts = [each for each in self.payments.values() if each.invoice_id == invoice.invoice_id]
        _law(sum(each.status in TAKEN and each.unexpected is None for each in attempts) <= 1, "paid twice (P1)")
        _law(not exceeds(snapshot) or invoice.moderation_required, "too much went back (P5)")
        won = [each for each in snapshot.disputes if each.status is DisputeStatus.WON and each.booked]
        booked = all(booking.dispute_won(each, reserve=0).entry_id in self.entries for each in won)
        _law(booked, "a won dispute is not booked back")
        last = next(each for each in reversed(self.callbacks) if each.invoice_id == invoice.invoice_id)
        _law(last.status is invoice.status, "a status that nobody is notified of (P7)")


def _rescheduled(stored: Row, before: Row, after: Row) -> Row:
    """Return a row with a change; what has made it due or taken it since it was read stays."""
    return replace(after, polls=stored.polls, due_at=after.due_at if stored.due_at == before.due_at else stored.due_at)


def _same(stored: Row, before: Row) -> bool:
    return replace(stored, due_at=before.due_at, polls=before.polls) == before


def _writable(before: Any, after: Any, columns: Iterable[str]) -> None:
    """Hold a change against what the statement writes: no other column may have changed."""
    names = (each.name for each in msgspec.structs.fields(before))
    changed = {name for name in names if getattr(before, name) != getattr(after, name)}
    _law(not (lost := changed - {*columns, "due_at"}), f"{sorted(lost)} changed and is not written")


def _law(holds: bool, what: str) -> None:  # noqa: FBT001
    if not holds:
        raise Broken(what)
