"""How much may go back, and what an invoice's status is after some of it went: whatever the order (P5, P6)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from kassa.errors import Invalid
from kassa.invoices.rules import refund as refunding
from kassa.invoices.rules import refundable as model
from kassa.invoices.rules.attempt import PaymentStatus
from kassa.invoices.rules.invoice import FINAL, Invoice, Status
from kassa.invoices.rules.records import Refund, RefundStatus
from kassa.invoices.rules.refundable import sent_back
from kassa.invoices.rules.snapshot import Snapshot
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending
from tests.support import sessions
from tests.support.disputing import disputed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAID = 10_000
PAYMENT = sessions.payment(status=PaymentStatus.PROCESSED, amount=PAID, processed_amount=PAID, processed_currency="USD")


def invoice(**changes: object) -> Invoice:
    paid = Invoice(
        account_id="coma_Acct000000000000",
        invoice_id="cpi_Acct000000000000",
        test_mode=True,
        reference_id="order-1",
        source="merchant_api",
        status=Status.PROCESSED,
        resolution="ok",
        service="payment_card_usd_hpp",
        service_method="payment_card",
        service_flow="hpp",
        service_currency="USD",
        payment_flow="charge",
        currency="USD",
        amount=PAID,
        payment_amount=PAID,
        fee=0,
        deposit=PAID,
        processed_amount=PAID,
        attempts_max=3,
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW + timedelta(minutes=25),
        processed_at=NOW,
    )
    return msgspec.structs.replace(paid, **changes)


def refund(amount: int, status: RefundStatus = RefundStatus.REFUND_PENDING, number: int = 0) -> Refund:
    return Refund(
        account_id="coma_Acct000000000000",
        refund_id=f"ref_{number}",
        invoice_id="cpi_Acct000000000000",
        payment_id="pay_Acct000000000000",
        test_mode=True,
        reference_id=f"return-{number}",
        amount=amount,
        currency="USD",
        provider_amount=amount,
        provider_currency="USD",
        fee=0,
        status=status,
        created_at=NOW,
        updated_at=NOW,
    )


def snapshot(*refunds: Refund, charged: int = 0, **changes: object) -> Snapshot:
    """Return a paid invoice with refunds, of which the payer's bank has taken an amount back."""
    plain = Snapshot(invoice=invoice(), payment=PAYMENT)
    taken = disputed(plain, charged, now=NOW) if charged else plain
    settled = msgspec.structs.replace(invoice(), moderation_required=False, **changes)
    return msgspec.structs.replace(taken, invoice=settled, refunds=refunds)


DONE, FAILED, WRONG, WAITS = (
    RefundStatus.REFUNDED,
    RefundStatus.REFUND_FAILED,
    RefundStatus.REFUND_ERROR,
    RefundStatus.REFUND_PENDING,
)


@pytest.mark.parametrize("status", [*Status])
def test_only_what_was_paid_and_is_not_under_dispute_is_refunded(status: Status) -> None:
    assert model.left(snapshot(status=status)) == (PAID if status in model.REFUNDABLE else 0)


def test_what_is_asked_for_is_the_rest_or_a_part_of_it() -> None:
    refunds = [refund(3_000, DONE), refund(2_000, WAITS), refund(4_000, FAILED), refund(500, WRONG)]
    charged = snapshot(*refunds, charged=1_000)
    assert model.check_amount(charged, None) == 3_500
    assert model.check_amount(charged, Decimal("35.00")) == 3_500
    for amount in ("35.01", "0", "-1", "1.001", "1e40"):
        with pytest.raises(Invalid) as refused:
            model.check_amount(charged, Decimal(amount))
        assert list(refused.value.errors) == ["amount"]


@pytest.mark.parametrize("amount", [None, Decimal(1)])
def test_where_nothing_is_left_nothing_is_asked_for(amount: Decimal | None) -> None:
    with pytest.raises(Invalid, match="nothing to refund"):
        model.check_amount(snapshot(refund(PAID, WAITS)), amount)


@pytest.mark.parametrize(
    "before, charged, refunds, after, flagged",
    [
        (Status.REFUNDING, 0, [refund(PAID, DONE)], Status.REFUNDED, False),
        (Status.REFUNDING, 0, [refund(1, DONE)], Status.PARTIALLY_REFUNDED, False),
        (Status.REFUNDING, 0, [refund(1, FAILED)], Status.REFUND_FAILED, False),
        (Status.REFUNDING, 0, [refund(1, FAILED), refund(1, DONE)], Status.PARTIALLY_REFUNDED, False),
        (Status.REFUNDING, 0, [refund(1, WRONG), refund(1, DONE)], Status.REFUND_ERROR, True),
        (Status.REFUNDING, 0, [refund(1, WAITS)], Status.REFUND_PENDING, False),
        (Status.REFUNDING, 0, [refund(1, DONE), refund(1, WAITS)], Status.REFUNDING, False),
        (Status.REFUND_PENDING, 0, [refund(1, DONE), refund(1, WAITS)], Status.REFUND_PENDING, False),
        (Status.REFUND_PENDING, 0, [refund(1, WRONG), refund(1, WAITS)], Status.REFUND_PENDING, True),
        (Status.REFUND_FAILED, 0, [refund(PAID, DONE)], Status.REFUNDED, False),
        (Status.REFUNDED, 0, [refund(1, DONE), refund(PAID, DONE)], Status.REFUNDED, True),
        (Status.REFUNDING, 1, [refund(PAID - 1, DONE)], Status.REFUNDED, False),
        (Status.REFUNDING, 1, [refund(1, FAILED)], Status.PARTIALLY_CHARGED_BACK, False),
        (Status.PARTIALLY_CHARGED_BACK, 1, [refund(1, FAILED)], Status.PARTIALLY_CHARGED_BACK, False),
        (Status.CHARGED_BACK, PAID, [refund(1, DONE)], Status.CHARGED_BACK, True),
    ],
)
def test_the_last_refund_to_end_gives_the_status(
    before: Status, charged: int, refunds: list[Refund], after: Status, *, flagged: bool
) -> None:
    refunds = [msgspec.structs.replace(each, refund_id=f"ref_{place}") for place, each in enumerate(refunds)]
    was = snapshot(*refunds, charged=charged, status=before)
    found = refunding.follow(was, refund(1, WAITS), refunds[0], by="provider", now=NOW).after.invoice
    assert (found.status, found.moderation_required) == (after, flagged)


