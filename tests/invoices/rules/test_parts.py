"""Parts of an invoice in its service's currency: whatever goes back, in whatever order, it sums to what was taken."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kassa.errors import Invalid
from kassa.invoices.rules import conversion
from kassa.invoices.rules import refundable as model
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.records import Refund, RefundStatus
from kassa.invoices.rules.refundable import claimed_at_provider
from kassa.invoices.rules.snapshot import Snapshot
from tests.support.disputing import disputed
from tests.support.rates import converted, paying

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DONE, FAILED = RefundStatus.REFUNDED, RefundStatus.REFUND_FAILED
CODES = st.sampled_from(["JPY", "USD", "KWD", "CLF"])
MOVES = st.sampled_from([DONE, FAILED, RefundStatus.REFUND_PENDING, "charge back"])


@st.composite
def paid(draw: st.DrawFn) -> tuple[Invoice, Payment]:
    """An invoice that was paid as asked, or that a person has approved with something else."""
    currency, service_currency = draw(CODES), draw(CODES)
    rate = draw(st.decimals(min_value="0.0001", max_value="10000", places=6))
    same = currency == service_currency
    invoice = converted(draw(st.integers(1, 10**9)), Decimal(1) if same else rate, currency, service_currency)
    assume(invoice.service_amount)
    other = draw(st.none() | st.integers(1, 2 * invoice.service_amount))
    payment = paying(invoice, other)
    amount, _ = conversion.taken(invoice, payment)
    assume(amount)
    return msgspec.structs.replace(invoice, processed_amount=amount), payment


def refund(before: Snapshot, amount: int, status: RefundStatus) -> Snapshot:
    """Return the invoice with a refund that has ended so; raises ``Invalid`` where none can begin."""
    invoice, payment = before.invoice, before.payment
    assert payment is not None
    back = model.provider_amount(before, payment, amount)
    ended = Refund(
        account_id=invoice.account_id,
        refund_id=f"ref_{len(before.refunds)}",
        invoice_id=invoice.invoice_id,
        payment_id=payment.payment_id,
        test_mode=True,
        reference_id=str(len(before.refunds)),
        amount=amount,
        currency=invoice.currency,
        provider_amount=back,
        provider_currency=invoice.service_currency,
        fee=0,
        status=status,
        created_at=NOW,
        updated_at=NOW,
    )
    return before.with_refund(ended)


@given(of=paid(), moves=st.lists(st.tuples(MOVES, st.floats(0, 1)), max_size=8))
def test_however_money_goes_back_its_parts_sum_to_the_whole_in_both_currencies(
    of: tuple[Invoice, Payment], moves: list[tuple[RefundStatus | str, float]]
) -> None:
    found, disputes = Snapshot(invoice=of[0], payment=of[1]), list[int]()
    whole = of[1].processed_amount or 0

    def left_there() -> int:
        return whole - claimed_at_provider(found.refunds) - found.charged_back_service_amount

    for move, share in moves:
        left = model.left(found)
        if isinstance(move, RefundStatus):
            part = min(int(left * share) + 1, left)
            if part:
                try:
                    found = refund(found, part, move)
                except Invalid as refused:
                    assert list(refused.errors) == ["amount"]  # noqa: PT017
        elif left_there():
            disputes.append(min(int(left_there() * share) + 1, left_there()))
            found = disputed(found, *disputes, now=NOW)
            assert found.charged_back_service_amount == sum(disputes)
        assert left_there() >= 0
        assert all(each.provider_amount > 0 and each.provider_currency == of[1].currency for each in found.refunds)
    if left_there() and model.left(found):
        found = refund(found, model.left(found), DONE)
        assert (left_there(), model.left(found)) == (0, 0)


@given(of=paid(), share=st.floats(0, 1))
def test_what_is_left_after_a_refund_is_disputed_to_the_last_unit(of: tuple[Invoice, Payment], share: float) -> None:
    invoice, payment = of
    part = min(int((invoice.processed_amount or 0) * share) + 1, invoice.processed_amount or 0)
    assume(conversion.to_provider(invoice, payment, part))
    one = refund(Snapshot(invoice=invoice, payment=payment), part, DONE)
    rest = (payment.processed_amount or 0) - one.refunds[0].provider_amount
    assume(rest and part < (invoice.processed_amount or 0))
    after = disputed(one, rest, now=NOW)
    assert after.charged_back_amount + part == invoice.processed_amount
    assert not after.invoice.moderation_required
    everything = disputed(Snapshot(invoice=invoice, payment=payment), payment.processed_amount or 0, now=NOW)
    assert everything.charged_back_amount == invoice.processed_amount


@given(amount=st.integers(1, 10**12), part=st.integers(1, 10**12))
def test_without_a_conversion_a_part_is_itself(amount: int, part: int) -> None:
    invoice = converted(amount, Decimal(1), "USD", "USD")
    payment = paying(invoice)
    assert model.provider_amount(Snapshot(invoice=invoice, payment=payment), payment, part) == part
    assert conversion.worth(invoice, part) == part


def test_a_part_that_comes_to_nothing_is_refused() -> None:
    invoice = converted(1_000, Decimal("0.004"), "JPY", "USD")
    payment = paying(invoice)
    with pytest.raises(Invalid) as refused:
        model.provider_amount(Snapshot(invoice=invoice, payment=payment), payment, 1)
    assert refused.value.errors == {"amount": "This value comes to nothing in USD."}


def test_a_dispute_of_less_than_a_unit_is_one() -> None:
    invoice = converted(500, Decimal("0.002"), "JPY", "KWD")
    after = disputed(Snapshot(invoice=invoice, payment=paying(invoice)), 1, now=NOW)
    assert (after.charged_back_amount, after.charged_back_service_amount) == (1, 1)
