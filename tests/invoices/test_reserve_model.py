"""What is held back of a payment: how much and until when, what is drawn, what is released; nothing gets lost."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.errors import TransitionRefused
from kassa.fees.model import Tariff, parts
from kassa.invoices import booking, model
from kassa.invoices.model import TRANSITIONS, Invoice, Status
from kassa.invoices.reserve.model import draw, release
from kassa.ledger import recipes
from kassa.ledger.model import Purse, applied, transfers
from kassa.money import AMOUNT_MAX
from kassa.payments.model import Payment, PaymentStatus

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HELD_UNTIL = NOW + timedelta(minutes=90)


def invoice(**changes: object) -> Invoice:
    """Return an invoice over 100.00 with a fee of 2.80 and a reserve of 10 % for 90 minutes."""
    fresh = Invoice(
        account_id="coma_Acct000000000000",
        invoice_id="cpi_Acct000000000000",
        test_mode=True,
        reference_id="order-1",
        source="merchant_api",
        status=Status.PROCESS_PENDING,
        resolution="ok",
        service="payment_card_usd_hpp",
        service_method="payment_card",
        service_flow="hpp",
        service_currency="USD",
        payment_flow="charge",
        currency="USD",
        amount=10_000,
        payment_amount=10_000,
        fee=280,
        deposit=9_720,
        reserve_rate=Decimal(10),
        reserve_lifetime=90,
        attempts_max=3,
        created_at=NOW - timedelta(minutes=5),
        updated_at=NOW - timedelta(minutes=5),
        expires_at=NOW + timedelta(minutes=25),
        due_at=NOW + timedelta(minutes=25),
    )
    return msgspec.structs.replace(fresh, **changes)


def paid(**changes: object) -> Invoice:
    asked = invoice(**changes)
    return model.succeed(asked, amount=asked.payment_amount, payment_id="pay_1", now=NOW)


def told(found: Invoice) -> tuple[int | None, int, datetime | None, datetime | None, datetime | None]:
    return (found.reserved_amount, found.reserve_left, found.reserve_expires_at, found.unreserved_at, found.due_at)


# Held -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate, held", [("10", 1_000), ("0.005", 0), ("0.0151", 2), ("97.2", 9_720), ("100", 9_720)])
def test_a_share_of_what_was_paid_is_held_but_never_more_than_the_deposit(rate: str, held: int) -> None:
    found = paid(reserve_rate=Decimal(rate))
    assert told(found) == ((held, held, HELD_UNTIL, None, HELD_UNTIL) if held else (None, 0, None, None, None))


@pytest.mark.parametrize(
    "changes",
    [
        {"reserve_rate": Decimal(0)},
        {"reserve_lifetime": 0},
        {"payment_flow": "verify"},
        {"fee": 10_000, "deposit": 0},
    ],
)
def test_where_there_is_nothing_to_hold_nothing_is_and_nothing_is_due(changes: dict[str, object]) -> None:
    assert told(paid(**changes)) == (None, 0, None, None, None)


def test_a_late_success_is_held_from_its_own_moment() -> None:
    expired = model.expire(invoice(), now=NOW + timedelta(hours=1))
    late = model.succeed(expired, amount=10_000, payment_id="pay_1", now=NOW + timedelta(hours=2))
    until = HELD_UNTIL + timedelta(hours=2)
    assert (expired.due_at, told(late)) == (None, (1_000, 1_000, until, None, until))


@pytest.mark.parametrize("status", sorted(TRANSITIONS[Status.PROCESSED]))
def test_what_happens_to_the_invoice_meanwhile_leaves_its_release_due(status: Status) -> None:
    assert model._move(paid(), status, "ok", NOW).due_at == HELD_UNTIL
    released = release(paid(), now=HELD_UNTIL)
    assert model._move(released, status, "ok", HELD_UNTIL).due_at is None


# Drawn ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount, drawn, left", [(1, 1, 999), (999, 999, 1), (1_000, 1_000, 0), (10_000, 1_000, 0)])
def test_the_reserve_gives_first_and_no_more_than_is_left(amount: int, drawn: int, left: int) -> None:
    due_at = HELD_UNTIL if left else None
    expected = msgspec.structs.replace(paid(), reserve_left=left, due_at=due_at)
    assert draw(paid(), amount) == (expected, drawn)


@pytest.mark.parametrize("found", [invoice(), paid(reserve_rate=Decimal(0)), release(paid(), now=HELD_UNTIL)])
def test_a_reserve_that_holds_nothing_gives_nothing_and_changes_nothing(found: Invoice) -> None:
    assert draw(found, 500) == (found, 0)


# Released -------------------------------------------------------------------------------------------------------------


def test_what_is_left_is_released_when_its_time_is_over_and_not_before() -> None:
    before, _ = draw(paid(), 300)
    with pytest.raises(TransitionRefused):
        release(before, now=HELD_UNTIL - timedelta(microseconds=1))
    assert release(before, now=HELD_UNTIL) == msgspec.structs.replace(
        before, reserve_left=0, unreserved_at=HELD_UNTIL, updated_at=HELD_UNTIL, due_at=None
    )


@pytest.mark.parametrize("found", [invoice(), draw(paid(), 1_000)[0], release(paid(), now=HELD_UNTIL)])
def test_what_holds_nothing_is_not_released(found: Invoice) -> None:
    with pytest.raises(TransitionRefused):
        release(found, now=HELD_UNTIL + timedelta(days=1))


# The whole ------------------------------------------------------------------------------------------------------------


def attempt(asked: Invoice) -> Payment:
    return Payment(
        account_id=asked.account_id,
        payment_id="pay_1",
        invoice_id=asked.invoice_id,
        number=1,
        test_mode=True,
        status=PaymentStatus.PROCESSED,
        resolution="ok",
        provider="test",
        provider_account_id="ma_1",
        merchant_id="1",
        amount=asked.payment_amount,
        currency=asked.currency,
        processed_amount=asked.payment_amount,
        processed_currency=asked.currency,
        client_ip="192.0.2.1",
        created_at=NOW,
        updated_at=NOW,
    )


@given(
    amount=st.integers(1, AMOUNT_MAX // 2),
    tariff=st.builds(Tariff, fee_rate=st.decimals(0, 100, places=4), fee_fix=st.integers(0, 1_000)),
    payer_pays=st.booleans(),
    rate=st.decimals(0, 100, places=4),
    refunds=st.lists(st.integers(0, AMOUNT_MAX), max_size=3),
)
def test_whatever_the_terms_and_refunds_the_parts_make_the_whole(
    *, amount: int, tariff: Tariff, payer_pays: bool, rate: Decimal, refunds: Sequence[int]
) -> None:
    comes_to = parts(amount, tariff, payer_pays=payer_pays)
    found = paid(amount=amount, reserve_rate=rate, **msgspec.structs.asdict(comes_to))
    entry = booking.entry(found, attempt(found), was=PaymentStatus.PROCESS_PENDING)
    assert entry is not None
    purses = applied({}, entry.transfers)
    whole = found.processed_amount
    assert sum(purses.get((purse, "USD"), 0) for purse in (Purse.ACTIVE, Purse.RESERVED, Purse.FEES)) == whole
    assert purses[Purse.ACTIVE, "USD"] >= 0
    for refund in refunds:
        found, drawn = draw(found, refund)
        purses = applied(purses, transfers("USD", (Purse.RESERVED, Purse.ACTIVE, drawn)))
        assert purses.get((Purse.RESERVED, "USD"), 0) == found.reserve_left >= 0
    if found.reserve_left:
        last = recipes.released(invoice_id=found.invoice_id, currency="USD", reserve=found.reserve_left)
        found, purses = release(found, now=HELD_UNTIL), applied(purses, last.transfers)
    assert purses.get((Purse.RESERVED, "USD"), 0) == found.reserve_left == 0
    assert purses[Purse.ACTIVE, "USD"] == found.processed_deposit
    assert found.due_at is None