@pytest.mark.parametrize(
    "refunds, total, status, flagged",
    [
        ([], PAID, Status.CHARGED_BACK, False),
        ([], PAID - 1, Status.PARTIALLY_CHARGED_BACK, False),
        ([refund(4_000, DONE)], 6_000, Status.CHARGED_BACK, False),
        ([refund(4_000, DONE)], 6_001, Status.CHARGED_BACK, True),
        ([refund(4_000, WAITS)], 6_001, Status.PARTIALLY_CHARGED_BACK, False),
    ],
)
def test_a_charge_back_takes_what_the_bank_says(
    refunds: list[Refund], total: int, status: Status, *, flagged: bool
) -> None:
    after = disputed(snapshot(*refunds), total, now=NOW)
    assert (after.invoice.status, after.invoice.moderation_required) == (status, flagged)
    assert (after.charged_back_amount, after.chargebacks[0].opened_at) == (total, NOW)


def test_a_second_charge_back_moves_updated_though_the_status_stays() -> None:
    first = disputed(snapshot(), 1, now=NOW)
    second = disputed(first, 1, 1, now=NOW)
    assert second.invoice.status is first.invoice.status
    assert second.invoice.updated_at - first.invoice.updated_at == timedelta(seconds=1)


def test_what_else_the_invoice_waits_for_stays_due() -> None:
    due = NOW + timedelta(days=7)
    begun = begin(snapshot(due_at=due), Decimal(1), 1)
    (asked,) = begun.refunds
    done = Accepted(external_id="b", amount=asked.amount, currency="USD")
    ended = refunding.apply(begun, asked.refund_id, done, asked=asked.status, now=NOW)
    assert ended is not None
    after = disputed(ended.after, 1, now=NOW)
    assert (begun.invoice.due_at, ended.after.invoice.due_at, after.invoice.due_at) == (due, due, due)


def begin(before: Snapshot, amount: Decimal | None, number: int) -> Snapshot:
    change = refunding.request(
        before,
        refund_id=f"ref_{number}",
        reference_id=f"return-{number}",
        amount=amount,
        description=None,
        fee=0,
        by="merchant",
        now=NOW,
    )
    return change.after


class AnyOrder(RuleBasedStateMachine):
    """Refunds begin, are answered in any order, late or twice; the bank takes back within what was taken."""

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.now = snapshot()
        self.asked = 0
        self.disputes: list[int] = []

    @rule(target=waiting, amount=st.one_of(st.none(), st.integers(1, PAID).map(lambda minor: Decimal(minor) / 100)))
    def begin(self, amount: Decimal | None) -> Any:
        left = model.left(self.now)
        try:
            begun = begin(self.now, amount, self.asked + 1)
        except Invalid:
            assert left == 0 or (amount is not None and amount * 100 > left)
            return multiple()
        self.asked += 1
        assert 0 < begun.refunds[-1].amount <= left
        self.now = begun
        return self.asked

    @rule(number=waiting, ending=st.sampled_from(["done", "declined", "absent", "silent", "wrong"]))
    def answer(self, number: int, ending: str) -> None:
        before = self.now.refunds[number - 1]
        # What was begun always fits, or we have begun too much; of what had failed the bank gives what is left.
        fits = before.pending or before.amount <= PAID - self.going()
        outcomes: dict[str, Outcome] = {
            "done": Accepted(external_id="b", amount=before.amount, currency="USD") if fits else Pending(),
            "declined": Declined(external_id="b", resolution="declined"),
            "absent": Absent(),
            "silent": Pending(),
            "wrong": Accepted(external_id="b", amount=before.amount + 1, currency="USD"),
        }
        change = refunding.apply(
            self.now, before.refund_id, outcomes[ending], asked=before.status, now=NOW + timedelta(minutes=5)
        )
        self.now = self.now if change is None else change.after

    @rule(part=st.integers(1, PAID))
    def dispute(self, part: int) -> None:
        if part <= PAID - self.going():
            self.disputes.append(part)
            self.now = disputed(self.now, *self.disputes, now=NOW)

    def going(self) -> int:
        """Return what has gone back or may still go."""
        refunds = sum(each.amount for each in self.now.refunds if each.status is not FAILED)
        return refunds + self.now.charged_back_amount

    @rule(number=consumes(waiting))
    def forget(self, number: int) -> None:
        """Some answers come never, or once only."""

    @invariant()
    def nothing_goes_back_twice(self) -> None:
        back, charged = sent_back(self.now.refunds), self.now.charged_back_amount
        status = self.now.invoice.status
        assert back + charged <= PAID
        if not any(each.pending for each in self.now.refunds) and status is not Status.REFUND_ERROR:
            assert status in FINAL
        if status is Status.REFUNDED:
            assert back + charged == PAID
        if status is Status.PROCESSED:
            assert (self.now.refunds, charged) == ((), 0)


TestAnyOrder = AnyOrder.TestCase
