"""How much may go back, and what an invoice's status is after some of it went: whatever the order (P5, P6)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from kassa.errors import Invalid
from kassa.invoices.model import FINAL, Invoice, Status
from kassa.invoices.returns import model
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending
from kassa.refunds.model import Refund, RefundStatus, answered, sent_back

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PAID = 10_000


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


DONE, FAILED, WRONG, WAITS = (
    RefundStatus.REFUNDED,
    RefundStatus.REFUND_FAILED,
    RefundStatus.REFUND_ERROR,
    RefundStatus.REFUND_PENDING,
)


@pytest.mark.parametrize("status", [*Status])
def test_only_what_was_paid_and_is_not_under_dispute_is_refunded(status: Status) -> None:
    assert model.left(invoice(status=status), []) == (PAID if status in model.REFUNDABLE else 0)


def test_what_is_asked_for_is_the_rest_or_a_part_of_it() -> None:
    refunds = [refund(3_000, DONE), refund(2_000, WAITS), refund(4_000, FAILED), refund(500, WRONG)]
    charged = invoice(charged_back_amount=1_000)
    assert model.wanted(charged, refunds, None) == 3_500
    assert model.wanted(charged, refunds, Decimal("35.00")) == 3_500
    for amount in ("35.01", "0", "-1", "1.001", "1e40"):
        with pytest.raises(Invalid) as refused:
            model.wanted(charged, refunds, Decimal(amount))
        assert list(refused.value.errors) == ["amount"]


@pytest.mark.parametrize("amount", [None, Decimal(1)])
def test_where_nothing_is_left_nothing_is_asked_for(amount: Decimal | None) -> None:
    with pytest.raises(Invalid, match="nothing to refund"):
        model.wanted(invoice(), [refund(PAID, WAITS)], amount)


@pytest.mark.parametrize(
    "before, charged, refunds, after, flagged",
    [
        (Status.REFUNDING, None, [refund(PAID, DONE)], Status.REFUNDED, False),
        (Status.REFUNDING, None, [refund(1, DONE)], Status.PARTIALLY_REFUNDED, False),
        (Status.REFUNDING, None, [refund(1, FAILED)], Status.REFUND_FAILED, False),
        (Status.REFUNDING, None, [refund(1, FAILED), refund(1, DONE)], Status.PARTIALLY_REFUNDED, False),
        (Status.REFUNDING, None, [refund(1, WRONG), refund(1, DONE)], Status.REFUND_ERROR, True),
        (Status.REFUNDING, None, [refund(1, WAITS)], Status.REFUND_PENDING, False),
        (Status.REFUNDING, None, [refund(1, DONE), refund(1, WAITS)], Status.REFUNDING, False),
        (Status.REFUND_PENDING, None, [refund(1, DONE), refund(1, WAITS)], Status.REFUND_PENDING, False),
        (Status.REFUND_PENDING, None, [refund(1, WRONG), refund(1, WAITS)], Status.REFUND_PENDING, True),
        (Status.REFUND_FAILED, None, [refund(PAID, DONE)], Status.REFUNDED, False),
        (Status.REFUNDED, None, [refund(1, DONE), refund(PAID, DONE)], Status.REFUNDED, True),
        (Status.REFUNDING, 1, [refund(PAID - 1, DONE)], Status.REFUNDED, False),
        (Status.REFUNDING, 1, [refund(1, FAILED)], Status.PARTIALLY_CHARGED_BACK, False),
        (Status.PARTIALLY_CHARGED_BACK, 1, [refund(1, FAILED)], Status.PARTIALLY_CHARGED_BACK, False),
        (Status.CHARGED_BACK, PAID, [refund(1, DONE)], Status.CHARGED_BACK, True),
    ],
)
def test_the_last_refund_to_end_gives_the_status(
    before: Status, charged: int | None, refunds: list[Refund], after: Status, *, flagged: bool
) -> None:
    found = model.followed(invoice(status=before, charged_back_amount=charged), refunds[0], refunds, now=NOW)
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
    found = model.charged_back(invoice(), refunds, total, now=NOW)
    assert (found.status, found.moderation_required) == (status, flagged)
    assert (found.charged_back_amount, found.charged_back_at) == (total, NOW)


def test_a_second_charge_back_moves_updated_though_the_status_stays() -> None:
    first = model.charged_back(invoice(), [], 1, now=NOW)
    second = model.charged_back(first, [], 2, now=NOW)
    assert (second.status, second.updated_at - first.updated_at) == (first.status, timedelta(seconds=1))


def test_what_else_the_invoice_waits_for_stays_due() -> None:
    due = NOW + timedelta(days=7)
    begun = model.begun(invoice(due_at=due), now=NOW)
    ended = model.followed(begun, refund(1, DONE), [refund(1, DONE)], now=NOW)
    assert (begun.due_at, ended.due_at, model.charged_back(ended, [], 1, now=NOW).due_at) == (due, due, due)


@dataclass
class Told:
    """An invoice's life as the machine below plays it."""

    invoice: Invoice = field(default_factory=invoice)
    refunds: list[Refund] = field(default_factory=list)


