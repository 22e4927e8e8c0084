"""What every decision is made from, and what it comes to: a snapshot of one invoice, and a change of it."""

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from kassa.customers.model import Customer
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.records import Dispute, Refund
from kassa.ledger.model import Entry
from kassa.moderation.model import Decision
from kassa.values import Value


class CallbackLog(Value, frozen=True, kw_only=True):
    """One callback as the invoice's document lists it; times are unix seconds."""

    logged_at: int
    status: str
    processed: int | None
    response_code: int | None
    transaction_status: str


class Snapshot(Value, frozen=True, kw_only=True):
    """An invoice with everything that its document shows and its rules look at, at one moment."""

    invoice: Invoice
    payment: Payment | None
    """The latest attempt, or the one that paid it."""
    earlier: Payment | None = None
    """Another attempt, where the decision is about that one."""
    customer: Customer | None = None
    callbacks: tuple[CallbackLog, ...] = ()
    refunds: tuple[Refund, ...] = ()
    """In the order in which they began, whatever their reason."""
    disputes: tuple[Dispute, ...] = ()
    """In the order in which they were opened."""

    @property
    def requested(self) -> tuple[Refund, ...]:
        """The refunds that the merchant asked for."""
        return tuple(refund for refund in self.refunds if refund.requested)

    @property
    def chargebacks(self) -> tuple[Dispute, ...]:
        """The disputes that have cost the merchant money, and have not been won."""
        return tuple(each for each in self.disputes if each.booked and each.counts and not each.unexpected)

    @property
    def charged_back_amount(self) -> int:
        """What the payer's bank has taken back of the merchant's money, in the invoice's currency."""
        return sum(dispute.amount for dispute in self.chargebacks)

    @property
    def charged_back_service_amount(self) -> int:
        """The same as the bank reports it, in the service's currency."""
        return sum(dispute.provider_amount for dispute in self.chargebacks)

    def attempt(self, payment_id: str) -> Payment | None:
        """Return one of the attempts that were read."""
        known = (self.payment, self.earlier)
        return next((each for each in known if each is not None and each.payment_id == payment_id), None)

    def refund(self, refund_id: str) -> Refund | None:
        """Return a refund of the invoice."""
        return next((each for each in self.refunds if each.refund_id == refund_id), None)

    def unexpected_refunds(self, payment_id: str) -> tuple[Refund, ...]:
        """Return the refunds that send an attempt's whole money back because it was not the merchant's."""
        return tuple(each for each in self.refunds if each.payment_id == payment_id and not each.requested)

    def returnable(self, payment: Payment) -> int:
        """Return what the provider still has of an attempt for its payer, in minor units of what it took.

        Disputes count as soon as they are heard of; refunds that are done are not looked at.
        """
        taken_back = sum(
            each.provider_amount
            for each in self.disputes
            if each.payment_id == payment.payment_id
            and each.counts
            and each.provider_currency == payment.processed_currency
        )
        return max((payment.processed_amount or 0) - taken_back, 0)

    def gone_back(self, payment: Payment | None) -> Refund | None:
        """Return the latest refund by which an attempt's whole money has gone back, or is to."""
        if payment is None:
            return None
        return next(reversed(self.unexpected_refunds(payment.payment_id)), None)

    def with_payment(self, payment: Payment) -> "Snapshot":
        """Return the snapshot with an attempt that is new or changed; the invoice says which one it shows."""
        if self.invoice.payment_id != payment.payment_id:
            return replace(self, earlier=payment)
        if self.payment is not None and self.payment.payment_id != payment.payment_id:
            return replace(self, payment=payment, earlier=self.payment)
        return replace(self, payment=payment)

    def with_refund(self, refund: Refund) -> "Snapshot":
        """Return the snapshot with a refund that is new or changed."""
        if self.refund(refund.refund_id) is None:
            return replace(self, refunds=(*self.refunds, refund))
        changed = tuple(refund if each.refund_id == refund.refund_id else each for each in self.refunds)
        return replace(self, refunds=changed)

    def with_dispute(self, dispute: Dispute) -> "Snapshot":
        """Return the snapshot with a dispute that is new or changed."""
        if all(each.dispute_id != dispute.dispute_id for each in self.disputes):
            return replace(self, disputes=(*self.disputes, dispute))
        changed = tuple(dispute if each.dispute_id == dispute.dispute_id else each for each in self.disputes)
        return replace(self, disputes=changed)


class Event(Value, frozen=True, kw_only=True):
    """What has happened to an invoice, in machine's words: one line of its timeline."""

    kind: str
    """Such as ``attempt.declined`` or ``refund.started``."""
    by: str
    """Who brought it about: ``merchant``, ``payer``, ``provider``, ``kassa``, or an operator's name."""
    params: Mapping[str, str | int | None] = {}
    """What the kind leaves open: ids, amounts as decimals, reasons."""


class Change(Value, frozen=True, kw_only=True):
    """Everything that one decision changes; ``carry_out`` writes it whole or not at all.

    The rows are found by comparison: what ``after`` has and ``before`` has not is new.
    """

    before: Snapshot | None
    """None for a creation."""
    after: Snapshot
    at: datetime
    event: Event
    entries: tuple[Entry, ...] = ()
    """What it does to the books."""
    review: Decision | None = None
    """What a rule or a person has decided."""
    notify: bool = False
    """Whether the merchant gets a callback although the status stays: a dispute that changed nothing else."""

    @property
    def status_changed(self) -> bool:
        """Whether the invoice has another status than before."""
        return self.before is None or self.before.invoice.status is not self.after.invoice.status
