"""What a provider guarantees of disputes that are decided and refunds that come back, where its sandbox can do so."""

# ruff: noqa: D102, S101 (a test's name is its sentence, and asserts are the point)

from datetime import timedelta
from typing import Protocol

import pytest
from msgspec.structs import replace

from kassa.clock import Clock
from kassa.providers.conformance.cards import pay
from kassa.providers.conformance.driver import Disputing, Driver, Returning, attempt, charge, refund
from kassa.providers.conformance.statements import read
from kassa.providers.protocol import Accepted, Attempt, Declined, Dispute, DisputeStatus, Notice, Statements

_APART = timedelta(minutes=10)
"""How far the provider's clock may be from ours."""


class DisputeDriver(Driver, Disputing, Protocol):
    """The world around a provider of cards whose sandbox decides disputes."""


class ReturnDriver(Driver, Returning, Protocol):
    """The world around a provider of cards whose sandbox lets refunds come back."""


class DisputeConformance:
    """The promises of ``kassa.providers.protocol.Dispute``, one a test."""

    pytestmark = pytest.mark.asyncio

    async def test_a_dispute_is_open_until_it_is_decided_and_keeps_its_place(self, driver: DisputeDriver) -> None:
        order = charge(driver, amount=1000)
        paid = await pay(driver, order, "accepted")
        for amount in (300, 200):
            await driver.charge_back(order.payment_id, amount)
        opened = await disputes(driver, attempt(order, paid))
        assert [(each.amount, each.status) for each in opened] == [
            (300, DisputeStatus.OPEN),
            (200, DisputeStatus.OPEN),
        ]
        assert all(each.reason for each in opened)
        assert len({each.external_id for each in opened}) == len(opened)
        assert all(each.deadline is None or each.deadline > Clock.real() - _APART for each in opened)
        for decided, won in enumerate((True, False), 1):
            headers, body = await driver.decide_charge_back(order.payment_id, won=won)
            notice = driver.provider.receive(driver.credentials, headers, body)
            assert notice == Notice(payment_id=order.payment_id, dispute=True)
            statuses = (DisputeStatus.WON, DisputeStatus.LOST)[:decided] + (DisputeStatus.OPEN,) * (2 - decided)
            found = await disputes(driver, attempt(order, paid))
            assert found == tuple(replace(each, status=status) for each, status in zip(opened, statuses, strict=True))

    async def test_what_was_won_is_on_the_statement_and_what_was_lost_is_not(self, driver: DisputeDriver) -> None:
        order = charge(driver, amount=1000)
        await pay(driver, order, "accepted")
        for amount in (300, 200):
            await driver.charge_back(order.payment_id, amount)
        await driver.decide_charge_back(order.payment_id, won=False)
        await driver.decide_charge_back(order.payment_id, won=True)
        assert isinstance(driver.provider, Statements)
        lines = [
            line for line in await read(driver.provider, driver.credentials) if line.payment_id == order.payment_id
        ]
        assert [(line.movement, line.ref, line.amount, line.currency) for line in lines] == [
            ("purchase", order.payment_id, 1000, "EUR"),
            ("charge_back", f"{order.payment_id}:300", 300, "EUR"),
            ("charge_back", f"{order.payment_id}:500", 200, "EUR"),
            ("chargeback_reversal", f"{order.payment_id}:500", 200, "EUR"),
        ]
        assert len({line.external_id for line in lines}) == len(lines)


class ReturnConformance:
    """What a provider promises of refunds that fail after they succeeded, one promise a test."""

    pytestmark = pytest.mark.asyncio

    async def test_a_refund_that_came_back_is_declined_and_notified(self, driver: ReturnDriver) -> None:
        order = charge(driver, amount=1000)
        paid = await pay(driver, order, "accepted")
        whole = refund(order, 1000, paid)
        assert isinstance(await driver.provider.refund(driver.credentials, whole), Accepted)
        headers, body = await driver.return_refund(order.payment_id, whole.refund_id)
        notice = driver.provider.receive(driver.credentials, headers, body)
        assert notice == Notice(payment_id=order.payment_id, refund_id=whole.refund_id)
        outcome = await driver.provider.status(driver.credentials, whole)
        assert isinstance(outcome, Declined)
        assert outcome.resolution != "ok"
        assert await driver.provider.refund(driver.credentials, whole) == outcome

    async def test_its_money_can_be_sent_back_again(self, driver: ReturnDriver) -> None:
        order = charge(driver, amount=1000)
        paid = await pay(driver, order, "accepted")
        first, again = refund(order, 1000, paid), refund(order, 1000, paid)
        await driver.provider.refund(driver.credentials, first)
        await driver.return_refund(order.payment_id, first.refund_id)
        assert isinstance(await driver.provider.refund(driver.credentials, again), Accepted)
        assert isinstance(driver.provider, Statements)
        lines = [
            line for line in await read(driver.provider, driver.credentials) if line.payment_id == order.payment_id
        ]
        assert [(line.movement, line.ref, line.amount) for line in lines] == [
            ("purchase", order.payment_id, 1000),
            ("refund", first.refund_id, 1000),
            ("refund_reversal", first.refund_id, 1000),
            ("refund", again.refund_id, 1000),
        ]
        assert len({line.external_id for line in lines}) == len(lines)


async def disputes(driver: Driver, paid: Attempt) -> tuple[Dispute, ...]:
    """Return the disputes of a payment as the provider reports them."""
    outcome = await driver.provider.status(driver.credentials, paid)
    assert isinstance(outcome, Accepted)
    return outcome.disputes