class AnyOrder(RuleBasedStateMachine):
    """Refunds begin, are answered in any order, late or twice; the bank charges back within what was taken."""

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.told = Told()
        self.asked = 0

    @rule(target=waiting, amount=st.one_of(st.none(), st.integers(1, PAID).map(lambda minor: Decimal(minor) / 100)))
    def begin(self, amount: Decimal | None) -> Any:
        told = self.told
        left = model.left(told.invoice, told.refunds)
        try:
            wanted = model.wanted(told.invoice, told.refunds, amount)
        except Invalid:
            assert left == 0 or (amount is not None and amount * 100 > left)
            return multiple()
        assert 0 < wanted <= left
        self.asked += 1
        told.refunds.append(refund(wanted, number=self.asked))
        told.invoice = model.begun(told.invoice, now=NOW)
        return self.asked

    @rule(number=waiting, ending=st.sampled_from(["done", "declined", "absent", "silent", "wrong"]))
    def answer(self, number: int, ending: str) -> None:
        told, place = self.told, number - 1
        before = told.refunds[place]
        # What was begun always fits, or we have begun too much; of what had failed the bank gives what is left.
        fits = before.under_way or before.amount <= PAID - self.going()
        outcomes: dict[str, Outcome] = {
            "done": Accepted(external_id="b", amount=before.amount, currency="USD") if fits else Pending(),
            "declined": Declined(external_id="b", resolution="declined"),
            "absent": Absent(),
            "silent": Pending(),
            "wrong": Accepted(external_id="b", amount=before.amount + 1, currency="USD"),
        }
        after = answered(before, outcomes[ending], now=NOW + timedelta(minutes=5))
        told.refunds[place] = after
        if after.status is not before.status or (after.under_way and told.invoice.status is Status.REFUNDING):
            told.invoice = model.followed(told.invoice, after, told.refunds, now=NOW)

    @rule(part=st.integers(1, PAID))
    def charge_back(self, part: int) -> None:
        told = self.told
        total = (told.invoice.charged_back_amount or 0) + part
        if part <= PAID - self.going():
            told.invoice = model.charged_back(told.invoice, told.refunds, total, now=NOW)

    def going(self) -> int:
        """Return what has gone back or may still go."""
        refunds = sum(each.amount for each in self.told.refunds if each.status is not FAILED)
        return refunds + (self.told.invoice.charged_back_amount or 0)

    @rule(number=consumes(waiting))
    def forget(self, number: int) -> None:
        """Some answers come never, or once only."""

    @invariant()
    def nothing_goes_back_twice(self) -> None:
        told = self.told
        back, charged = sent_back(told.refunds), told.invoice.charged_back_amount or 0
        assert back + charged <= PAID
        under_way = any(each.under_way for each in told.refunds)
        if not under_way and told.invoice.status is not Status.REFUND_ERROR:
            assert told.invoice.status in FINAL
        if told.invoice.status is Status.REFUNDED:
            assert back + charged == PAID
        if told.invoice.status is Status.PROCESSED:
            assert (told.refunds, charged) == ([], 0)


TestAnyOrder = AnyOrder.TestCase
