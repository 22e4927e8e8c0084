"""What every provider with the optional ``Statements`` has to guarantee."""

# ruff: noqa: D102, S101 (a test's name is its sentence, and asserts are the point)

from datetime import datetime, timedelta

import pytest

from kassa.clock import Clock
from kassa.errors import ProviderGarbled
from kassa.providers.conformance.cards import pay
from kassa.providers.conformance.driver import UNKNOWN, Driver, charge, refund
from kassa.providers.protocol import Accepted, Credentials, Provider, StatementLine, Statements

_APART = timedelta(minutes=10)
"""How far the provider's clock may be from ours."""
_PAGES_MAX = 10_000


class StatementConformance:
    """The promises of ``kassa.providers.protocol.Statements``, one a test."""

    pytestmark = pytest.mark.asyncio

    async def test_purchases_and_refunds_are_on_the_statement_once(self, driver: Driver) -> None:
        order = charge(driver, amount=12345)
        taken = await pay(driver, order, "accepted")
        part = refund(order, 345, taken)
        given = await driver.provider.refund(driver.credentials, part)
        assert isinstance(taken, Accepted)
        assert isinstance(given, Accepted)
        lines = [
            line for line in await read(driver.provider, driver.credentials) if line.payment_id == order.payment_id
        ]
        assert [(line.movement, line.ref, line.external_id, line.amount, line.currency) for line in lines] == [
            ("purchase", order.payment_id, taken.external_id, 12345, "EUR"),
            ("refund", part.refund_id, given.external_id, 345, "EUR"),
        ]
        assert all(abs(line.booked_at - Clock.real()) < _APART for line in lines)

    async def test_each_chargeback_is_on_it_with_the_sum_so_far(self, driver: Driver) -> None:
        order = charge(driver, amount=1000)
        await pay(driver, order, "accepted")
        for amount in (300, 200):
            await driver.charge_back(order.payment_id, amount)
        lines = [
            line for line in await read(driver.provider, driver.credentials) if line.payment_id == order.payment_id
        ]
        assert [(line.movement, line.ref, line.amount, line.currency) for line in lines] == [
            ("purchase", order.payment_id, 1000, "EUR"),
            ("charge_back", f"{order.payment_id}:300", 300, "EUR"),
            ("charge_back", f"{order.payment_id}:500", 200, "EUR"),
        ]
        assert len({line.external_id for line in lines}) == len(lines)

    async def test_what_took_nothing_is_not_on_it(self, driver: Driver) -> None:
        declined, waiting = charge(driver), charge(driver)
        await pay(driver, declined, "declined")
        await pay(driver, waiting, "accepted after 3-D Secure")
        refs = {line.ref for line in await read(driver.provider, driver.credentials)}
        assert refs.isdisjoint({declined.payment_id, waiting.payment_id})

    async def test_another_time_shows_other_lines(self, driver: Driver) -> None:
        order = charge(driver)
        await pay(driver, order, "accepted")
        before = Clock.real() - 2 * _APART
        lines = await read(driver.provider, driver.credentials, until=before)
        assert order.payment_id not in {line.ref for line in lines}

    async def test_wrong_credentials_and_silence_are_no_empty_statement(self, driver: Driver) -> None:
        with pytest.raises(UNKNOWN):
            await read(driver.provider, driver.wrong_credentials)
        with pytest.raises(UNKNOWN):
            await read(driver.unreachable, driver.credentials)


async def read(provider: Provider, credentials: Credentials, *, until: datetime | None = None) -> list[StatementLine]:
    """Return the lines of the last minutes, of all pages."""
    assert isinstance(provider, Statements)
    since, until = Clock.real() - 3 * _APART, until or Clock.real() + _APART
    lines: list[StatementLine] = []
    after: str | None = None
    for _ in range(_PAGES_MAX):
        page = await provider.statement(credentials, since, until, after)
        lines += page.lines
        after = page.next
        if after is None:
            return lines
    raise ProviderGarbled("The statement does not end.")
