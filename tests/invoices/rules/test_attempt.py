"""Every answer of a provider on every status of an attempt."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from kassa.clock import APART_MAX
from kassa.errors import TransitionRefused
from kassa.invoices.rules import attempt as model
from kassa.invoices.rules import patience
from kassa.invoices.rules.attempt import FAILED, LIVE, TRANSITIONS, CardFacts, Payment, PaymentStatus, Unexpected
from kassa.invoices.rules.patience import ABSENT_AFTER, RECHECK_AFTER
from kassa.providers.protocol import Absent, Accepted, Declined, Dispute, Outcome, Pending, Redirect

CREATED = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW = CREATED + timedelta(seconds=5)

ACCEPTED = Accepted(external_id="b-1", amount=10_000, currency="USD", rrn="123456789012", approval_code="A1B2C3")
DECLINED = Declined(external_id="b-1", resolution="insufficient_funds")
REDIRECT = Redirect(external_id="b-1", action="https://acs.example/1", method="POST", params={"creq": "x"})


def payment(status: PaymentStatus = PaymentStatus.PROCESS_PENDING, **changes: object) -> Payment:
    fresh = Payment(
        account_id="coma_Acct000000000000",
        payment_id="pay_Acct000000000000",
        invoice_id="cpi_Acct000000000000",
        attempt_number=1,
        test_mode=True,
        status=status,
        resolution="ok",
        provider="test",
        provider_account_id="ma_Acct000000000000",
        merchant_id="host2hostTest",
        amount=10_000,
        currency="USD",
        created_at=CREATED,
        updated_at=CREATED,
        due_at=CREATED + timedelta(seconds=25),
        polls=1,
    )
    return msgspec.structs.replace(fresh, **changes)


def test_every_status_has_its_place_in_the_table() -> None:
    assert set(TRANSITIONS) == set(PaymentStatus)
    assert {status for status in PaymentStatus if PaymentStatus.PROCESSED in TRANSITIONS[status]} <= LIVE | FAILED


@pytest.mark.parametrize("status", [status for status in PaymentStatus if status not in FAILED])
@pytest.mark.parametrize("outcome", [ACCEPTED, DECLINED])
def test_a_decision_lands_only_where_the_table_leads(status: PaymentStatus, outcome: Outcome) -> None:
    failed = PaymentStatus.INVOKE_FAILED if status is PaymentStatus.INVOKE_PENDING else PaymentStatus.PROCESS_FAILED
    wanted = PaymentStatus.PROCESSED if outcome is ACCEPTED else failed
    if wanted in TRANSITIONS[status]:
        assert model.apply(payment(status), outcome, unexpected=None, now=NOW).status is wanted
    else:
        with pytest.raises(TransitionRefused):
            model.apply(payment(status), outcome, unexpected=None, now=NOW)


def test_a_success_keeps_what_the_provider_booked() -> None:
    assert model.apply(payment(), ACCEPTED, unexpected=None, now=NOW) == payment(
        PaymentStatus.PROCESSED,
        external_id="b-1",
        processed_amount=10_000,
        processed_currency="USD",
        rrn="123456789012",
        approval_code="A1B2C3",
        updated_at=NOW,
        due_at=None,
    )


@pytest.mark.parametrize("amount, currency", [(9_999, "USD"), (10_001, "USD"), (10_000, "EUR"), (0, "USD")])
def test_another_amount_or_currency_is_never_a_success(amount: int, currency: str) -> None:
    odd = msgspec.structs.replace(ACCEPTED, amount=amount, currency=currency)
    after = model.apply(payment(), odd, unexpected=None, now=NOW)
    assert (after.status, after.resolution) == (PaymentStatus.PROCESS_ERROR, "invalid_amount")
    assert (after.processed_amount, after.processed_currency, after.due_at) == (amount, currency, None)


def test_a_success_that_is_no_longer_wanted_goes_back_at_once() -> None:
    after = model.apply(payment(), ACCEPTED, unexpected=Unexpected.LATE, now=NOW)
    assert (after.status, after.unexpected, after.resolution) == (PaymentStatus.PROCESSED, Unexpected.LATE, "expired")
    assert (after.processed_amount, after.due_at) == (10_000, None)


def test_a_redirect_keeps_the_attempt_waiting_and_its_form() -> None:
    assert model.apply(payment(), REDIRECT, unexpected=None, now=NOW) == payment(
        external_id="b-1",
        action="https://acs.example/1",
        action_method="POST",
        action_params={"creq": "x"},
        due_at=NOW + timedelta(seconds=4),
    )


def test_a_wallets_page_makes_the_attempt_the_payers() -> None:
    asked = payment(PaymentStatus.INVOKE_PENDING)
    after = model.apply(asked, REDIRECT, unexpected=None, now=NOW)
    assert (after.status, after.action, after.due_at) == (
        PaymentStatus.INVOKED,
        "https://acs.example/1",
        NOW + timedelta(seconds=4),
    )


def test_a_payer_who_has_confirmed_is_not_sent_to_confirm_again() -> None:
    confirming = model.apply(payment(), REDIRECT, unexpected=None, now=NOW)
    assert model.apply(confirming, Pending(external_id="b-1"), unexpected=None, now=NOW).action is None
    assert model.apply(confirming, Pending(), unexpected=None, now=NOW).action == "https://acs.example/1"


def test_no_news_keeps_what_is_known_and_asks_again_later() -> None:
    known = payment(external_id="b-1", polls=3)
    assert model.apply(known, Pending(), unexpected=None, now=NOW) == msgspec.structs.replace(
        known, due_at=NOW + timedelta(seconds=16)
    )


def test_a_provider_that_never_heard_of_it_is_believed_only_when_the_request_cannot_be_on_its_way() -> None:
    early = model.apply(payment(), Absent(), unexpected=None, now=CREATED + ABSENT_AFTER - timedelta(seconds=1))
    assert (early.status, early.due_at is None) == (PaymentStatus.PROCESS_PENDING, False)
    late = model.apply(payment(due_at=None), Absent(), unexpected=None, now=CREATED + ABSENT_AFTER)
    assert (late.status, late.resolution) == (PaymentStatus.PROCESS_FAILED, "provider_error")
    assert late.due_at == CREATED + ABSENT_AFTER + RECHECK_AFTER


@pytest.mark.parametrize("status", sorted(FAILED))
def test_an_attempt_that_was_given_up_hears_of_nothing_but_a_success(status: PaymentStatus) -> None:
    given_up = payment(status, resolution="provider_error", due_at=None)
    for outcome in (DECLINED, Absent(), REDIRECT):
        after = model.apply(given_up, outcome, unexpected=None, now=NOW)
        assert after == msgspec.structs.replace(given_up, due_at=CREATED + RECHECK_AFTER)
        over = model.apply(given_up, outcome, unexpected=None, now=CREATED + RECHECK_AFTER)
        assert over == msgspec.structs.replace(given_up, due_at=None)
    assert model.apply(given_up, ACCEPTED, unexpected=None, now=NOW).status is PaymentStatus.PROCESSED
    assert model.apply(given_up, ACCEPTED, unexpected=Unexpected.LATE, now=NOW).unexpected is Unexpected.LATE


def test_an_attempt_that_was_woken_while_it_was_asked_about_is_asked_about_at_once() -> None:
    assert patience.CLOCKS_APART == APART_MAX
    for apart in (-APART_MAX, -timedelta(milliseconds=1), APART_MAX):
        woken = payment(due_at=NOW + apart, polls=9)
        assert model.apply(woken, Pending(), unexpected=None, now=NOW).due_at == woken.due_at
        assert model.apply(woken, DECLINED, unexpected=None, now=NOW).due_at == woken.due_at


def test_who_has_given_an_attempt_a_name_is_not_believed_to_have_never_heard_of_it() -> None:
    known = payment(external_id="b-1")
    after = model.apply(known, Absent(), unexpected=None, now=CREATED + 2 * ABSENT_AFTER)
    assert (after.status, after.due_at is None) == (PaymentStatus.PROCESS_PENDING, False)


def test_what_was_charged_back_already_when_it_was_taken_is_asked_about_at_once() -> None:
    charged = msgspec.structs.replace(ACCEPTED, disputes=(Dispute(amount=1),))
    after = model.apply(payment(), charged, unexpected=None, now=NOW)
    assert (after.status, after.due_at) == (PaymentStatus.PROCESSED, NOW)


def test_questions_grow_rarer_but_never_stop() -> None:
    delays = [patience.poll_delay(polls).total_seconds() for polls in (0, 1, 2, 3, 7, 8, 1000)]
    assert delays == [2, 4, 8, 16, 256, 300, 300]


def test_a_provider_that_has_the_order_and_no_page_for_it_is_asked_what_becomes_of_it() -> None:
    asked = payment(PaymentStatus.INVOKE_PENDING, resolution="new")
    after = model.apply(asked, Pending(external_id="b-1"), unexpected=None, now=NOW)
    assert after == payment(
        PaymentStatus.PROCESS_PENDING, external_id="b-1", updated_at=NOW, due_at=NOW + timedelta(seconds=4)
    )


def test_a_decline_keeps_its_reason_and_the_providers_name_for_the_attempt() -> None:
    nameless = msgspec.structs.replace(DECLINED, external_id=None)
    for known, outcome in ((payment(), DECLINED), (payment(external_id="b-1"), nameless)):
        assert model.apply(known, outcome, unexpected=None, now=NOW) == payment(
            PaymentStatus.PROCESS_FAILED,
            external_id="b-1",
            resolution="insufficient_funds",
            updated_at=NOW,
            due_at=NOW + RECHECK_AFTER,
        )


@pytest.mark.parametrize("amount, status", [(0, PaymentStatus.PROCESS_ERROR), (1, PaymentStatus.PROCESSED)])
def test_there_is_nothing_to_give_back_where_nothing_was_taken(amount: int, status: PaymentStatus) -> None:
    taken = msgspec.structs.replace(ACCEPTED, amount=amount)
    after = model.apply(payment(), taken, unexpected=Unexpected.LATE, now=NOW)
    assert (after.status, after.resolution) == (status, "expired" if amount else "invalid_amount")
    assert after.unexpected is (Unexpected.LATE if amount else None)


# Review ---------------------------------------------------------------------------------------------------------------


def held(**changes: object) -> Payment:
    return payment(PaymentStatus.PROCESS_ERROR, resolution="antifraud", processed_amount=10_000, **changes)


def test_a_success_that_is_held_waits_for_a_person() -> None:
    success = payment(PaymentStatus.PROCESSED, processed_amount=10_000)
    assert model.hold(success, resolution="antifraud") == held()


@pytest.mark.parametrize("length, mask", [(16, "512381******0000"), (13, "512381***0000"), (19, "512381*********0000")])
def test_a_mask_shows_the_first_six_and_the_last_four(length: int, mask: str) -> None:
    card = CardFacts(
        first="512381",
        last="0000",
        length=length,
        brand="mastercard",
        holder=None,
        expiry_month=12,
        expiry_year=2030,
        fingerprint=b"",
        issuer_name=None,
        issuer_country=None,
    )
    assert card.mask == mask


def test_never_heard_of_it_counts_by_the_moment_of_the_question() -> None:
    soon, late = CREATED + ABSENT_AFTER - timedelta(microseconds=1), CREATED + ABSENT_AFTER
    assert patience.believed(Absent(), CREATED, asked_at=soon) == Pending()
    assert patience.believed(Absent(), CREATED, asked_at=late) == Absent()
    assert patience.believed(DECLINED, CREATED, asked_at=soon) == DECLINED


def test_a_provider_is_asked_for_nothing_that_was_begun_long_ago() -> None:
    assert patience.in_time(NOW, now=NOW + patience.POLL_AFTER_BEGIN)
    assert not patience.in_time(NOW, now=NOW + patience.POLL_AFTER_BEGIN + timedelta(microseconds=1))
