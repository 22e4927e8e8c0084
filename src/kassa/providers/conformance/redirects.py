"""What every provider with pages of its own, such as wallets, has to guarantee."""

# ruff: noqa: D102, S101 (a test's name is its sentence, and asserts are the point)

import re
from collections.abc import Iterator

import msgspec
import pytest

from kassa.errors import KassaError
from kassa.providers.conformance.driver import UNKNOWN, RedirectDriver, attempt, charge, refund, undecided
from kassa.providers.protocol import Absent, Accepted, Charge, Declined, Outcome, Redirect

_WORD = re.compile(r"[a-z][a-z0-9_]*")


class RedirectProviderConformance:
    """The promises of ``kassa.providers.protocol``, one a test, for each of the driver's wallets."""

    pytestmark = pytest.mark.asyncio

    async def test_the_payer_is_sent_to_a_page_and_nothing_is_decided_before(self, driver: RedirectDriver) -> None:
        for order in charges(driver):
            redirect = await pay(driver, order)
            assert redirect.action.startswith(("https://", "http://"))
            assert redirect.method in ("GET", "POST")
            assert redirect.external_id
            assert all(isinstance(text, str) for pair in redirect.params.items() for text in pair)
            assert undecided(await driver.provider.status(driver.credentials, attempt(order, redirect)))

    @pytest.mark.parametrize("approve", [True, False])
    async def test_after_the_page_the_outcome_is_there(self, driver: RedirectDriver, *, approve: bool) -> None:
        for order in charges(driver, amount=12345):
            redirect = await pay(driver, order)
            params = await driver.visit(redirect, approve=approve)
            outcome = await driver.provider.resume(driver.credentials, attempt(order, redirect), params)
            assert decided(outcome, 12345 if approve else None)
            assert await driver.provider.resume(driver.credentials, attempt(order, redirect), params) == outcome
            assert await driver.provider.status(driver.credentials, attempt(order)) == outcome

    async def test_coming_back_without_a_decision_decides_nothing(self, driver: RedirectDriver) -> None:
        for order, other in zip(charges(driver), charges(driver), strict=True):
            redirect = await pay(driver, order)
            of_another = await driver.visit(await pay(driver, other), approve=True)
            for params in ({}, of_another, {"status": "success", "state": "APPROVED"}):
                assert undecided(await driver.provider.resume(driver.credentials, attempt(order, redirect), params))

    async def test_paying_again_under_the_same_id_leads_to_the_same_order(self, driver: RedirectDriver) -> None:
        for order in charges(driver):
            first = await pay(driver, order)
            assert (await pay(driver, order)).external_id == first.external_id
            await driver.visit(first, approve=True)
            outcome = await driver.provider.status(driver.credentials, attempt(order))
            assert isinstance(outcome, Accepted)
            assert outcome.external_id == first.external_id

    async def test_an_id_is_not_used_for_another_amount(self, driver: RedirectDriver) -> None:
        for order in charges(driver):
            first = await pay(driver, order)
            with pytest.raises(UNKNOWN):
                await pay(driver, msgspec.structs.replace(order, amount=order.amount + 1))
            await driver.visit(first, approve=True)
            assert decided(await driver.provider.status(driver.credentials, attempt(order)), order.amount)

    async def test_status_of_an_unknown_id_is_absent(self, driver: RedirectDriver) -> None:
        for order in charges(driver):
            assert await driver.provider.status(driver.credentials, attempt(order)) == Absent()

    async def test_without_an_answer_the_outcome_is_unknown(self, driver: RedirectDriver) -> None:
        for order in charges(driver):
            with pytest.raises(UNKNOWN):
                await driver.unreachable.pay(driver.credentials, order, None)

    async def test_what_was_paid_there_is_refunded_as_a_card_is(self, driver: RedirectDriver) -> None:
        for order in charges(driver, amount=1000):
            redirect = await pay(driver, order)
            before = await driver.provider.refund(driver.credentials, refund(order, 1, redirect))
            assert isinstance(before, Declined)
            await driver.visit(redirect, approve=True)
            whole = refund(order, 1000, redirect)
            given = await driver.provider.refund(driver.credentials, whole)
            assert decided(given, 1000)
            assert await driver.provider.refund(driver.credentials, whole) == given
            assert isinstance(await driver.provider.refund(driver.credentials, refund(order, 1, redirect)), Declined)

    async def test_a_result_is_notified(self, driver: RedirectDriver) -> None:
        for order in charges(driver):
            await driver.visit(await pay(driver, order), approve=True)
            headers, body = await driver.notification(order.payment_id)
            assert driver.provider.receive(driver.credentials, headers, body).payment_id == order.payment_id

    async def test_wrong_credentials_open_no_page(self, driver: RedirectDriver) -> None:
        for order in charges(driver):
            try:
                outcome = await driver.provider.pay(driver.wrong_credentials, order, None)
            except KassaError as error:
                assert isinstance(error, UNKNOWN)  # noqa: PT017 (either answer is right, a Redirect is not)
            else:
                assert isinstance(outcome, Declined)
            assert await driver.provider.status(driver.credentials, attempt(order)) == Absent()


def charges(driver: RedirectDriver, *, amount: int = 1000) -> Iterator[Charge]:
    """Return a new charge for each wallet."""
    for method, fields in driver.wallets.items():
        yield charge(driver, amount=amount, method=method, fields=fields)


async def pay(driver: RedirectDriver, order: Charge) -> Redirect:
    """Pay, and return the way to the provider's page."""
    outcome = await driver.provider.pay(driver.credentials, order, None)
    assert isinstance(outcome, Redirect)
    return outcome


def decided(outcome: Outcome, amount: int | None) -> bool:
    """Return whether an outcome is a success of this amount in euros; without one, a decline with a reason."""
    match outcome:
        case Accepted():
            return (outcome.amount, outcome.currency) == (amount, "EUR")
        case Declined():
            return amount is None and outcome.resolution != "ok" and _WORD.fullmatch(outcome.resolution) is not None
        case _:
            return False
