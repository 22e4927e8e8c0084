from datetime import timedelta

import pytest

from kassa.invoices.rules.attempt import Payment, PaymentStatus
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.pages.stages import Stage, stage, unsettled
from tests.support.sessions import NOW, PAYMENT, invoice, payment

DECLINED = payment(status=PaymentStatus.PROCESS_FAILED, resolution="insufficient_funds")
AT_THE_BANK = payment(action="https://acs.example/", action_method="GET", action_params={})


@pytest.mark.parametrize(
    "of,attempt,expected",
    [
        (invoice(), None, Stage.PAYABLE),
        (invoice(attempts=1), DECLINED, Stage.PAYABLE),
        (invoice(attempts=5), DECLINED, Stage.FAILED),
        (invoice(attempts=1), PAYMENT, Stage.PENDING),
        (invoice(attempts=1), AT_THE_BANK, Stage.CONFIRM),
        (invoice(expires_at=NOW), None, Stage.EXPIRED),
        (invoice(expires_at=NOW, attempts=1), PAYMENT, Stage.PENDING),
        (invoice(status=Status.PROCESS_ERROR), payment(status=PaymentStatus.PROCESS_ERROR), Stage.REVIEW),
        (invoice(status=Status.PROCESSED), payment(status=PaymentStatus.PROCESSED), Stage.PAID),
        (invoice(status=Status.VERIFIED), None, Stage.PAID),
        (invoice(status=Status.PARTIALLY_REFUNDED), None, Stage.PAID),
        (invoice(status=Status.REFUNDED), None, Stage.RETURNED),
        (invoice(status=Status.PROCESS_FAILED, resolution="expired"), None, Stage.EXPIRED),
        (invoice(status=Status.PROCESS_FAILED, resolution="insufficient_funds"), DECLINED, Stage.FAILED),
    ],
)
def test_a_payer_stands_where_invoice_and_attempt_say(of: Invoice, attempt: Payment | None, expected: Stage) -> None:
    assert stage(of, attempt, now=NOW) is expected


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_page(status: Status) -> None:
    assert stage(invoice(status=status), None, now=NOW + timedelta(days=3)) in set(Stage)


@pytest.mark.parametrize(
    "current,attempt,expected",
    [
        (Stage.PENDING, PAYMENT, True),
        (Stage.CONFIRM, AT_THE_BANK, True),
        (Stage.EXPIRED, PAYMENT, True),
        (Stage.EXPIRED, DECLINED, False),
        (Stage.PAID, None, False),
        (Stage.PAYABLE, None, False),
    ],
)
def test_a_page_looks_again_while_something_may_still_happen(
    current: Stage, attempt: Payment | None, *, expected: bool
) -> None:
    assert unsettled(current, attempt) is expected
