"""An account's services: the terms that an operator gives them, and what can be offered of them."""

from decimal import Decimal

import pytest

from kassa.accounts.model import AccountService
from kassa.accounts.services import operations, queries, terms
from kassa.accounts.services.terms import Terms
from kassa.errors import Invalid, NotFound
from tests.support.shop import CARD_USD, Shop

LIMITS = (1, 1_000_000_00)
NOBODY = "coma_Nobo000000000000"

SERVICE = AccountService(
    account_service_id="comcps_Shop000000000000",
    code="payment_card_usd_hpp",
    method="payment_card",
    flow="hpp",
    currency="USD",
    enabled=True,
    amount_min=1,
    amount_max=1_000_000_00,
    fee_rate=Decimal(0),
    fee_fix=0,
    fee_min=0,
    fee_max=0,
    reserve_rate=Decimal(0),
    reserve_lifetime=0,
)


def test_terms_are_read_in_the_services_currency_and_the_rest_stays() -> None:
    given = {
        "fee_rate": "2.5",
        "fee_fix": "0.30",
        "fee_min": "1",
        "fee_max": "0",
        "amount_max": " 5000 ",
        "reserve_rate": "10.0001",
        "reserve_lifetime": "1440",
        "refund_fee_fix": "0.50",
        "charge_back_fee_fix": "15",
    }
    assert terms.apply(SERVICE, given, LIMITS) == Terms(
        amount_min=1,
        amount_max=500000,
        fee_rate=Decimal("2.5"),
        fee_fix=30,
        fee_min=100,
        fee_max=0,
        reserve_rate=Decimal("10.0001"),
        reserve_lifetime=1440,
        refund_fee_fix=50,
        charge_back_fee_fix=1500,
    )


@pytest.mark.parametrize(
    "name,text,told",
    [
        ("fee_rate", "100.1", "This value should be from 0 to 100, with no more than 4 decimals."),
        ("fee_rate", "0.00001", "This value should be from 0 to 100, with no more than 4 decimals."),
        ("fee_rate", "-1", "This value should be a number, such as 2.5."),
        ("reserve_rate", "NaN", "This value should be a number, such as 2.5."),
        ("reserve_rate", "1e1", "This value should be a number, such as 2.5."),
        ("fee_fix", "0.001", "This value should have no more than 2 decimals in USD."),
        ("fee_max", "99999999999999", "This value is too large."),
        ("amount_min", "0", "This service takes 0.01 USD or more."),
        ("amount_max", "1000000.01", "This service takes 1000000 USD or less."),
        ("reserve_lifetime", "1.5", "This value should be a whole number of minutes from 0 to 527040."),
        ("reserve_lifetime", "527041", "This value should be a whole number of minutes from 0 to 527040."),
        ("reserve_lifetime", "١", "This value should be a whole number of minutes from 0 to 527040."),
    ],
)
def test_a_term_that_cannot_be_is_refused_by_name(name: str, text: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        terms.apply(SERVICE, {name: text}, LIMITS)
    assert refused.value.errors == {name: told}


def test_terms_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(Invalid) as refused:
        terms.apply(SERVICE, {"amount_min": "5", "amount_max": "4", "fee_min": "3", "fee_max": "2"}, LIMITS)
    assert refused.value.errors == {
        "amount_min": "This value should not be greater than amount_max.",
        "fee_min": "This value should not be greater than fee_max.",
    }


async def test_adding_a_service_switches_it_on_with_its_terms_and_a_provider_behind(shop: Shop) -> None:
    added = await operations.add(
        shop.pool, shop.clock, shop.id, "qiwi_usd_hpp", {"fee_rate": "2.5", "amount_min": "1"}, by="ann"
    )
    assert (added.enabled, added.fee_rate, added.amount_min, added.amount_max) == (
        True,
        Decimal("2.5"),
        100,
        100_000_00,
    )
    assert await shop.directory().service(shop.id, "qiwi_usd_hpp") == added
    assert await shop.directory().route(shop.id, "qiwi_usd_hpp", test_mode=True) is not None
    assert await shop.directory().route(shop.id, "qiwi_usd_hpp", test_mode=False) is None


async def test_adding_it_again_changes_only_what_is_given(shop: Shop) -> None:
    first = await operations.add(
        shop.pool, shop.clock, shop.id, CARD_USD, {"fee_rate": "2.5", "fee_fix": "0.3"}, by="ann"
    )
    second = await operations.add(shop.pool, shop.clock, shop.id, CARD_USD, {"fee_fix": "0.5"}, by="ann")
    assert (second.account_service_id, second.fee_rate, second.fee_fix) == (
        first.account_service_id,
        Decimal("2.5"),
        50,
    )


async def test_terms_that_cannot_be_leave_nothing_behind(shop: Shop) -> None:
    with pytest.raises(Invalid):
        await operations.add(shop.pool, shop.clock, shop.id, "qiwi_usd_hpp", {"fee_rate": "x"}, by="ann")
    with pytest.raises(Invalid):
        await operations.add(shop.pool, shop.clock, shop.id, "nope", {}, by="ann")
    with pytest.raises(NotFound):
        await operations.add(shop.pool, shop.clock, NOBODY, CARD_USD, {}, by="ann")
    assert [each.code for each in await queries.services(shop.pool, account_id=shop.id)] == [CARD_USD]


async def test_offered_is_what_is_on_in_the_currency_with_a_provider_of_the_mode(shop: Shop) -> None:
    for code in ("qiwi_usd_hpp", "qiwi_eur_hpp", "applepay_usd_hpp"):
        await operations.add(shop.pool, shop.clock, shop.id, code, {}, by="ann")
    await queries.switch_off(shop.pool, account_id=shop.id, codes=["applepay_usd_hpp"])
    directory = shop.directory()
    offered = await directory.offered(shop.id, "USD", test_mode=True)
    assert [each.code for each in offered] == [CARD_USD, "qiwi_usd_hpp"]
    assert await directory.offered(shop.id, "USD", test_mode=False) == ()
    assert await directory.offered(NOBODY, "USD", test_mode=True) == ()
    await shop.pool.execute("UPDATE provider_accounts SET archived_at = created_at")
    assert await shop.directory().offered(shop.id, "USD", test_mode=True) == ()
