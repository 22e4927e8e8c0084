"""What a provider's answers make of a refund."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from kassa.errors import TransitionRefused
from kassa.payments.patience import ABSENT_AFTER, RECHECK_AFTER
from kassa.providers.protocol import Absent, Accepted, Declined, Outcome, Pending, Redirect
from kassa.refunds import model
from kassa.refunds.model import TRANSITIONS, Refund, RefundStatus

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCEPTED = Accepted(external_id="bank-1", amount=4_000, currency="USD")
DECLINED = Declined(external_id="bank-1", resolution="limit_violation")
REDIRECT = Redirect(external_id="bank-1", action="https://bank.example", method="GET", params={})


def refund(status: RefundStatus = RefundStatus.REFUND_PENDING, **changes: object) -> Refund:
    begun = Refund(
        account_id="coma_Acct000000000000",
        refund_id="ref_Acct000000000000",
        invoice_id="cpi_Acct000000000000",
        payment_id="pay_Acct000000000000",
        test_mode=True,
        reference_id="return-1",
        amount=4_000,
        currency="USD",
        provider_amount=4_000,
        provider_currency="USD",
        fee=50,
        status=status,
        created_at=NOW,
        updated_at=NOW,
        due_at=NOW + timedelta(seconds=25),
    )
    return msgspec.structs.replace(begun, **changes)


def test_every_status_has_its_place_in_the_table() -> None:
    assert set(TRANSITIONS) == set(RefundStatus)


@pytest.mark.parametrize(
    "outcome, status, resolution",
    [
        (ACCEPTED, RefundStatus.REFUNDED, "ok"),
        (DECLINED, RefundStatus.REFUND_FAILED, "limit_violation"),
        (msgspec.structs.replace(ACCEPTED, amount=3_999), RefundStatus.REFUND_ERROR, "invalid_amount"),
        (msgspec.structs.replace(ACCEPTED, currency="EUR"), RefundStatus.REFUND_ERROR, "invalid_amount"),
    ],
)
def test_an_answer_ends_it(outcome: Outcome, status: RefundStatus, resolution: str) -> None:
    later = NOW + timedelta(seconds=1)
    after = model.answered(refund(), outcome, now=later)
    expected = refund(status, resolution=resolution, external_id="bank-1", updated_at=later, due_at=None)
    if status is RefundStatus.REFUND_ERROR and isinstance(outcome, Accepted):
        back = {"returned_amount": outcome.amount, "returned_currency": outcome.currency}
        expected = msgspec.structs.replace(expected, **back)
    assert after == expected


def test_what_went_back_otherwise_counts_as_asked_until_a_person_has_settled_what_it_came_to() -> None:
    less = msgspec.structs.replace(ACCEPTED, amount=3_900)
    wrong = model.answered(refund(), less, now=NOW)
    assert (model.claimed([wrong]), model.claimed_at_provider([wrong]), model.sent_back([wrong])) == (4_000, 4_000, 0)
    assert model.answered(wrong, ACCEPTED, now=NOW) == wrong
    done = model.settle(wrong, amount=3_900, now=NOW)
    assert (done.status, done.resolution, done.at_provider) == (RefundStatus.REFUNDED, "ok", (3_900, "USD"))
    assert (model.claimed([done]), model.claimed_at_provider([done]), model.sent_back([done])) == (3_900, 3_900, 3_900)


@pytest.mark.parametrize("status", sorted(set(RefundStatus) - {RefundStatus.REFUND_ERROR}))
def test_nothing_else_is_settled(status: RefundStatus) -> None:
    with pytest.raises(TransitionRefused):
        model.settle(refund(status), amount=4_000, now=NOW)


@pytest.mark.parametrize("outcome", [Pending(), Absent(), REDIRECT])
def test_what_says_nothing_leaves_it_waiting_ever_longer(outcome: Outcome) -> None:
    delays = [model.answered(refund(asks=asks), outcome, now=NOW).due_at for asks in (0, 1, 2, 30)]
    assert delays == [NOW + timedelta(seconds=seconds) for seconds in (2, 4, 8, 300)]


def test_never_heard_of_it_is_believed_when_nothing_can_be_on_its_way_any_more() -> None:
    early, late = NOW + ABSENT_AFTER - timedelta(seconds=1), NOW + ABSENT_AFTER
    assert model.answered(refund(), Absent(), now=early).under_way
    failed = model.answered(refund(), Absent(), now=late)
    assert (failed.status, failed.resolution, failed.due_at) == (
        RefundStatus.REFUND_FAILED,
        "provider_error",
        late + RECHECK_AFTER,
    )
    assert model.answered(refund(external_id="bank-1"), Absent(), now=late).under_way


def test_one_that_failed_hears_of_nothing_but_a_success() -> None:
    failed = refund(RefundStatus.REFUND_FAILED, resolution="provider_error")
    assert model.answered(failed, ACCEPTED, now=NOW).status is RefundStatus.REFUNDED
    for outcome in (DECLINED, Absent(), REDIRECT):
        assert model.answered(failed, outcome, now=NOW) == msgspec.structs.replace(failed, due_at=None)
    assert model.answered(failed, Pending(), now=NOW) == msgspec.structs.replace(
        failed, due_at=NOW + timedelta(seconds=2)
    )


@pytest.mark.parametrize("status", [RefundStatus.REFUNDED, RefundStatus.REFUND_ERROR])
@pytest.mark.parametrize("outcome", [ACCEPTED, DECLINED, Absent(), Pending(), REDIRECT])
def test_one_that_has_ended_stays_as_it_is(status: RefundStatus, outcome: Outcome) -> None:
    ended = refund(status, due_at=None)
    assert model.answered(ended, outcome, now=NOW + timedelta(days=1)) == ended


def test_what_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(TransitionRefused):
        model._move(refund(RefundStatus.REFUNDED), RefundStatus.REFUND_FAILED, "ok", None, now=NOW)


def test_all_but_those_that_failed_are_counted_as_gone_or_going() -> None:
    refunds = [refund(status) for status in RefundStatus]
    assert (model.claimed(refunds), model.sent_back(refunds)) == (12_000, 4_000)
