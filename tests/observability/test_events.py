"""Every change of an invoice, an attempt or a refund leaves exactly one line, after the commit."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from kassa.accounts.model import Account
from kassa.callbacks.delivery import Delivery
from kassa.db.pool import transaction
from kassa.errors import NothingToDecide
from kassa.invoices.operations.reporting import ATTEMPT_EVENTS, INVOICE_EVENTS, REFUND_EVENTS
from kassa.invoices.operations.review import decide
from kassa.invoices.rules import attempt as payments
from kassa.invoices.rules import invoice as model
from kassa.invoices.rules import records as refunds
from kassa.invoices.rules.attempt import PaymentStatus
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.moderation import operations as moderation
from kassa.moderation.model import AmountRule, Verdict
from kassa.observability import events
from kassa.observability.metrics import registry
from tests.support import working
from tests.support.api import CARD_USD
from tests.support.listener import Listen
from tests.support.wire import Fault
from tests.support.world import BAD, GOOD_SECURE, World


@pytest.fixture(autouse=True)
def _time_is_real(world: World) -> Iterator[None]:
    world.platform.clock.test_offset = timedelta()
    yield
    world.wire.refund_fault = None


class LogBroken(Exception):
    """What the log raises."""


class Lines:
    """The business events that were logged."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def names(self, invoice: Invoice) -> list[str]:
        """The events of an invoice, in their order."""
        return [line["event"] for line in self.of(invoice)]

    def of(self, invoice: Invoice) -> list[dict[str, Any]]:
        """The lines of an invoice: its events are named like ``invoice.paid``."""
        return [line for line in self.all if line.get("invoice_id") == invoice.invoice_id and "." in line["event"]]


@contextmanager
def logged() -> Iterator[Lines]:
    lines = Lines()
    with capture_logs() as captured:
        yield lines
        lines.all = list(captured)  # type: ignore[arg-type]


@pytest.fixture
async def account(world: World) -> Account:
    return await world.account()


async def test_a_payment_leaves_a_line_for_each_step_with_all_that_it_is_about(world: World, account: Account) -> None:
    with logged() as lines:
        invoice = await world.invoice(account, amount=12)
        await world.pay(invoice)
    assert lines.names(invoice) == ["invoice.created", "attempt.started", "attempt.succeeded", "invoice.paid"]
    paid = lines.of(invoice)[-1]
    payment = (await world.view(invoice)).payment
    assert payment is not None
    assert paid == {
        "event": "invoice.paid",
        "log_level": "info",
        "account_id": account.account_id,
        "invoice_id": invoice.invoice_id,
        "amount": "12",
        "currency": "USD",
        "status": "processed",
        "resolution": "ok",
        "service": CARD_USD,
        "provider": "test",
        "payment_id": payment.payment_id,
    }


async def test_declines_and_the_end_of_the_last_attempt(world: World) -> None:
    account = await world.account(attempts="2")
    with logged() as lines:
        invoice = await world.invoice(account)
        await world.pay(invoice, card=BAD, expiry="12/30")
        await world.pay(invoice, card=BAD, expiry="12/30", number=2)
    declined = ["attempt.started", "attempt.declined"]
    assert lines.names(invoice) == ["invoice.created", *declined, *declined, "invoice.failed"]
    assert [line["attempt"] for line in lines.of(invoice) if line["event"] == "attempt.declined"] == [1, 2]
    assert all(line["resolution"] not in ("", "ok") for line in lines.of(invoice) if "declined" in line["event"])


async def test_an_unpaid_invoice_expires_once(world: World, account: Account) -> None:
    with logged() as lines:
        invoice = await world.invoice(account)
        world.move_clock(minutes=31)
        assert await world.expire(account) == 1
        assert await world.expire(account) == 0
    assert lines.names(invoice) == ["invoice.created", "invoice.expired"]


@pytest.mark.parametrize(
    "verdict, after",
    [
        (Verdict.APPROVED, ["review.approved", "attempt.succeeded", "invoice.paid"]),
        (Verdict.REJECTED, ["review.rejected", "return.started", "invoice.failed", "return.succeeded"]),
    ],
)
async def test_what_a_rule_holds_and_what_a_person_decides(world: World, verdict: Verdict, after: list[str]) -> None:
    account = await world.account()
    rule = AmountRule(currency="USD", at_least=10_000)
    await moderation.add_rule(world.platform.pool, account.account_id, rule, now=account.created_at, by="ann")
    with logged() as lines:
        invoice = await world.invoice(account)
        await world.pay(invoice)
        await decide(world.platform, account, invoice.invoice_id, verdict, by="ann")
        with pytest.raises(NothingToDecide):
            await decide(world.platform, account, invoice.invoice_id, verdict, by="bob")
        await world.ask(account)
    held = ["invoice.created", "attempt.started", "attempt.held", "review.held"]
    assert lines.names(invoice) == [*held, *after]
    assert [line["by"] for line in lines.of(invoice) if "by" in line] == ["ann"]


