"""Parts of an invoice in its service's currency: whatever goes back, in whatever order, it sums to what was taken."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kassa.errors import Invalid
from kassa.invoices import conversion
from kassa.invoices.model import Invoice
from kassa.invoices.returns import model
from kassa.payments.model import Payment
from kassa.refunds.model import Refund, RefundStatus, claimed, claimed_at_provider
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


def refund(invoice: Invoice, payment: Payment, refunds: list[Refund], amount: int, status: RefundStatus) -> Refund:
    """Return a refund that has ended so; raises ``Invalid`` where none can begin."""
    back, currency = model.provider_amount(invoice, payment, refunds, amount)
    return Refund(
        account_id=invoice.account_id,
        refund_id=f"ref_{len(refunds)}",
        invoice_id=invoice.invoice_id,
        payment_id=payment.payment_id,
        test_mode=True,
        reference_id=str(len(refunds)),
        amount=amount,
        currency=invoice.currency,
        provider_amount=back,
        provider_currency=currency,
        fee=0,
        status=status,
        created_at=NOW,
        updated_at=NOW,
    )


@given(of=paid(), moves=st.lists(st.tuples(MOVES, st.floats(0, 1)), max_size=8))
def test_however_money_goes_back_its_parts_sum_to_the_whole_in_both_currencies(
    of: tuple[Invoice, Payment], moves: list[tuple[RefundStatus | str, float]]
) -> None:
    invoice, payment = of
    whole, refunds = payment.processed_amount or 0, list[Refund]()

    def left_there() -> int:
        return whole - claimed_at_provider(refunds) - (invoice.charged_back_service_amount or 0)

    for move, share in moves:
        left = model.left(invoice, refunds)
        if isinstance(move, RefundStatus):
            part = min(int(left * share) + 1, left)
            if part:
                try:
                    refunds.append(refund(invoice, payment, refunds, part, move))
                except Invalid as refused:
                    assert list(refused.errors) == ["amount"]  # noqa: PT017
        elif left_there():
            part = min(int(left_there() * share) + 1, left_there())
            total = (invoice.charged_back_service_amount or 0) + part
            invoice = model.charged_back(invoice, payment, refunds, total, now=NOW)
            assert invoice.charged_back_service_amount == total
        assert claimed(refunds) + (invoice.charged_back_amount or 0) <= (invoice.processed_amount or 0)
        assert left_there() >= 0
        assert all(each.provider_amount > 0 and each.provider_currency == payment.currency for each in refunds)
    if left_there() and model.left(invoice, refunds):
        refunds.append(refund(invoice, payment, refunds, model.left(invoice, refunds), DONE))
        assert (left_there(), model.left(invoice, refunds)) == (0, 0)


@given(of=paid(), share=st.floats(0, 1))
def test_what_is_left_after_a_refund_is_charged_back_to_the_last_unit(
    of: tuple[Invoice, Payment], share: float
) -> None:
    invoice, payment = of
    part = min(int((invoice.processed_amount or 0) * share) + 1, invoice.processed_amount or 0)
    assume(conversion.to_provider(invoice, payment, part))
    one = refund(invoice, payment, [], part, DONE)
    rest = (payment.processed_amount or 0) - one.provider_amount
    assume(rest and part < (invoice.processed_amount or 0))
    after = model.charged_back(invoice, payment, [one], rest, now=NOW)
    assert (after.charged_back_amount or 0) + part == invoice.processed_amount
    assert not after.moderation_required
    assert model.charged_back(invoice, payment, [], rest + one.provider_amount, now=NOW).charged_back_amount == (
        invoice.processed_amount
    )


@given(amount=st.integers(1, 10**12), part=st.integers(1, 10**12))
def test_without_a_conversion_a_part_is_itself(amount: int, part: int) -> None:
    invoice = converted(amount, Decimal(1), "USD", "USD")
    assert model.provider_amount(invoice, paying(invoice), [], part) == (part, "USD")
    assert conversion.worth(invoice, part) == part


def test_a_part_that_comes_to_nothing_is_refused() -> None:
    invoice = converted(1_000, Decimal("0.004"), "JPY", "USD")
    with pytest.raises(Invalid) as refused:
        model.provider_amount(invoice, paying(invoice), [], 1)
    assert refused.value.errors == {"amount": "This value comes to nothing in USD."}


def test_a_charge_back_of_less_than_a_unit_is_one() -> None:
    invoice = converted(500, Decimal("0.002"), "JPY", "KWD")
    after = model.charged_back(invoice, paying(invoice), [], 1, now=NOW)
    assert (after.charged_back_amount, after.charged_back_service_amount) == (1, 1)
