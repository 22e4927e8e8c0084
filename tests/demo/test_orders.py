"""What the demo shop believes of a callback, and how much it remembers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from kassa.demo.merchant import Invoice, Signatures
from kassa.demo.orders import ORDERS_MAX, Orders, Received

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def invoice(**changes: Any) -> Invoice:
    values: dict[str, Any] = {
        "id": "cpi_abcdABCDEFGHIJKL",
        "reference_id": "order-1",
        "status": "processed",
        "resolution": "ok",
        "amount": Decimal("12.5"),
        "currency": "USD",
        "updated": 100,
        "test_mode": True,
        "pay_url": "https://gate.example/hpp/cgi_1",
    }
    return Invoice(**{**values, **changes})


def callback(*, account_id: str = "coma_1", right: bool = True, **changes: Any) -> Received:
    return Received(
        account_id=account_id,
        callback_id="msg_1",
        headers={},
        body=b"{}",
        invoice=invoice(**changes),
        signatures=Signatures(envelope=True, standard=right, timely=True),
        received_at=NOW,
    )


def test_an_order_is_paid_by_a_genuine_callback_of_its_own_account_alone() -> None:
    kept = Orders()
    order = kept.open("order-1", "coma_1")
    for other in (
        callback(right=False),
        callback(account_id="coma_2"),
        callback(reference_id="order-2"),
        callback(status="process_pending"),
    ):
        kept.take(other)
        assert (order.paid, order.open) == (False, True)
    kept.take(callback(updated=101))
    assert (order.paid, order.failed, order.open) == (True, False, False)
    assert len(kept.received) == 5


def test_a_payment_that_comes_after_a_failure_counts_and_stays() -> None:
    kept = Orders()
    order = kept.open("order-1", "coma_1")
    kept.take(callback(status="process_failed"))
    assert order.failed
    kept.take(callback(updated=101))
    kept.take(callback(updated=102, status="charged_back"))
    assert (order.paid, order.failed) == (True, False)


def test_an_order_that_is_opened_again_is_the_same_and_the_oldest_are_forgotten() -> None:
    kept = Orders()
    first = kept.open("order-1", "coma_1")
    assert kept.open("order-1", "coma_1") is first
    for number in range(ORDERS_MAX):
        kept.open(f"order-x{number}", "coma_1")
    assert kept.find("order-1") is None
    assert kept.find("order-x0") is not None
