"""What the pages say and show where the payer pays on a payment service's own page."""

import pytest

from kassa.invoices.rules.attempt import PaymentStatus
from kassa.invoices.rules.invoice import Status
from kassa.invoices.rules.snapshot import Snapshot
from kassa.pages import outcome
from kassa.pages.reasons import wallet_reason
from kassa.pages.stages import Stage, stage
from tests.support.sessions import ACCOUNT, NOW, invoice, payment

WALLET = invoice(session_id=None, service_method="qiwi", service="qiwi_usd_hpp", attempts=1)
PAGE = payment(status=PaymentStatus.INVOKED, card=None, action="https://wallet.example/pay", action_method="GET")


@pytest.mark.parametrize(
    "flow, action, expected",
    [
        ("hpp", "https://wallet.example/pay", Stage.CONFIRM),
        ("hpp", None, Stage.PENDING),
        ("test", "https://pay.example/hpp/result/cpi_abcd000000000000/return", Stage.PENDING),
    ],
)
def test_a_payer_has_something_to_do_where_there_is_a_page_that_is_not_ours(
    flow: str, action: str | None, expected: Stage
) -> None:
    found = invoice(session_id=None, service_flow=flow, attempts=1)
    waiting = payment(status=PaymentStatus.INVOKED, card=None, action=action)
    assert stage(found, waiting, now=NOW) is expected


@pytest.mark.parametrize(
    "changes, link",
    [
        ({"action": None}, None),
        ({}, outcome.Link(url="https://wallet.example/pay", label="Go")),
        ({"action_params": {"a": "b c"}}, outcome.Link(url="https://wallet.example/pay?a=b+c", label="Go")),
        (
            {"action": "https://wallet.example/pay?x=1", "action_params": {"a": "&"}},
            outcome.Link(url="https://wallet.example/pay?x=1&a=%26", label="Go"),
        ),
        (
            {"action_method": "POST", "action_params": {"bill": "7"}},
            outcome.Link(url="https://wallet.example/pay", label="Go", fields={"bill": "7"}),
        ),
        ({"action_method": "POST"}, outcome.Link(url="https://wallet.example/pay", label="Go", fields={})),
    ],
)
def test_the_way_to_the_providers_page_is_a_link_or_a_form(
    changes: dict[str, object], link: outcome.Link | None
) -> None:
    attempt = payment(**{"action": "https://wallet.example/pay", "action_method": "GET", **changes})
    assert outcome.provider_link(attempt, "Go") == link


@pytest.mark.parametrize(
    "resolution, words",
    [
        ("insufficient_funds", "Your wallet has insufficient funds."),
        ("limit_violation", "This payment exceeds a limit of the payment service."),
        ("client_auth_failed", "You didn't confirm the payment."),
        ("transaction_expired", "You didn't confirm the payment."),
        ("provider_error", "The payment couldn't be completed because of a technical problem."),
        ("declined", "The payment service declined the payment and gave no reason."),
        ("antifraud_error", "The payment service declined the payment and gave no reason."),
    ],
)
def test_a_wallets_payer_hears_nothing_of_cards_and_of_another_try(resolution: str, words: str) -> None:
    assert wallet_reason(resolution, str) == words
    failed = invoice(session_id=None, status=Status.PROCESS_FAILED, resolution=resolution, attempts=1)
    ended = payment(status=PaymentStatus.PROCESS_FAILED, card=None, resolution=resolution)
    page = outcome.describe(Stage.FAILED, Snapshot(invoice=failed, payment=ended), ACCOUNT, now=NOW, language="en")
    assert page.text == f"{words} Go back to the shop to order again."


@pytest.mark.parametrize(
    "current, heading", [(Stage.CONFIRM, "Finish your payment"), (Stage.PENDING, "Waiting for the payment service")]
)
def test_no_bank_is_spoken_of_while_a_wallet_is_waited_for(current: Stage, heading: str) -> None:
    page = outcome.describe(current, Snapshot(invoice=WALLET, payment=PAGE), ACCOUNT, now=NOW, language="en")
    assert page.heading == heading
    assert "bank" not in page.text