async def test_a_refund_that_succeeds_and_a_chargeback(world: World, account: Account) -> None:
    invoice = await world.invoice(account)
    await world.pay(invoice)
    with logged() as lines:
        await world.refund(invoice, 30)
    assert lines.names(invoice) == ["refund.started", "refund.succeeded"]
    assert [line["amount"] for line in lines.of(invoice)] == ["30", "30"]
    payment = (await world.view(invoice)).payment
    assert payment is not None
    await world.charge_back(payment.payment_id, "20")
    await world.pool.execute("UPDATE payments SET due_at = created_at WHERE payment_id = $1", payment.payment_id)
    with logged() as lines:
        await world.ask(account)
        await world.ask(account)
    (line,) = lines.of(invoice)
    assert (line["event"], line["amount"], line["log_level"]) == ("dispute.opened", "20", "warning")


async def test_a_refund_without_an_answer_is_pending_until_it_has_one(world: World, account: Account) -> None:
    invoice = await world.invoice(account)
    await world.pay(invoice)
    world.wire.refund_fault = Fault.LOSE_ANSWER
    with logged() as lines:
        await world.refund(invoice)
        world.wire.refund_fault = None
        world.move_clock(minutes=5)
        assert await world.ask_about_refunds(account) == 1
    assert lines.names(invoice) == ["refund.started", "refund.pending", "refund.succeeded"]


async def test_a_reserve_that_is_released(world: World) -> None:
    account = await world.account()
    await world.set_terms(account, reserve_rate="10", reserve_lifetime="60")
    invoice = await world.invoice(account)
    await world.pay(invoice)
    world.move_clock(minutes=61)
    with logged() as lines:
        await world.expire(account)
    (line,) = lines.of(invoice)
    assert (line["event"], line["amount"]) == ("reserve.released", "10")


async def test_callbacks_leave_a_line_a_try(world: World, listen: Listen) -> None:
    server = await listen(b"HTTP/1.1 503 Away\r\nContent-Length: 4\r\n\r\ngone")
    account = await world.account(callback_url=server.url, callback_retries="1")
    invoice = await world.invoice(account)
    with logged() as lines:
        for minutes in (0, 2, 4):
            world.platform.clock.test_offset = timedelta(minutes=minutes)
            now = world.platform.clock.now(test_mode=True)
            claims = await working.taken(world.pool, Delivery(world.platform), account.account_id, now)
            await asyncio.gather(*map(Delivery(world.platform).run, claims))
    assert lines.names(invoice) == ["callback.failed", "callback.given_up"]
    last = lines.of(invoice)[-1]
    assert (last["cause"], last["response_code"], last["tries"], last["log_level"]) == ("status", 503, 2, "warning")


async def test_a_change_that_is_rolled_back_leaves_no_line(world: World) -> None:
    class Undone(Exception):
        pass

    with logged() as lines, pytest.raises(Undone):
        async with transaction(world.pool):
            events.record("invoice.paid", account_id="coma_x", invoice_id="cpi_x")
            raise Undone
    assert lines.all == []


async def test_a_line_waits_for_the_commit(world: World) -> None:
    with capture_logs() as lines:
        async with transaction(world.pool):
            events.record("invoice.paid", account_id="coma_x", invoice_id="cpi_x")
            assert lines == []
        assert [line["event"] for line in lines] == ["invoice.paid"]


async def test_a_log_that_fails_does_not_reach_the_payment(world: World, account: Account) -> None:
    def fails(*_: object) -> structlog.typing.EventDict:
        raise LogBroken

    structlog.configure(processors=[fails])
    try:
        invoice = await world.invoice(account)
        with pytest.raises(LogBroken):
            structlog.get_logger().info("anything")
    finally:
        structlog.reset_defaults()
    assert (await world.changes(invoice)).status == "process_pending"


async def test_payments_are_counted_by_service_provider_outcome_and_resolution(world: World, account: Account) -> None:
    labels = {
        "service": CARD_USD,
        "provider": "test",
        "outcome": "succeeded",
        "resolution": "ok",
        "mode": "test",
    }
    before = registry.get_sample_value("kassa_payments_total", labels) or 0
    await world.pay(await world.invoice(account))
    assert registry.get_sample_value("kassa_payments_total", labels) == before + 1


async def test_a_payer_who_is_sent_to_3d_secure_has_an_attempt_that_says_so(world: World, account: Account) -> None:
    with logged() as lines:
        invoice = await world.invoice(account)
        await world.pay(invoice, card=GOOD_SECURE)
    assert lines.names(invoice) == ["invoice.created", "attempt.started", "attempt.redirected"]


def test_every_status_that_an_invoice_attempt_or_refund_can_reach_has_a_line() -> None:
    reached = {status for targets in model.TRANSITIONS.values() for status in targets}
    by_refunds = {
        Status.REFUNDING,
        Status.REFUNDED,
        Status.PARTIALLY_REFUNDED,
        Status.REFUND_FAILED,
        Status.REFUND_ERROR,
    }
    by_chargebacks = {Status.CHARGED_BACK, Status.PARTIALLY_CHARGED_BACK}
    assert reached <= set(INVOICE_EVENTS) | by_refunds | by_chargebacks
    attempts = {status for targets in payments.TRANSITIONS.values() for status in targets}
    assert attempts - {PaymentStatus.INVOKE_PENDING} <= set(ATTEMPT_EVENTS)
    assert {status for targets in refunds.REFUND_TRANSITIONS.values() for status in targets} <= set(REFUND_EVENTS)
