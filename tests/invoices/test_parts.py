"""A part of an invoice in its service's currency: whatever is cut off, the parts sum to the whole."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from kassa.invoices.conversion import provider_amount
from tests.support.rates import converted

CODES = st.sampled_from(["JPY", "USD", "KWD", "CLF"])


@given(
    parts=st.lists(st.integers(1, 10**9), min_size=1, max_size=8),
    rate=st.decimals(min_value="0.000001", max_value="1000000", places=6),
    currency=CODES,
    service_currency=CODES,
)
def test_however_an_invoice_is_cut_its_parts_sum_to_the_whole(
    parts: list[int], rate: Decimal, currency: str, service_currency: str
) -> None:
    invoice = converted(sum(parts), rate if currency != service_currency else Decimal(1), currency, service_currency)
    made = [provider_amount(invoice, part, earlier=sum(parts[:place])) for place, part in enumerate(parts)]
    assert sum(minor for minor, _ in made) == invoice.service_amount == provider_amount(invoice, sum(parts))[0]
    assert all(minor >= 0 and code == service_currency for minor, code in made)


@given(amount=st.integers(1, 10**12), part=st.integers(0, 10**12))
def test_without_a_conversion_a_part_is_itself(amount: int, part: int) -> None:
    assert provider_amount(converted(amount, Decimal(1), "USD", "USD"), part, earlier=5) == (part, "USD")
