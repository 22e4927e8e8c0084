"""What every provider with the optional ``Cancels`` has to guarantee."""

# ruff: noqa: D102, S101 (a test's name is its sentence, and asserts are the point)

import asyncio

import pytest

from kassa.errors import KassaError, ProviderGarbled
from kassa.providers.conformance.cards import pay
from kassa.providers.conformance.driver import UNKNOWN, Driver, Ending, attempt, charge, undecided
from kassa.providers.protocol import (
    Absent,
    Accepted,
    Attempt,
    Cancels,
    Charge,
    Credentials,
    Declined,
    Outcome,
    Redirect,
)


class CancellationConformance:
    """The promises of ``kassa.providers.protocol.Cancels``, one a test."""

    pytestmark = pytest.mark.asyncio

    async def test_what_was_cancelled_is_declined_and_stays_so(self, driver: Driver) -> None:
        order, redirect = await waiting(driver)
        closed = await cancel(driver, attempt(order, redirect))
        assert isinstance(closed, Declined)
        assert closed.resolution != "ok"
        assert await cancel(driver, attempt(order, redirect)) == closed
        assert await driver.provider.status(driver.credentials, attempt(order, redirect)) == closed

    async def test_our_own_id_is_enough_to_cancel(self, driver: Driver) -> None:
        order, _ = await waiting(driver)
        assert isinstance(await cancel(driver, attempt(order)), Declined)

    async def test_a_page_that_is_still_open_somewhere_takes_no_money_any_more(self, driver: Driver) -> None:
        order, redirect = await waiting(driver)
        closed = await cancel(driver, attempt(order, redirect))
        params = await driver.visit(redirect, approve=True)
        assert await driver.provider.resume(driver.credentials, attempt(order, redirect), params) == closed

    async def test_after_the_payer_has_confirmed_it_is_too_late(self, driver: Driver) -> None:
        order, redirect = await waiting(driver)
        await driver.visit(redirect, approve=True)
        taken = await cancel(driver, attempt(order, redirect))
        assert isinstance(taken, Accepted)
        assert await driver.provider.status(driver.credentials, attempt(order, redirect)) == taken

    @pytest.mark.parametrize("ending", ["accepted", "declined"])
    async def test_what_never_waited_for_its_payer_stays_as_it_is(self, driver: Driver, ending: Ending) -> None:
        order = charge(driver)
        outcome = await pay(driver, order, ending)
        assert await cancel(driver, attempt(order, outcome)) == outcome

    async def test_approval_and_cancellation_side_by_side_have_one_outcome(self, driver: Driver) -> None:
        for _ in range(5):
            order, redirect = await waiting(driver)
            answer, _ = await asyncio.gather(
                cancel(driver, attempt(order, redirect)),
                driver.visit(redirect, approve=True),
                return_exceptions=True,
            )
            found = await driver.provider.status(driver.credentials, attempt(order, redirect))
            assert isinstance(found, Accepted | Declined)
            assert answer == found

    async def test_an_unknown_id_is_absent(self, driver: Driver) -> None:
        assert await cancel(driver, attempt(charge(driver))) == Absent()

    async def test_silence_and_wrong_credentials_cancel_nothing(self, driver: Driver) -> None:
        order, redirect = await waiting(driver)
        unreachable = driver.unreachable
        assert isinstance(unreachable, Cancels)
        with pytest.raises(UNKNOWN):
            await unreachable.cancel(driver.credentials, attempt(order, redirect))
        with pytest.raises(KassaError):
            await cancel(driver, attempt(order, redirect), credentials=driver.wrong_credentials)
        assert undecided(await driver.provider.status(driver.credentials, attempt(order, redirect)))


async def waiting(driver: Driver) -> tuple[Charge, Redirect]:
    """Return a charge that waits for its payer at 3-D Secure, and the way there."""
    order = charge(driver)
    redirect = await pay(driver, order, "accepted after 3-D Secure")
    assert isinstance(redirect, Redirect)
    return order, redirect


async def cancel(driver: Driver, target: Attempt, *, credentials: Credentials | None = None) -> Outcome:
    """Cancel an attempt."""
    if not isinstance(driver.provider, Cancels):
        raise ProviderGarbled("This provider cannot cancel.")
    return await driver.provider.cancel(credentials or driver.credentials, target)
