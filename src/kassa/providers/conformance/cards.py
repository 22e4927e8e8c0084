"""What a provider that takes cards promises."""

# ruff: noqa: D102, S101 (a test's name is its sentence, and asserts are the point)

import re
from collections.abc import Mapping

import msgspec
import pytest

from kassa.errors import BadRequest, KassaError, Unauthorized
from kassa.providers.conformance.driver import UNKNOWN, Driver, Ending, attempt, charge, refund, undecided
from kassa.providers.protocol import Absent, Accepted, Charge, Declined, Notice, Outcome, Redirect

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_RRN = re.compile(r"[0-9]{12}")
_APPROVAL_CODE = re.compile(r"[0-9A-Z]{6}")


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
    async def test_status_tells_what_pay_told(self, driver: Driver, ending: Ending) -> None:
        asked = charge(driver)
        outcome = await pay(driver, asked, ending)
        assert await driver.provider.status(driver.credentials, attempt(asked, outcome)) == outcome

    async def test_status_needs_no_more_than_our_own_id(self, driver: Driver) -> None:
        asked = charge(driver)
        outcome = await pay(driver, asked, "accepted")
        assert await driver.provider.status(driver.credentials, attempt(asked)) == outcome

    async def test_status_of_what_it_never_heard_of_is_absent(self, driver: Driver) -> None:
        assert await driver.provider.status(driver.credentials, attempt(charge(driver))) == Absent()

    async def test_paying_again_under_the_same_id_charges_nothing_more(self, driver: Driver) -> None:
        asked = charge(driver)
        first = await pay(driver, asked, "accepted")
        assert await pay(driver, asked, "accepted") == first

    async def test_an_id_is_not_charged_for_another_amount(self, driver: Driver) -> None:
        asked = charge(driver)
        first = await pay(driver, asked, "accepted")
        with pytest.raises(UNKNOWN):
            await pay(driver, msgspec.structs.replace(asked, amount=asked.amount + 1), "accepted")
        assert await driver.provider.status(driver.credentials, attempt(asked)) == first

    async def test_the_payer_is_sent_to_3d_secure_and_nothing_is_decided_before(self, driver: Driver) -> None:
        asked = charge(driver)
        redirect = await pay(driver, asked, "accepted after 3-D Secure")
        assert isinstance(redirect, Redirect)
        assert redirect.action.startswith(("https://", "http://"))
        assert redirect.method in ("GET", "POST")
        assert redirect.external_id
        assert undecided(await driver.provider.status(driver.credentials, attempt(asked, redirect)))

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
        asked = charge(driver)
        redirect = await pay(driver, asked, ending)
        assert isinstance(redirect, Redirect)
        params = await driver.visit(redirect, approve=approve)
        outcome = await driver.provider.resume(driver.credentials, attempt(asked, redirect), params)
        assert isinstance(outcome, expected)
        assert await driver.provider.resume(driver.credentials, attempt(asked, redirect), params) == outcome
        assert await driver.provider.status(driver.credentials, attempt(asked, redirect)) == outcome

    async def test_coming_back_without_a_decision_decides_nothing(self, driver: Driver) -> None:
        asked, other = charge(driver), charge(driver)
        redirect = await pay(driver, asked, "accepted after 3-D Secure")
        elsewhere = await pay(driver, other, "accepted after 3-D Secure")
        assert isinstance(redirect, Redirect)
        assert isinstance(elsewhere, Redirect)
        of_another = await driver.visit(elsewhere, approve=True)
        for params in ({}, of_another, {"status": "success", "state": "APPROVED", "cres": "Y"}):
            assert undecided(await driver.provider.resume(driver.credentials, attempt(asked, redirect), params))

    async def test_when_nobody_answers_the_outcome_is_unknown(self, driver: Driver) -> None:
        asked = charge(driver)
        card = driver.card("accepted")
        with pytest.raises(UNKNOWN) as unknown:
            await driver.unreachable.pay(driver.credentials, asked, card)
        assert card.number not in repr(unknown.value) + str(unknown.value)
        with pytest.raises(UNKNOWN):
            await driver.unreachable.status(driver.credentials, attempt(asked))
        with pytest.raises(UNKNOWN):
            await driver.unreachable.refund(driver.credentials, refund(asked, 1))

    async def test_refunds_are_made_once_under_each_id_and_never_exceed_the_charge(self, driver: Driver) -> None:
        asked = charge(driver, amount=1000)
        paid = await pay(driver, asked, "accepted")
        part, rest, beyond = refund(asked, 400, paid), refund(asked, 600, paid), refund(asked, 1, paid)
        given = await driver.provider.refund(driver.credentials, part)
        assert isinstance(given, Accepted)
        assert (given.amount, given.currency) == (400, "EUR")
        assert await driver.provider.refund(driver.credentials, part) == given
        assert isinstance(await driver.provider.refund(driver.credentials, rest), Accepted)
        assert isinstance(await driver.provider.refund(driver.credentials, beyond), Declined)
        assert await driver.provider.status(driver.credentials, attempt(asked)) == paid

    async def test_status_tells_of_a_refund_what_refund_told(self, driver: Driver) -> None:
        asked = charge(driver, amount=1000)
        paid = await pay(driver, asked, "accepted")
        part, beyond, never = refund(asked, 400, paid), refund(asked, 601, paid), refund(asked, 1, paid)
        for each in (part, beyond):
            told = await driver.provider.refund(driver.credentials, each)
            assert await driver.provider.status(driver.credentials, each) == told
        assert await driver.provider.status(driver.credentials, never) == Absent()
        assert await driver.provider.status(driver.credentials, refund(charge(driver), 1)) == Absent()
        with pytest.raises(UNKNOWN):
            await driver.unreachable.status(driver.credentials, part)

    async def test_what_the_payers_bank_takes_back_is_told_one_by_one_and_notified(self, driver: Driver) -> None:
        asked = charge(driver, amount=1000)
        paid = await pay(driver, asked, "accepted")
        assert isinstance(paid, Accepted)
        for taken in ((300,), (300, 200)):
            headers, body = await driver.charge_back(asked.payment_id, taken[-1])
            notice = driver.provider.receive(driver.credentials, headers, body)
            assert notice == Notice(payment_id=asked.payment_id, charge_back=True)
            found = await driver.provider.status(driver.credentials, attempt(asked, paid))
            assert found == msgspec.structs.replace(paid, charge_backs=taken)

    async def test_what_was_never_taken_is_not_refunded(self, driver: Driver) -> None:
        asked = charge(driver)
        declined = await pay(driver, asked, "declined")
        assert isinstance(await driver.provider.refund(driver.credentials, refund(asked, 1, declined)), Declined)

    async def test_a_genuine_notification_tells_which_payment_it_is_about(self, driver: Driver) -> None:
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
        asked = charge(driver)
        try:
            outcome = await driver.provider.pay(driver.wrong_credentials, asked, driver.card("accepted"))
        except KassaError as error:
            assert isinstance(error, UNKNOWN)  # noqa: PT017 (either answer is right, an Accepted is not)
        else:
            assert isinstance(outcome, Declined)
        assert await driver.provider.status(driver.credentials, attempt(asked)) == Absent()


async def pay(driver: Driver, asked: Charge, ending: Ending) -> Outcome:
    """Pay with a card that ends so."""
    return await driver.provider.pay(driver.credentials, asked, driver.card(ending))


async def notified(driver: Driver) -> tuple[Mapping[str, str], bytes]:
    """Make a payment and return the notification about it."""
    asked = charge(driver)
    await pay(driver, asked, "accepted")
    return await driver.notification(asked.payment_id)
