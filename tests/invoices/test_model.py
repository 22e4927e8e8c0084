"""Every verb on every status: what it leads to, or that it is refused and why."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from kassa.errors import InvoiceNotPayable, NotApprovable, NothingToDecide, TransitionRefused
from kassa.invoices import model
from kassa.invoices.decisions import model as decisions
from kassa.invoices.model import FINAL, TRANSITIONS, Invoice, Status
from kassa.payments.model import Payment, PaymentStatus
from tests.support import sessions

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CREATED = NOW - timedelta(minutes=5)


def invoice(**changes: object) -> Invoice:
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
        fee=250,
        deposit=9_750,
        attempts_max=3,
        created_at=CREATED,
        updated_at=CREATED,
        expires_at=NOW + timedelta(minutes=25),
        due_at=NOW + timedelta(minutes=25),
    )
    return msgspec.structs.replace(fresh, **changes)


def test_every_status_has_its_place_in_the_table() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert set().union(*TRANSITIONS.values()) <= set(Status)


def test_a_status_that_ends_an_invoice_leads_nowhere_or_to_refund_and_charge_back() -> None:
    after_the_end = {
        Status.REFUNDING,
        Status.CHARGED_BACK,
        Status.PARTIALLY_CHARGED_BACK,
        # A success of a refund that the provider tells of late.
        Status.REFUNDED,
        Status.PARTIALLY_REFUNDED,
        Status.REFUND_ERROR,
        # A provider's late success, and the same taken otherwise than asked.
        Status.PROCESSED,
        Status.PARTIALLY_PROCESSED,
        Status.PROCESS_ERROR,
        Status.VERIFIED,
    }
    assert set().union(*(TRANSITIONS[status] for status in FINAL)) <= after_the_end


@pytest.mark.parametrize("status", [*Status])
def test_succeed_takes_the_whole_amount_wherever_the_table_leads_to_processed(status: Status) -> None:
    before = invoice(status=status, failed_at=CREATED)
    if Status.PROCESSED not in TRANSITIONS[status]:
        with pytest.raises(TransitionRefused):
            model.succeed(before, amount=10_000, payment_id="pay_1", now=NOW)
        return
    assert model.succeed(before, amount=10_000, payment_id="pay_1", now=NOW) == msgspec.structs.replace(
        before,
        status=Status.PROCESSED,
        payment_id="pay_1",
        processed_at=NOW,
        processed_amount=10_000,
        processed_fee=250,
        processed_deposit=9_750,
        failed_at=None,
        updated_at=NOW,
        due_at=None,
    )


@pytest.mark.parametrize("status", [*Status])
def test_a_verification_that_succeeds_takes_nothing(status: Status) -> None:
    before = invoice(status=status, payment_flow="verify")
    if Status.VERIFIED not in TRANSITIONS[status]:
        with pytest.raises(TransitionRefused):
            model.succeed(before, amount=10_000, payment_id="pay_1", now=NOW)
        return
    assert model.succeed(before, amount=10_000, payment_id="pay_1", now=NOW) == msgspec.structs.replace(
        before, status=Status.VERIFIED, payment_id="pay_1", updated_at=NOW, due_at=None
    )


@pytest.mark.parametrize("status", [*Status])
@pytest.mark.parametrize("flow, failed", [("charge", Status.PROCESS_FAILED), ("verify", Status.VERIFY_FAILED)])
def test_fail_ends_an_invoice_with_its_reason(status: Status, flow: str, failed: Status) -> None:
    before = invoice(status=status, payment_flow=flow)
    if failed not in TRANSITIONS[status]:
        with pytest.raises(TransitionRefused):
            model.fail(before, resolution="insufficient_funds", now=NOW)
        return
    assert model.fail(before, resolution="insufficient_funds", now=NOW) == msgspec.structs.replace(
        before, status=failed, resolution="insufficient_funds", updated_at=NOW, failed_at=NOW, due_at=None
    )


@pytest.mark.parametrize("status", [*Status])
def test_suspend_hands_an_invoice_to_a_person(status: Status) -> None:
    before = invoice(status=status)
    if Status.PROCESS_ERROR not in TRANSITIONS[status]:
        with pytest.raises(TransitionRefused):
            model.suspend(before, resolution="invalid_amount", payment_id="pay_1", now=NOW)
        return
    assert model.suspend(before, resolution="invalid_amount", payment_id="pay_1", now=NOW) == msgspec.structs.replace(
        before,
        status=Status.PROCESS_ERROR,
        resolution="invalid_amount",
        moderation_required=True,
        payment_id="pay_1",
        updated_at=NOW,
        due_at=None,
    )


@pytest.mark.parametrize("status", [*Status])
def test_attempt_is_for_an_invoice_that_waits_for_its_payer(status: Status) -> None:
    before = invoice(status=status)
    if status is not Status.PROCESS_PENDING:
        with pytest.raises(InvoiceNotPayable):
            model.attempt(before, number=1, payment_id="pay_1", now=NOW)
        return
    assert model.attempt(before, number=1, payment_id="pay_1", now=NOW) == msgspec.structs.replace(
        before, attempts=1, payment_id="pay_1", updated_at=NOW
    )


@pytest.mark.parametrize("number", [0, 1, 3])
def test_an_attempt_has_the_next_number_or_is_refused(number: int) -> None:
    with pytest.raises(InvoiceNotPayable, match="made already"):
        model.attempt(invoice(attempts=1), number=number, payment_id="pay_2", now=NOW)


def test_the_last_attempt_is_the_last() -> None:
    last = model.attempt(invoice(attempts=2), number=3, payment_id="pay_3", now=NOW)
    assert last.attempts_left == 0
    with pytest.raises(InvoiceNotPayable, match="No attempt is left"):
        model.attempt(last, number=4, payment_id="pay_4", now=NOW)


def test_an_attempt_comes_too_late_at_the_moment_of_expiry() -> None:
    before = invoice()
    just_in_time = before.expires_at - timedelta(microseconds=1)
    assert model.attempt(before, number=1, payment_id="pay_1", now=just_in_time).attempts == 1
    with pytest.raises(InvoiceNotPayable, match="expired"):
        model.attempt(before, number=1, payment_id="pay_1", now=before.expires_at)


def test_expiry_waits_for_its_time_and_shows_as_failed() -> None:
    before = invoice()
    with pytest.raises(TransitionRefused):
        model.expire(before, now=before.expires_at - timedelta(microseconds=1))
    expired = model.expire(before, now=before.expires_at)
    assert (expired.status, expired.resolution, expired.due_at) == (Status.PROCESS_FAILED, "expired", None)


def test_updated_orders_changes_of_status_by_whole_seconds() -> None:
    before = invoice(updated_at=NOW)
    moments = [NOW - timedelta(hours=1), NOW, NOW + timedelta(milliseconds=900), NOW + timedelta(seconds=7)]
    updates = [model.fail(before, resolution="expired", now=now).updated_at for now in moments]
    assert updates == [NOW + timedelta(seconds=seconds) for seconds in (1, 1, 1, 7)]


def test_updated_never_goes_back_when_only_the_document_changes() -> None:
    before = invoice(updated_at=NOW)
    assert model.touch(before, now=NOW - timedelta(hours=1)).updated_at == NOW
    assert model.touch(before, now=NOW + timedelta(seconds=1)).updated_at == NOW + timedelta(seconds=1)


@pytest.mark.parametrize("status", [*Status])
@pytest.mark.parametrize("late_success", ["book", "refund"])
def test_money_that_comes_to_an_invoice_that_has_some_goes_back(status: Status, late_success: str) -> None:
    unwanted = model.unwanted(invoice(status=status), late_success=late_success)
    match status:
        case Status.CREATED | Status.PROCESS_PENDING:
            assert not unwanted
        case Status.PROCESS_FAILED | Status.EXPIRED:
            assert unwanted is (late_success == "refund")
        case _:
            assert unwanted
    assert not model.unwanted(invoice(status=status, payment_flow="verify"), late_success=late_success)


def test_a_flag_changes_no_status() -> None:
    before = invoice(updated_at=NOW)
    assert model.flag(before, now=NOW) == msgspec.structs.replace(before, moderation_required=True)


def test_what_a_person_has_rejected_wants_no_money_whatever_the_account_says() -> None:
    rejected = invoice(status=Status.PROCESS_FAILED, resolution=model.REJECTED)
    assert model.unwanted(rejected, late_success="book")


@pytest.mark.parametrize("status", [*Status])
def test_a_new_invoice_waits_for_its_payer_once_there_is_a_page_to_pay_on(status: Status) -> None:
    before = invoice(status=status, resolution="new")
    if Status.PROCESS_PENDING not in TRANSITIONS[status]:
        with pytest.raises(TransitionRefused):
            model.offer(before, now=NOW)
        return
    assert model.offer(before, now=NOW) == msgspec.structs.replace(
        before, status=Status.PROCESS_PENDING, resolution="ok", updated_at=NOW
    )


def held(**changes: object) -> tuple[Invoice, Payment]:
    """Return an invoice that waits for a person, and the attempt that has taken its money."""
    payment = msgspec.structs.replace(
        sessions.PAYMENT, payment_id="pay_2", status=PaymentStatus.PROCESS_ERROR, processed_currency="USD", **changes
    )
    return invoice(status=Status.PROCESS_ERROR, resolution="antifraud", moderation_required=True), payment


@pytest.mark.parametrize(
    "amount, status", [(9_999, Status.PARTIALLY_PROCESSED), (10_000, Status.PROCESSED), (10_001, Status.PROCESSED)]
)
def test_what_is_approved_is_paid_with_what_was_taken(amount: int, status: Status) -> None:
    before, payment = held()
    assert decisions.approve(before, payment, amount=amount, now=NOW) == msgspec.structs.replace(
        before,
        status=status,
        resolution="ok",
        moderation_required=False,
        payment_id="pay_2",
        processed_at=NOW,
        processed_amount=amount,
        processed_fee=250,
        processed_deposit=amount - 250,
        updated_at=NOW,
        due_at=None,
    )


def test_another_currency_than_asked_for_cannot_be_approved() -> None:
    before, payment = held()
    with pytest.raises(NotApprovable):
        decisions.approve(before, msgspec.structs.replace(payment, processed_currency="EUR"), amount=10_000, now=NOW)


def test_what_is_rejected_has_failed() -> None:
    before, payment = held()
    assert decisions.reject(before, payment, now=NOW) == msgspec.structs.replace(
        before,
        status=Status.PROCESS_FAILED,
        resolution=model.REJECTED,
        moderation_required=False,
        failed_at=NOW,
        updated_at=NOW,
        due_at=None,
    )


@pytest.mark.parametrize("status", [*Status])
@pytest.mark.parametrize("attempt", [*PaymentStatus])
def test_only_what_is_held_is_decided_on(status: Status, attempt: PaymentStatus) -> None:
    if (status, attempt) == (Status.PROCESS_ERROR, PaymentStatus.PROCESS_ERROR):
        return
    before, payment = held()
    before, payment = (msgspec.structs.replace(before, status=status), msgspec.structs.replace(payment, status=attempt))
    with pytest.raises(NothingToDecide):
        decisions.approve(before, payment, amount=10_000, now=NOW)
    with pytest.raises(NothingToDecide):
        decisions.reject(before, payment, now=NOW)


def test_what_was_put_right_elsewhere_waits_for_nobody() -> None:
    before = invoice(status=Status.PROCESS_FAILED, moderation_required=True)
    assert decisions.settle(before, now=NOW) == msgspec.structs.replace(
        before, moderation_required=False, updated_at=NOW
    )


@pytest.mark.parametrize("status, required", [(Status.PROCESS_FAILED, False), (Status.PROCESS_ERROR, True)])
def test_what_waits_for_nobody_or_is_held_cannot_be_settled(status: Status, *, required: bool) -> None:
    with pytest.raises(NothingToDecide):
        decisions.settle(invoice(status=status, moderation_required=required), now=NOW)
