"""What is held back of a payment: how much and until when, what is used, what is released; nothing gets lost."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.errors import TransitionRefused
from kassa.fees.model import Tariff, parts
from kassa.invoices.rules import booking, reserve
from kassa.invoices.rules import invoice as model
from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.invoices.rules.invoice import TRANSITIONS, Invoice, Status
from kassa.invoices.rules.reserve import use
from kassa.invoices.rules.snapshot import Snapshot
from kassa.ledger import recipes
from kassa.ledger.model import LedgerAccount, applied, transfers
from kassa.money import AMOUNT_MAX

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


def release(found: Invoice, *, now: datetime) -> Invoice:
    return reserve.release(Snapshot(invoice=found, payment=None), now=now).after.invoice


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
    assert model.move(paid(), status, "ok", now=NOW).due_at == HELD_UNTIL
    released = release(paid(), now=HELD_UNTIL)
    assert model.move(released, status, "ok", now=HELD_UNTIL).due_at is None


# Used ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount, used, left", [(1, 1, 999), (999, 999, 1), (1_000, 1_000, 0), (10_000, 1_000, 0)])
def test_the_reserve_gives_first_and_no_more_than_is_left(amount: int, used: int, left: int) -> None:
    due_at = HELD_UNTIL if left else None
    expected = msgspec.structs.replace(paid(), reserve_left=left, due_at=due_at)
    assert use(paid(), amount) == (expected, used)


@pytest.mark.parametrize("found", [invoice(), paid(reserve_rate=Decimal(0)), release(paid(), now=HELD_UNTIL)])
def test_a_reserve_that_holds_nothing_gives_nothing_and_changes_nothing(found: Invoice) -> None:
    assert use(found, 500) == (found, 0)


# Released -------------------------------------------------------------------------------------------------------------


def test_what_is_left_is_released_when_its_time_is_over_and_not_before() -> None:
    before, _ = use(paid(), 300)
    with pytest.raises(TransitionRefused):
        release(before, now=HELD_UNTIL - timedelta(microseconds=1))
    assert release(before, now=HELD_UNTIL) == msgspec.structs.replace(
        before, reserve_left=0, unreserved_at=HELD_UNTIL, updated_at=HELD_UNTIL, due_at=None
    )


@pytest.mark.parametrize("found", [invoice(), use(paid(), 1_000)[0], release(paid(), now=HELD_UNTIL)])
def test_what_holds_nothing_is_not_released(found: Invoice) -> None:
    with pytest.raises(TransitionRefused):
        release(found, now=HELD_UNTIL + timedelta(days=1))


# The whole ------------------------------------------------------------------------------------------------------------


def attempt(asked: Invoice) -> Payment:
    return Payment(
        account_id=asked.account_id,
        payment_id="pay_1",
        invoice_id=asked.invoice_id,
        attempt_number=1,
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
    (entry,) = booking.taken(found, attempt(found))
    balances = applied({}, entry.transfers)
    whole = found.processed_amount
    assert (
        sum(
            balances.get((ledger_account, "USD"), 0)
            for ledger_account in (LedgerAccount.ACTIVE, LedgerAccount.RESERVED, LedgerAccount.FEES)
        )
        == whole
    )
    assert balances[LedgerAccount.ACTIVE, "USD"] >= 0
    for refund in refunds:
        found, used = use(found, refund)
        balances = applied(balances, transfers("USD", (LedgerAccount.RESERVED, LedgerAccount.ACTIVE, used)))
        assert balances.get((LedgerAccount.RESERVED, "USD"), 0) == found.reserve_left >= 0
    if found.reserve_left:
        last = recipes.released(invoice_id=found.invoice_id, currency="USD", reserve=found.reserve_left)
        found, balances = release(found, now=HELD_UNTIL), applied(balances, last.transfers)
    assert balances.get((LedgerAccount.RESERVED, "USD"), 0) == found.reserve_left == 0
    assert balances[LedgerAccount.ACTIVE, "USD"] == found.processed_deposit
    assert found.due_at is None
