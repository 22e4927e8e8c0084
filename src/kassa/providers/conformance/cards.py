"""What every provider that takes cards has to guarantee."""

# ruff: noqa: D102, S101 (a test's name is its sentence, and asserts are the point)

import re
from collections.abc import Mapping
from datetime import timedelta

import msgspec
import pytest

from kassa.clock import Clock
from kassa.errors import BadRequest, KassaError, Unauthorized
from kassa.providers.conformance.driver import UNKNOWN, Driver, Ending, attempt, charge, refund, undecided
from kassa.providers.protocol import Absent, Accepted, Charge, Declined, DisputeStatus, Notice, Outcome, Redirect

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_RRN = re.compile(r"[0-9]{12}")
_APPROVAL_CODE = re.compile(r"[0-9A-Z]{6}")
_APART = timedelta(minutes=10)
"""How far the provider's clock may be from ours."""


class CardProviderConformance:
    """The promises of ``kassa.providers.protocol``, one a test."""

    pytestmark = pytest.mark.asyncio

    async def test_its_code_is_a_word(self, driver: Driver) -> None:
        assert _WORD.fullmatch(driver.provider.code)

    async def test_a_good_card_is_charged_the_whole_amount(self, driver: Driver) -> None:
        outcome = await pay(driver, charge(driver, amount=12345), "accepted")
        assert isinstance(outcome, Accepted)
        assert (outcome.amount, outcome.currency) == (12345, "EUR")
        assert outcome.external_id
        assert outcome.rrn is None or _RRN.fullmatch(outcome.rrn)
        assert outcome.approval_code is None or _APPROVAL_CODE.fullmatch(outcome.approval_code)

    async def test_a_bad_card_is_declined_with_a_reason(self, driver: Driver) -> None:
        outcome = await pay(driver, charge(driver), "declined")
        assert isinstance(outcome, Declined)
        assert _WORD.fullmatch(outcome.resolution)
        assert outcome.resolution != "ok"

    @pytest.mark.parametrize("ending", ["accepted", "declined"])
    async def test_status_returns_what_pay_returned(self, driver: Driver, ending: Ending) -> None:
        order = charge(driver)
        outcome = await pay(driver, order, ending)
        assert await driver.provider.status(driver.credentials, attempt(order, outcome)) == outcome

    async def test_status_needs_no_more_than_our_own_id(self, driver: Driver) -> None:
        order = charge(driver)
        outcome = await pay(driver, order, "accepted")
        assert await driver.provider.status(driver.credentials, attempt(order)) == outcome

    async def test_status_of_an_unknown_id_is_absent(self, driver: Driver) -> None:
        assert await driver.provider.status(driver.credentials, attempt(charge(driver))) == Absent()

    async def test_paying_again_under_the_same_id_charges_nothing_more(self, driver: Driver) -> None:
        order = charge(driver)
        first = await pay(driver, order, "accepted")
        assert await pay(driver, order, "accepted") == first

    async def test_an_id_is_not_charged_for_another_amount(self, driver: Driver) -> None:
        order = charge(driver)
        first = await pay(driver, order, "accepted")
        with pytest.raises(UNKNOWN):
            await pay(driver, msgspec.structs.replace(order, amount=order.amount + 1), "accepted")
        assert await driver.provider.status(driver.credentials, attempt(order)) == first

    async def test_the_payer_is_sent_to_3d_secure_and_nothing_is_decided_before(self, driver: Driver) -> None:
        order = charge(driver)
        redirect = await pay(driver, order, "accepted after 3-D Secure")
        assert isinstance(redirect, Redirect)
        assert redirect.action.startswith(("https://", "http://"))
        assert redirect.method in ("GET", "POST")
        assert redirect.external_id
        assert undecided(await driver.provider.status(driver.credentials, attempt(order, redirect)))

    @pytest.mark.parametrize(
        "ending, approve, expected",
        [
            ("accepted after 3-D Secure", True, Accepted),
            ("accepted after 3-D Secure", False, Declined),
            ("declined after 3-D Secure", True, Declined),
        ],
    )
    async def test_after_3d_secure_the_outcome_is_there(
        self, driver: Driver, ending: Ending, *, approve: bool, expected: type[Outcome]
    ) -> None:
        order = charge(driver)
        redirect = await pay(driver, order, ending)
        assert isinstance(redirect, Redirect)
        params = await driver.visit(redirect, approve=approve)
        outcome = await driver.provider.resume(driver.credentials, attempt(order, redirect), params)
        assert isinstance(outcome, expected)
        assert await driver.provider.resume(driver.credentials, attempt(order, redirect), params) == outcome
        assert await driver.provider.status(driver.credentials, attempt(order, redirect)) == outcome

    async def test_coming_back_without_a_decision_decides_nothing(self, driver: Driver) -> None:
        order, other = charge(driver), charge(driver)
        redirect = await pay(driver, order, "accepted after 3-D Secure")
        elsewhere = await pay(driver, other, "accepted after 3-D Secure")
        assert isinstance(redirect, Redirect)
        assert isinstance(elsewhere, Redirect)
        of_another = await driver.visit(elsewhere, approve=True)
        for params in ({}, of_another, {"status": "success", "state": "APPROVED", "cres": "Y"}):
            assert undecided(await driver.provider.resume(driver.credentials, attempt(order, redirect), params))

    async def test_without_an_answer_the_outcome_is_unknown(self, driver: Driver) -> None:
        order = charge(driver)
        card = driver.card("accepted")
        with pytest.raises(UNKNOWN) as unknown:
            await driver.unreachable.pay(driver.credentials, order, card)
        assert card.number not in repr(unknown.value) + str(unknown.value)
        with pytest.raises(UNKNOWN):
            await driver.unreachable.status(driver.credentials, attempt(order))
        with pytest.raises(UNKNOWN):
            await driver.unreachable.refund(driver.credentials, refund(order, 1))

    async def test_refunds_are_made_once_under_each_id_and_never_exceed_the_charge(self, driver: Driver) -> None:
        order = charge(driver, amount=1000)
        paid = await pay(driver, order, "accepted")
        part, rest, beyond = refund(order, 400, paid), refund(order, 600, paid), refund(order, 1, paid)
        given = await driver.provider.refund(driver.credentials, part)
        assert isinstance(given, Accepted)
        assert (given.amount, given.currency) == (400, "EUR")
        assert await driver.provider.refund(driver.credentials, part) == given
        assert isinstance(await driver.provider.refund(driver.credentials, rest), Accepted)
        assert isinstance(await driver.provider.refund(driver.credentials, beyond), Declined)
        assert await driver.provider.status(driver.credentials, attempt(order)) == paid

    async def test_status_returns_of_a_refund_what_refund_returned(self, driver: Driver) -> None:
        order = charge(driver, amount=1000)
        paid = await pay(driver, order, "accepted")
        part, beyond, never = refund(order, 400, paid), refund(order, 601, paid), refund(order, 1, paid)
        for each in (part, beyond):
            outcome = await driver.provider.refund(driver.credentials, each)
            assert await driver.provider.status(driver.credentials, each) == outcome
        assert await driver.provider.status(driver.credentials, never) == Absent()
        assert await driver.provider.status(driver.credentials, refund(charge(driver), 1)) == Absent()
        with pytest.raises(UNKNOWN):
            await driver.unreachable.status(driver.credentials, part)

    async def test_chargebacks_are_listed_one_by_one_and_notified(self, driver: Driver) -> None:
        order = charge(driver, amount=1000)
        paid = await pay(driver, order, "accepted")
        assert isinstance(paid, Accepted)
        for taken in ((300,), (300, 200)):
            headers, body = await driver.charge_back(order.payment_id, taken[-1])
            notice = driver.provider.receive(driver.credentials, headers, body)
            assert notice == Notice(payment_id=order.payment_id, dispute=True)
            found = await driver.provider.status(driver.credentials, attempt(order, paid))
            assert isinstance(found, Accepted)
            assert msgspec.structs.replace(found, disputes=()) == paid
            assert [(each.amount, each.status) for each in found.disputes] == [
                (amount, DisputeStatus.OPEN) for amount in taken
            ]

    async def test_where_it_says_when_it_took_the_money_that_is_now(self, driver: Driver) -> None:
        order = charge(driver)
        paid = await pay(driver, order, "accepted")
        given = await driver.provider.refund(driver.credentials, refund(order, 1, paid))
        for outcome in (paid, given):
            assert isinstance(outcome, Accepted)
            assert outcome.booked_at is None or abs(outcome.booked_at - Clock.real()) < _APART

    async def test_what_was_never_taken_is_not_refunded(self, driver: Driver) -> None:
        order = charge(driver)
        declined = await pay(driver, order, "declined")
        assert isinstance(await driver.provider.refund(driver.credentials, refund(order, 1, declined)), Declined)

    async def test_a_genuine_notification_names_its_payment(self, driver: Driver) -> None:
        headers, body = await notified(driver)
        payment_id = driver.provider.receive(driver.credentials, headers, body).payment_id
        assert payment_id.encode() in body
        upper = {name.upper(): value for name, value in headers.items()}
        assert driver.provider.receive(driver.credentials, upper, body) == Notice(payment_id=payment_id)

    async def test_forged_and_altered_notifications_are_refused(self, driver: Driver) -> None:
        headers, body = await notified(driver)
        with pytest.raises(Unauthorized):
            driver.provider.receive(driver.wrong_credentials, headers, body)
        for altered in (body + b" ", body.replace(b"EUR", b"USD"), b"", b"\xff"):
            with pytest.raises((Unauthorized, BadRequest)):
                driver.provider.receive(driver.credentials, headers, altered)
        with pytest.raises((Unauthorized, BadRequest)):
            driver.provider.receive(driver.credentials, {}, body)

    async def test_wrong_credentials_take_no_money(self, driver: Driver) -> None:
        order = charge(driver)
        try:
            outcome = await driver.provider.pay(driver.wrong_credentials, order, driver.card("accepted"))
        except KassaError as error:
            assert isinstance(error, UNKNOWN)  # noqa: PT017 (either answer is right, an Accepted is not)
        else:
            assert isinstance(outcome, Declined)
        assert await driver.provider.status(driver.credentials, attempt(order)) == Absent()


async def pay(driver: Driver, order: Charge, ending: Ending) -> Outcome:
    """Pay with a card whose payments end like this."""
    return await driver.provider.pay(driver.credentials, order, driver.card(ending))


async def notified(driver: Driver) -> tuple[Mapping[str, str], bytes]:
    """Make a payment and return the notification about it."""
    order = charge(driver)
    await pay(driver, order, "accepted")
    return await driver.notification(order.payment_id)
