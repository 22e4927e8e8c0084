"""Every verb on every status: what it leads to, or that it is refused and why."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from kassa.errors import InvoiceNotPayable, NotApprovable, NothingToDecide, TransitionRefused
from kassa.invoices.rules import invoice as model
from kassa.invoices.rules import review, settling
from kassa.invoices.rules.attempt import PaymentStatus, Unexpected
from kassa.invoices.rules.invoice import FINAL, TRANSITIONS, Invoice, Status
from kassa.invoices.rules.records import Reason
from kassa.invoices.rules.snapshot import Snapshot
from kassa.moderation.model import Decision, Verdict
from kassa.providers.protocol import Accepted
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
        # What a provider says of a refund after it had ended.
        Status.REFUNDED,
        Status.PARTIALLY_REFUNDED,
        Status.REFUND_ERROR,
        Status.REFUND_FAILED,
        # A provider's late success, and the same of another amount; a dispute that was won.
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
def test_hold_flags_an_invoice_for_review(status: Status) -> None:
    before = invoice(status=status)
    if Status.PROCESS_ERROR not in TRANSITIONS[status]:
        with pytest.raises(TransitionRefused):
            model.hold(before, resolution="invalid_amount", payment_id="pay_1", now=NOW)
        return
    assert model.hold(before, resolution="invalid_amount", payment_id="pay_1", now=NOW) == msgspec.structs.replace(
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
            model.begin_attempt(before, attempt_number=1, payment_id="pay_1", now=NOW)
        return
    assert model.begin_attempt(before, attempt_number=1, payment_id="pay_1", now=NOW) == msgspec.structs.replace(
        before, attempts=1, payment_id="pay_1", updated_at=NOW
    )


@pytest.mark.parametrize("number", [0, 1, 3])
def test_an_attempt_has_the_next_number_or_is_refused(number: int) -> None:
    with pytest.raises(InvoiceNotPayable, match="made already"):
        model.begin_attempt(invoice(attempts=1), attempt_number=number, payment_id="pay_2", now=NOW)


def test_the_last_attempt_is_the_last() -> None:
    last = model.begin_attempt(invoice(attempts=2), attempt_number=3, payment_id="pay_3", now=NOW)
    assert last.attempts_left == 0
    with pytest.raises(InvoiceNotPayable, match="No attempt is left"):
        model.begin_attempt(last, attempt_number=4, payment_id="pay_4", now=NOW)


def test_an_attempt_comes_too_late_at_the_moment_of_expiry() -> None:
    before = invoice()
    just_in_time = before.expires_at - timedelta(microseconds=1)
    assert model.begin_attempt(before, attempt_number=1, payment_id="pay_1", now=just_in_time).attempts == 1
    with pytest.raises(InvoiceNotPayable, match="expired"):
        model.begin_attempt(before, attempt_number=1, payment_id="pay_1", now=before.expires_at)


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


SUCCESS = Accepted(external_id="tx", amount=10_000, currency="USD")


@pytest.mark.parametrize("status", [*Status])
@pytest.mark.parametrize("late_success", ["book", "refund"])
def test_money_that_comes_to_an_invoice_that_has_some_goes_back(status: Status, late_success: str) -> None:
    reason = settling.unexpected(invoice(status=status), SUCCESS, late_success=late_success)
    match status:
        case Status.CREATED | Status.PROCESS_PENDING:
            assert reason is None
        case Status.PROCESS_FAILED:
            assert reason is (Unexpected.LATE if late_success == "refund" else None)
        case _:
            assert reason is Unexpected.DUPLICATE
    assert (
        settling.unexpected(invoice(status=status, payment_flow="verify"), SUCCESS, late_success=late_success) is None
    )


@pytest.mark.parametrize("seconds, reason", [(-1, None), (0, Unexpected.LATE), (1, Unexpected.LATE)])
def test_a_payer_was_in_time_if_the_provider_took_the_money_before_the_expiry(
    seconds: int, reason: Unexpected | None
) -> None:
    expired = invoice(status=Status.PROCESS_FAILED, resolution="expired")
    booked_at = expired.expires_at + timedelta(seconds=seconds)
    told = msgspec.structs.replace(SUCCESS, booked_at=booked_at)
    assert settling.unexpected(expired, told, late_success="refund") is reason


def test_a_flag_changes_no_status() -> None:
    before = invoice(updated_at=NOW)
    assert model.flag(before, now=NOW) == msgspec.structs.replace(before, moderation_required=True)


def test_money_for_what_was_rejected_goes_back_whatever_the_account_says() -> None:
    rejected = invoice(status=Status.PROCESS_FAILED, resolution=model.REJECTED)
    assert settling.unexpected(rejected, SUCCESS, late_success="book") is Unexpected.REJECTED


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


def held(*, taken: int = 10_000, **changes: object) -> Snapshot:
    """Return an invoice that is held for review, with the attempt that has taken its money."""
    payment = msgspec.structs.replace(
        sessions.PAYMENT,
        payment_id="pay_2",
        status=PaymentStatus.PROCESS_ERROR,
        amount=10_000,
        processed_amount=taken,
        processed_currency="USD",
        **changes,
    )
    before = invoice(status=Status.PROCESS_ERROR, resolution="antifraud", moderation_required=True, payment_id="pay_2")
    return Snapshot(invoice=before, payment=payment)


def decision(verdict: Verdict) -> Decision:
    return Decision(
        decision_id="dec_1",
        invoice_id="cpi_Acct000000000000",
        payment_id="pay_2",
        verdict=verdict,
        decided_by="operator Ann",
        note="she knows the payer",
        decided_at=NOW,
    )


APPROVED, REJECTED, SETTLED = decision(Verdict.APPROVED), decision(Verdict.REJECTED), decision(Verdict.SETTLED)


@pytest.mark.parametrize(
    "amount, status", [(9_999, Status.PARTIALLY_PROCESSED), (10_000, Status.PROCESSED), (10_001, Status.PROCESSED)]
)
def test_what_is_approved_is_paid_with_what_was_taken(amount: int, status: Status) -> None:
    before = held(taken=amount)
    change = review.approve(before, APPROVED, now=NOW)
    assert change.after.invoice == msgspec.structs.replace(
        before.invoice,
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
    assert change.after.payment is not None
    assert (change.after.payment.status, change.after.payment.due_at) == (PaymentStatus.PROCESSED, NOW)
    assert (change.review, change.event.by) == (APPROVED, "operator Ann")
    assert [entry.recipe for entry in change.entries] == ["approved"]


def test_another_currency_than_asked_for_cannot_be_approved() -> None:
    before = held()
    assert before.payment is not None
    other = msgspec.structs.replace(before.payment, processed_currency="EUR")
    with pytest.raises(NotApprovable):
        review.approve(msgspec.structs.replace(before, payment=other), APPROVED, now=NOW)


def test_what_is_rejected_has_failed_and_its_money_goes_back() -> None:
    before = held()
    change = review.reject(before, REJECTED, refund_id="ref_1", now=NOW)
    assert change.after.invoice == msgspec.structs.replace(
        before.invoice,
        status=Status.PROCESS_FAILED,
        resolution=model.REJECTED,
        moderation_required=False,
        failed_at=NOW,
        updated_at=NOW,
        due_at=None,
    )
    (back,) = change.after.refunds
    assert (back.reason, back.amount, back.currency, back.due_at) == (Reason.REJECTED, 10_000, "USD", NOW)
    assert change.entries == ()


def test_nothing_goes_back_where_nothing_was_taken() -> None:
    change = review.reject(held(taken=0), REJECTED, refund_id="ref_1", now=NOW)
    assert change.after.refunds == ()
    assert change.after.payment is not None
    assert change.after.payment.status is PaymentStatus.PROCESS_FAILED


@pytest.mark.parametrize("status", [*Status])
@pytest.mark.parametrize("attempt", [*PaymentStatus])
def test_only_what_is_held_is_decided_on(status: Status, attempt: PaymentStatus) -> None:
    if (status, attempt) == (Status.PROCESS_ERROR, PaymentStatus.PROCESS_ERROR):
        return
    before = held()
    assert before.payment is not None
    other = Snapshot(
        invoice=msgspec.structs.replace(before.invoice, status=status),
        payment=msgspec.structs.replace(before.payment, status=attempt),
    )
    with pytest.raises(NothingToDecide):
        review.approve(other, APPROVED, now=NOW)
    with pytest.raises(NothingToDecide):
        review.reject(other, REJECTED, refund_id="ref_1", now=NOW)


@pytest.mark.parametrize("flagged", [False, True])
def test_what_was_put_right_elsewhere_is_flagged_for_nothing_or_for_what_is_left(*, flagged: bool) -> None:
    before = invoice(status=Status.PROCESS_FAILED, moderation_required=True)
    change = review.settle(Snapshot(invoice=before, payment=None), SETTLED, flagged=flagged, now=NOW)
    assert change.after.invoice == msgspec.structs.replace(before, moderation_required=flagged, updated_at=NOW)


@pytest.mark.parametrize("status, required", [(Status.PROCESS_FAILED, False), (Status.PROCESS_ERROR, True)])
def test_what_is_not_flagged_or_is_held_cannot_be_settled(status: Status, *, required: bool) -> None:
    before = Snapshot(invoice=invoice(status=status, moderation_required=required), payment=None)
    with pytest.raises(NothingToDecide):
        review.settle(before, SETTLED, flagged=False, now=NOW)
