"""What the test provider orders at the bank by the charge's method, and what a scenario's payer is shown."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from kassa.clock import Clock
from kassa.config import Settings
from kassa.providers import test
from kassa.providers.protocol import (
    Absent,
    Accepted,
    Attempt,
    Card,
    Charge,
    Credentials,
    Declined,
    Outcome,
    Pending,
    Provider,
    Redirect,
)
from tests.support import bank as banks
from tests.support.bank import Bank

CREDENTIALS = Credentials(
    provider_account_id="pa_1", merchant_id=banks.MERCHANT_ID, test_mode=True, secrets={"secret": banks.SECRET}
)
CARD = Card(number="5519283812030000", expiry_month=12, expiry_year=2030, cvv="123")
ATTEMPT = Attempt(payment_id="pay_1", external_id=None)
RETURN_URL = "http://kassa.example/hpp/result/cpi_1/return"


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    async with banks.running(tmp_path) as running:
        yield running


@pytest.fixture
def provider(bank: Bank) -> Provider:
    made = test.provider(Settings(bank_url=bank.url, demo=True), bank.outbound)
    assert made is not None
    return made


def charge(method: str, **fields: str) -> Charge:
    return Charge(
        payment_id="pay_1",
        method=method,
        amount=1000,
        currency="EUR",
        description=None,
        fields=fields,
        return_url=RETURN_URL,
        notify_url="http://127.0.0.1:9/notices",
        expires_at=Clock.real() + timedelta(hours=30),
        client_ip="192.0.2.1",
    )


async def test_a_wallet_with_an_address_is_a_link(bank: Bank, provider: Provider) -> None:
    outcome = await provider.pay(CREDENTIALS, charge("applepay"), None)
    assert isinstance(outcome, Redirect)
    assert (outcome.method, outcome.params) == ("GET", {})
    assert outcome.action.startswith(f"{bank.url}/wallets/")
    assert await provider.status(CREDENTIALS, ATTEMPT) == outcome


async def test_a_wallet_with_a_form_is_posted_to(bank: Bank, provider: Provider) -> None:
    outcome = await provider.pay(CREDENTIALS, charge("qiwi", phone="+380987654321"), None)
    assert isinstance(outcome, Redirect)
    assert (outcome.method, outcome.action) == ("POST", f"{bank.url}/wallets")
    assert sorted(outcome.params) == ["bill", "shop"]


async def test_a_wallets_page_is_open_for_as_long_as_the_charge(bank: Bank, provider: Provider) -> None:
    redirect = await provider.pay(CREDENTIALS, charge("applepay"), None)
    assert isinstance(redirect, Redirect)
    bank.clock.test_offset += timedelta(hours=29, minutes=59)
    assert isinstance(await provider.status(CREDENTIALS, ATTEMPT), Redirect)
    bank.clock.test_offset += timedelta(minutes=2)
    late = await provider.status(CREDENTIALS, ATTEMPT)
    assert late == Declined(external_id=redirect.external_id, resolution="transaction_expired")


async def test_more_than_a_wallet_holds_is_declined_at_once(provider: Provider) -> None:
    asked = msgspec.structs.replace(charge("applepay"), amount=50_000_001)
    outcome = await provider.pay(CREDENTIALS, asked, None)
    assert isinstance(outcome, Declined)
    assert outcome.resolution == "limit_violation"


@pytest.mark.parametrize("status, found", [("success", Accepted), ("pending", Pending), ("fail", Declined)])
async def test_a_scenarios_payer_goes_to_our_page_and_its_outcome_is_asked_for(
    provider: Provider, status: str, found: type[Outcome]
) -> None:
    outcome = await provider.pay(CREDENTIALS, charge("test", status=status), None)
    assert isinstance(outcome, Redirect)
    assert (outcome.action, outcome.method, outcome.params) == (RETURN_URL, "GET", {})
    known = Attempt(payment_id="pay_1", external_id=outcome.external_id)
    assert isinstance(await provider.status(CREDENTIALS, known), found)


@pytest.mark.parametrize(
    "asked",
    [charge("payment_card"), charge("test"), charge("test", status="maybe"), charge("test", status="Success")],
)
async def test_a_charge_that_lacks_what_its_method_needs_is_declined_unasked(provider: Provider, asked: Charge) -> None:
    assert await provider.pay(CREDENTIALS, asked, None) == Declined(external_id=None, resolution="invalid_details")
    assert await provider.status(CREDENTIALS, ATTEMPT) == Absent()


async def test_a_wallet_is_sent_no_card_even_where_there_is_one(provider: Provider) -> None:
    assert isinstance(await provider.pay(CREDENTIALS, charge("applepay"), CARD), Redirect)


@pytest.mark.parametrize("method", ["applepay", "test"])
async def test_live_credentials_take_nothing_by_any_method(provider: Provider, method: str) -> None:
    live = msgspec.structs.replace(CREDENTIALS, test_mode=False)
    declined = Declined(external_id=None, resolution="routing_error")
    assert await provider.pay(live, charge(method, status="success"), None) == declined
    assert await provider.status(CREDENTIALS, ATTEMPT) == Absent()
