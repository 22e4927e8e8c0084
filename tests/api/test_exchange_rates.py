"""Exchange rates over the API, and what the other routes make of them.

See contract#public-api, contract#private-api, contract#amounts.
"""

from decimal import Decimal
from typing import Any

import pytest

from kassa.api.description import examples
from tests.support import offers, rates
from tests.support.api import CARD_USD, Answer, Client, error_body
from tests.support.office import Office

PATH = "/api/payment-exchange-rates"


@pytest.fixture(scope="session", autouse=True)
async def _rates(office: Office) -> None:
    now = office.clock.real()
    # Currencies that no other test pays in.
    for pair, rate in {("CLF", "USD"): "42.50", ("CLF", "EUR"): "40", ("USD", "CLF"): "0.025"}.items():
        await rates.set_rate(office.pool, *pair, rate, now=now)


async def read(shop: Client, pair: str, query: str = "?test_mode=true") -> Answer:
    return await shop.call("GET", f"{PATH}/{pair}{query}")


async def test_a_rate_is_told_to_the_letter_in_both_modes(shop: Client) -> None:
    for query in ("", "?test_mode=true", "?test_mode=false", "?test_mode="):
        answer = await read(shop, "CLF/USD", query)
        assert (answer.status, answer.text) == (200, '{"data":{"CLF":{"USD":42.5}}}')
    assert (await shop.call("GET", "/payment-exchange-rates/CLF/USD/")).data == {"CLF": {"USD": Decimal("42.5")}}


async def test_a_rate_has_the_accounts_spread_in_it_whichever_way_it_goes(office: Office) -> None:
    shop = await office.account(exchange_spread="2")
    assert (await read(shop, "CLF/USD")).text == '{"data":{"CLF":{"USD":43.35}}}'
    assert (await read(shop, "USD/CLF")).text == '{"data":{"USD":{"CLF":0.0255}}}'
    assert (await read(shop, "USD/USD")).text == '{"data":{"USD":{"USD":1}}}'


async def test_the_example_is_answered_as_it_says(shop: Client) -> None:
    (base,) = examples.load("exchange_rate")["data"]
    assert list((await read(shop, f"{base}/EUR")).data[base]) == list(examples.load("exchange_rate")["data"][base])


async def test_what_comes_along_converts_in_test_mode_without_a_network(shop: Client) -> None:
    assert (await read(shop, "SEK/NOK")).status == 200


@pytest.mark.parametrize("pair", ["USD/ZZZ", "zzz/USD", "usd/eur", "USD/XTS", "%00/USD", "USD/%27", "USD"])
async def test_what_has_no_rate_is_not_there(shop: Client, pair: str) -> None:
    answer = await read(shop, pair)
    assert (answer.status, answer.document) == (404, error_body(404, "Not Found"))


async def test_a_rate_needs_the_account_and_a_mode(shop: Client) -> None:
    assert (await shop.call("GET", f"{PATH}/CLF/USD", anonymous=True)).status == 401
    assert (await read(shop, "CLF/USD", "?test_mode=perhaps")).status == 400
    assert (await read(shop, "CLF/USD", "?test_mode=1&test_mode=0")).status == 400
    assert (await shop.call("POST", f"{PATH}/CLF/USD")).status == 405


async def test_an_invoice_is_created_at_the_rate_that_was_told(office: Office) -> None:
    shop = await office.account(exchange_spread="2")
    created = await shop.create(currency="CLF", amount="10.5")
    names = ("currency", "service_currency", "amount", "payment_amount", "service_amount", "exchange_rate")
    assert [created.attributes[name] for name in names] == [
        *("CLF", "USD", Decimal("10.5"), Decimal("10.5")),
        *(Decimal("455.18"), Decimal("43.35")),
    ]
    again = (await shop.read(created.data["id"])).attributes
    assert [again[name] for name in names] == [created.attributes[name] for name in names]
    public = (await shop.create_publicly(currency="CLF", amount=1)).data
    assert (public["currency"], public["service_currency"], public["payment_amount"]) == ("CLF", "USD", 1)
    assert "exchange_rate" not in public


async def test_the_prerequest_offers_services_of_other_currencies(office: Office) -> None:
    shop = await office.account(services=("payment_card_eur_hpp", "payment_card_usd_hpp", "payment_card_xts_hpp"))
    await offers.add(office, shop, "qiwi_usd_hpp", amount_min="5")
    found = await ask(shop, "CLF")
    assert {code: each["currency"] for code, each in found["services"].items()} == {
        "payment_card_eur_hpp": "EUR",
        "payment_card_usd_hpp": "USD",
        "qiwi_usd_hpp": "USD",
    }
    assert list(found["services"]) == sorted(found["services"])
    assert list(found["methods"]) == ["payment_card", "qiwi"]
    # Limits stay in the service's own currency.
    assert (found["services"]["qiwi_usd_hpp"]["amount_min"], found["currency"]) == (5, "CLF")
    assert list((await ask(shop, "XTS"))["services"]) == ["payment_card_xts_hpp"]
    for code, each in found["services"].items():
        fields = {"phone": "+380987654321"} if each["fields"] else None
        created = await shop.create_publicly(service=code, currency="CLF", amount=1, service_fields=fields)
        assert created.status == 201, created.text


async def ask(shop: Client, currency: str) -> Any:
    body = {"public_key": shop.keys.public_key_test, "currency": currency}
    return (await shop.call("POST", "/public-api/payment-prerequest", json_body=body, anonymous=True)).data


async def test_who_takes_no_live_payments_is_told_the_rates_of_test_mode(office: Office) -> None:
    shop = await office.account()
    bundled = await read(shop, "SEK/NOK")
    for query in ("", "?test_mode="):
        assert (await read(shop, "SEK/NOK", query)).text == bundled.text
    # What comes along is too old for live mode.
    assert (await read(shop, "SEK/NOK", "?test_mode=false")).status == 404
    live = await office.account()
    await offers.stand_behind(office, live, CARD_USD)
    assert (await read(live, "SEK/NOK", "")).status == 404
