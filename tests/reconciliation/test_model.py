import inspect
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kassa.ledger.model import Purse
from kassa.payments.model import PaymentStatus
from kassa.providers.protocol import Movement, StatementLine
from kassa.reconciliation.model import BOOKED, Difference, Kind, Ours, Seen, askable, compare, counterpart, next_night
from kassa.refunds.model import RefundStatus
from tests.support.money_page import known

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ours(*, movement: Movement = "purchase", booked: bool = True, status: str = "processed") -> Ours:
    return Ours(
        movement=movement,
        ref="pay_1",
        payment_id="pay_1",
        provider_account_id="ma_1",
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


@pytest.mark.parametrize(
    "here, there, kind",
    [
        (ours(), line(), None),
        (None, line(), Kind.MISSING_HERE),
        (ours(booked=False, status="process_failed"), line(), Kind.STATUS),
        (ours(), line(amount=101), Kind.AMOUNT),
        (ours(), line(currency="EUR"), Kind.AMOUNT),
        (ours(), line(external_id="t2"), Kind.TRANSACTION),
        (ours(movement="refund"), line(external_id="t2"), None),
    ],
)
def test_how_the_books_differ(here: Ours | None, there: StatementLine, kind: Kind | None) -> None:
    assert compare(here, there) == kind


@pytest.mark.parametrize("status", list(PaymentStatus))
def test_only_what_the_providers_answer_may_still_change_is_asked_about(status: PaymentStatus) -> None:
    purchase = Difference(kind=Kind.STATUS, ours=ours(booked=False, status=status), line=line())
    refund = Difference(kind=Kind.STATUS, ours=ours(movement="refund", booked=False, status=status), line=line())
    open_to_change = {"invoke_pending", "invoked", "process_pending", "invoke_failed", "process_failed"}
    assert askable(purchase) == (status in open_to_change)
    assert askable(refund) == (status == "refund_pending")


@pytest.mark.parametrize("status", list(RefundStatus))
def test_a_merchants_refund_is_asked_about_while_its_own_status_may_change(status: RefundStatus) -> None:
    known = msgspec.structs.replace(ours(movement="refund", booked=False), status=status)
    asked = askable(Difference(kind=Kind.STATUS, ours=known, line=line()))
    assert asked == (status in {"refund_pending", "refund_failed"})


@pytest.mark.parametrize("status", list(PaymentStatus))
def test_a_charge_back_is_asked_about_once_the_provider_has_had_its_word(status: PaymentStatus) -> None:
    charge_back = Difference(
        kind=Kind.STATUS, ours=ours(movement="charge_back", booked=False, status=status), line=line()
    )
    assert askable(charge_back) == (status not in {"created", "refund_pending", "charged_back"})


@pytest.mark.parametrize(
    "booked, there, found, kind",
    [
        ([30], (30, 30), "pay_1:30", None),
        ([30, 50], (50, 20), "pay_1:50", None),
        ([50], (30, 30), "pay_1:50", None),
        ([50], (50, 20), "pay_1:50", None),
        ([30, 80], (50, 20), "pay_1:80", None),
        ([30], (35, 35), "pay_1:30", Kind.AMOUNT),
        ([30], (50, 20), "pay_1:50", Kind.STATUS),
        ([], (30, 30), "pay_1:30", Kind.STATUS),
    ],
)
def test_which_charge_back_of_ours_a_line_belongs_to(
    booked: list[int], there: tuple[int, int], found: str, kind: Kind | None
) -> None:
    known, before = [ours()], 0
    for total in booked:
        charge_back = ours(movement="charge_back")
        known.append(
            msgspec.structs.replace(charge_back, ref=f"pay_1:{total}", amount=total - before, external_id=None)
        )
        before = total
    if not booked:
        known.append(ours(movement="charge_back", booked=False))
    total, amount = there
    told = msgspec.structs.replace(line(amount=amount), movement="charge_back", ref=f"pay_1:{total}")
    of_ours = counterpart(known, told)
    assert of_ours is not None
    assert (of_ours.movement, of_ours.ref, compare(of_ours, told)) == ("charge_back", found, kind)
    assert counterpart([], told) is None


@pytest.mark.parametrize("kind", [Kind.AMOUNT, Kind.TRANSACTION, Kind.MISSING_THERE])
def test_what_is_booked_is_never_asked_about(kind: Kind) -> None:
    assert not askable(Difference(kind=kind, ours=ours(), line=line()))


def test_every_recipe_that_moves_a_providers_money_is_compared() -> None:
    moving = set()
    for name, recipe in known().items():
        wanted = inspect.signature(recipe).parameters.values()
        values = {int: 10, str: "x"}
        entry = recipe(**{each.name: values.get(each.annotation, (10, "x")) for each in wanted})
        if any(Purse.PROVIDER in (transfer.debit, transfer.credit) for transfer in entry.transfers):
            moving.add(name)
    assert moving == set(BOOKED)


@given(st.sets(st.text()), st.sets(st.text()))
def test_what_was_seen_is_known_and_nothing_else(shown: set[str], others: set[str]) -> None:
    seen = Seen()
    for ref in shown:
        seen.add("purchase", ref)
    assert all(seen.has("purchase", ref) for ref in shown)
    assert not any(seen.has("purchase", ref) for ref in others - shown)
    assert not any(seen.has("refund", ref) for ref in shown)


@given(st.text(), st.timedeltas(timedelta(), timedelta(days=10_000)).map(lambda step: NOW + step))
def test_every_night_comes_once_and_at_the_same_time(provider_account_id: str, now: datetime) -> None:
    night = next_night(provider_account_id, now)
    assert now < night <= now + timedelta(days=1)
    assert timedelta(hours=2) <= night - night.replace(hour=0, minute=0, second=0, microsecond=0) < timedelta(hours=6)
    assert next_night(provider_account_id, night) == night + timedelta(days=1)
