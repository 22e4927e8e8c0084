import inspect
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.invoices.rules.attempt import PaymentStatus
from kassa.invoices.rules.records import RefundStatus
from kassa.ledger.model import LedgerAccount
from kassa.providers.protocol import Movement, StatementLine
from kassa.reconciliation.model import BOOKED, INWARDS, Difference, Kind, Ours, askable, next_night
from tests.support.money_page import known

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ours(*, movement: Movement = "purchase", booked: bool = True, status: str = "processed") -> Ours:
    return Ours(
        movement=movement,
        ref="pay_1",
        payment_id="pay_1",
        asked_at=NOW,
        status=PaymentStatus(status),
        external_id="t1" if movement == "purchase" else None,
        amount=100 if booked else None,
        currency="USD" if booked else None,
        booked_at=NOW if booked else None,
    )


def line(*, external_id: str = "t1", amount: int = 100, currency: str = "USD") -> StatementLine:
    return StatementLine(
        movement="purchase",
        ref="pay_1",
        payment_id="pay_1",
        external_id=external_id,
        amount=amount,
        currency=currency,
        booked_at=NOW,
    )


@pytest.mark.parametrize("status", list(PaymentStatus))
def test_only_what_the_providers_answer_may_still_change_is_asked_about(status: PaymentStatus) -> None:
    purchase = Difference(kind=Kind.STATUS, ours=ours(booked=False, status=status), line=line(), booked_at=NOW)
    refund = Difference(
        kind=Kind.STATUS, ours=ours(movement="refund", booked=False, status=status), line=line(), booked_at=NOW
    )
    open_to_change = {"invoke_pending", "invoked", "process_pending", "invoke_failed", "process_failed"}
    assert askable(purchase) == (status in open_to_change)
    assert askable(refund) == (status == "refund_pending")


@pytest.mark.parametrize("status", list(RefundStatus))
def test_a_merchants_refund_is_asked_about_while_its_own_status_may_change(status: RefundStatus) -> None:
    known = msgspec.structs.replace(ours(movement="refund", booked=False), status=status)
    asked = askable(Difference(kind=Kind.STATUS, ours=known, line=line(), booked_at=NOW))
    assert asked == (status in {"refund_pending", "refund_failed"})


@pytest.mark.parametrize("movement", ["charge_back", "chargeback_reversal"])
@pytest.mark.parametrize("status", list(PaymentStatus))
def test_a_chargeback_is_asked_about_once_the_provider_has_answered_about_the_payment(
    status: PaymentStatus, movement: Movement
) -> None:
    charge_back = Difference(
        kind=Kind.STATUS, ours=ours(movement=movement, booked=False, status=status), line=line(), booked_at=NOW
    )
    assert askable(charge_back) == (status not in {"created", "refund_pending", "charged_back"})


@pytest.mark.parametrize("kind", [Kind.AMOUNT, Kind.TRANSACTION, Kind.MISSING_THERE])
def test_what_is_booked_is_never_asked_about(kind: Kind) -> None:
    assert not askable(Difference(kind=kind, ours=ours(), line=line(), booked_at=NOW))


def test_every_recipe_that_moves_a_providers_money_is_compared() -> None:
    moving: dict[str, bool] = {}
    for name, recipe in known().items():
        wanted = inspect.signature(recipe).parameters.values()
        values = {int: 10, str: "x"}
        entry = recipe(**{each.name: values.get(each.annotation, (10, "x")) for each in wanted})
        for transfer in entry.transfers:
            if LedgerAccount.PROVIDER in (transfer.debit, transfer.credit):
                moving[name] = transfer.debit is LedgerAccount.PROVIDER
    assert moving == {name: movement in INWARDS for name, movement in BOOKED.items()}


@given(st.text(), st.timedeltas(timedelta(), timedelta(days=10_000)).map(lambda step: NOW + step))
def test_every_night_comes_once_and_at_the_same_time(provider_account_id: str, now: datetime) -> None:
    night = next_night(provider_account_id, now)
    assert now < night <= now + timedelta(days=1)
    assert timedelta(hours=2) <= night - night.replace(hour=0, minute=0, second=0, microsecond=0) < timedelta(hours=6)
    assert next_night(provider_account_id, night) == night + timedelta(days=1)
