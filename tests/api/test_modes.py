"""Test and live mode: nothing is live unless a live provider covers it, and keys of one never see the other."""

import pytest

from tests.support import offers
from tests.support.api import CARD_USD, Client, error_body
from tests.support.office import Office
from tests.support.waiting import until

NOT_LIVE = {"service": "This service is not available in live mode."}
TEST_ONLY = {"test_mode": "This service takes payments in test mode only: send true."}


async def test_an_unknown_service_is_refused_with_the_nearest_that_there_is(fresh: Client) -> None:
    unknown = "This service does not exist, or is not enabled for this account."
    near = {"service": f"{unknown} Did you mean {CARD_USD}?"}
    assert (await fresh.create(service="payment_card_usd")).errors == near
    assert (await fresh.create_publicly(service="payment_card_usd")).errors == near
    assert (await fresh.create(service="zzz")).errors == {"service": unknown}
    assert (await fresh.create(service="payment_card_usd", test_mode=False)).errors == {"service": unknown}


@pytest.fixture(scope="session")
async def live(office: Office) -> Client:
    """An account with a provider account of live mode behind its card service; that provider takes no live payments."""
    shop = await office.account(services=(CARD_USD,))
    await offers.stand_behind(office, shop, CARD_USD)

    async def is_live() -> bool:
        body = shop.public_body(public_key=shop.keys.public_key_live)
        return (await shop.call("POST", "/public-api/payment-invoices", json_body=body, anonymous=True)).status == 201

    await until(is_live, what="the live provider account to be seen")
    return shop


async def test_a_service_with_no_live_provider_behind_it_is_refused_in_live_mode(fresh: Client, office: Office) -> None:
    assert (await fresh.create(test_mode=False)).errors == TEST_ONLY
    assert (await fresh.create(test_mode=None)).errors == TEST_ONLY
    assert (await fresh.create_publicly(public_key=fresh.keys.public_key_live)).errors == NOT_LIVE
    assert await office.rows(fresh.keys.id) == {"invoices": 0, "customers": 0, "payments": 0, "callbacks": 0}
    assert (await fresh.create(test_mode=True)).status == 201


async def test_the_live_list_of_services_is_offered_where_a_live_provider_stands(live: Client) -> None:
    body = {"public_key": live.keys.public_key_live, "currency": "USD"}
    answer = await live.call("POST", "/public-api/payment-prerequest", json_body=body, anonymous=True)
    assert (answer.data["test_mode"], list(answer.data["services"])) == (False, [CARD_USD])


@pytest.mark.parametrize("mode", [True, False])
async def test_a_key_of_one_mode_never_sees_what_is_of_the_other(live: Client, mode: bool) -> None:  # noqa: FBT001
    own, other = live.keys.public_key_test, live.keys.public_key_live
    if not mode:
        own, other = other, own
    made = await live.create_publicly(public_key=own)
    assert made.data["test_mode"] is mode
    path = f"/public-api/payment-invoices/{made.data['id']}"
    assert (await live.call("GET", f"{path}?public_key={own}", anonymous=True)).data["id"] == made.data["id"]
    refused = await live.call("GET", f"{path}?public_key={other}", anonymous=True)
    assert (refused.status, refused.document) == (401, error_body(401, "Unauthorized"))


async def test_each_mode_has_reference_ids_of_its_own(live: Client) -> None:
    key = live.keys.public_key_live
    test = await live.create_publicly(reference_id="same")
    other = await live.create_publicly(reference_id="same", public_key=key, amount=7)
    assert (test.status, other.status) == (201, 201)
    assert test.data["id"] != other.data["id"]
    again = await live.create_publicly(reference_id="same", public_key=key, amount=7)
    assert (again.status, again.document["data"]["id"]) == (409, other.data["id"])
    again = await live.create_publicly(reference_id="same")
    assert (again.status, again.document["data"]["id"]) == (409, test.data["id"])
