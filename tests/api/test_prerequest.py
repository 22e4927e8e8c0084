"""The prerequest: what a payer can be offered for a currency (contract#public-api), as clients know it."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.support import offers
from tests.support.api import Answer, Client, error_body
from tests.support.office import Office
from tests.support.waiting import until

PREREQUEST = "/public-api/payment-prerequest"
USD = ("payment_card_usd_hpp", "test_usd_test")


@pytest.fixture(scope="session")
async def offering(office: Office) -> Client:
    """An account with the family's two example services."""
    return await office.account(services=USD)


async def read_offers(shop: Client, currency: object = "USD", *, path: str = PREREQUEST, **changes: object) -> Answer:
    body = {"public_key": shop.keys.public_key_test, "currency": currency, **changes}
    sent = {name: value for name, value in body.items() if value is not None}
    return await shop.call("POST", path, json_body=sent, anonymous=True)


def seeds(base_url: str) -> dict[str, Any]:
    """The seed's answer, with pictures of ours."""
    members = {"metadata": None, "position": None, "hide": None}
    pictures = f"{base_url}/static/methods"
    return {
        "currency": "USD",
        "test_mode": True,
        "services": {
            "payment_card_usd_hpp": {
                "code": "payment_card_usd_hpp",
                "method": "payment_card",
                "flow": "hpp",
                "currency": "USD",
                "fields": [],
                "amount_min": Decimal("0.01"),
                "amount_max": 1000000,
            },
            "test_usd_test": {
                "code": "test_usd_test",
                "method": "test",
                "flow": "test",
                "currency": "USD",
                "fields": [
                    {
                        "key": "status",
                        "type": "string",
                        "label": {"ru": "Статус", "en": "Status", "uk": "Статус"},
                        "example": None,
                        "hint": {"ru": "Введите статус", "en": "Enter Status", "uk": "Введіть статус"},
                        "regexp": "^[a-zA-Z_]*$",
                        "required": True,
                        "position": 0,
                    }
                ],
                "amount_min": Decimal("0.01"),
                "amount_max": 9999999,
            },
        },
        "methods": {
            "payment_card": {
                "code": "payment_card",
                "category": "payment_card",
                "description": "",
                "name": {"en": "Payment card", "ru": "Платежная карта", "uk": "Платіжна карта"},
                "logo": f"{pictures}/payment_card/logo.svg",
                "icon": f"{pictures}/payment_card/icon.svg",
                **members,
            },
            "test": {
                "code": "test",
                "category": "alternative",
                "description": "",
                "name": {"en": "Test", "ru": "Тест", "uk": "Тест"},
                "logo": f"{pictures}/test/logo.svg",
                "icon": f"{pictures}/test/icon.svg",
                **members,
            },
        },
        "account": {"name": "Shop", "description": "", "icon": f"{base_url}/static/account.svg", "website": None},
    }


async def test_it_is_the_seeds_to_the_letter(offering: Client) -> None:
    answer = await read_offers(offering)
    assert answer.document == {"data": seeds(offering.base_url)}
    # Members in the family's order, and numbers as it writes them.
    assert json.loads(answer.text, parse_float=str) == json.loads(
        json.dumps({"data": seeds(offering.base_url)}, default=str)
    )
    assert ordered(answer.document["data"]) == ordered(seeds(offering.base_url))


def ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return [(name, ordered(child)) for name, child in value.items()]
    return [ordered(child) for child in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "path", [f"{PREREQUEST}/", f"{PREREQUEST}?", f"{PREREQUEST}?include[0]=payment-methods&include[1]=x"]
)
async def test_a_slash_a_question_mark_and_includes_change_nothing(offering: Client, path: str) -> None:
    assert (await read_offers(offering, path=path)).document == (await read_offers(offering)).document


async def test_key_and_currency_may_stand_in_the_query(offering: Client) -> None:
    key = offering.keys.public_key_test
    expected = (await read_offers(offering)).document
    asked = await offering.call("POST", f"{PREREQUEST}?public_key={key}&currency=USD", anonymous=True)
    assert asked.document == expected
    mixed = await offering.call(
        "POST", f"{PREREQUEST}?currency=EUR", json_body={"public_key": key, "currency": "USD"}, anonymous=True
    )
    assert mixed.document == expected


async def test_the_amount_does_not_matter(offering: Client) -> None:
    assert (await read_offers(offering, amount=10**12)).document == (await read_offers(offering)).document


async def test_a_currency_with_no_service_and_no_rate_has_empty_maps(offering: Client) -> None:
    answer = await read_offers(offering, "XTS")
    assert answer.status == 200
    assert '"services":{},"methods":{}' in answer.text
    assert answer.data["currency"] == "XTS"


@pytest.mark.parametrize(
    "currency,message",
    [
        ("ZZZ", "This value is not a valid currency."),
        ("usd", "This value is not a valid currency."),
        ("", "This value should not be blank."),
        (None, "This value should not be blank."),
        (["USD"], "This value should be of type string."),
        ("U\u0000D", "This value should not contain control characters."),
    ],
)
async def test_what_is_no_currency_is_refused_by_name(offering: Client, currency: object, message: str) -> None:
    assert (await read_offers(offering, currency)).errors == {"currency": message}


async def test_a_key_is_needed(offering: Client, office: Office) -> None:
    unknown = "pk_test_" + "A" * 43
    for key in (None, "", unknown, offering.keys.private_key_test, 7):
        answer = await read_offers(offering, public_key=key)
        assert (answer.status, answer.document) == (401, error_body(401, "Unauthorized"))
    broken = await offering.call("POST", PREREQUEST, body=b"{", anonymous=True)
    assert broken.status == 400
    assert (await offering.call("GET", PREREQUEST, anonymous=True)).status == 405


async def test_the_key_decides_the_mode_and_nothing_is_live(offering: Client) -> None:
    live = await read_offers(offering, public_key=offering.keys.public_key_live)
    assert live.data == {**seeds(offering.base_url), "test_mode": False, "services": {}, "methods": {}}


async def test_it_works_where_public_creation_is_forbidden(office: Office) -> None:
    shop = await office.account(services=USD, forbid_public_access="true")
    assert (await shop.create_publicly()).status == 403
    assert (await read_offers(shop)).data == seeds(shop.base_url)


async def test_what_is_switched_takes_effect_soon(office: Office) -> None:
    shop = await office.account(services=USD)
    assert list((await read_offers(shop)).data["services"]) == list(USD)
    await offers.switch_off(office, shop, "test_usd_test")

    async def is_gone() -> bool:
        return list((await read_offers(shop)).data["services"]) == ["payment_card_usd_hpp"]

    await until(is_gone, what="the switch to take effect")
    assert list((await read_offers(shop)).data["methods"]) == ["payment_card"]


async def test_the_accounts_own_limits_are_shown(office: Office) -> None:
    shop = await office.account(services=())
    await offers.add(office, shop, "qiwi_usd_hpp", amount_min="1.5", amount_max="20")
    (service,) = (await read_offers(shop)).data["services"].values()
    assert (service["amount_min"], service["amount_max"]) == (Decimal("1.5"), 20)
    assert [field["key"] for field in service["fields"]] == ["phone"]


async def test_a_browser_of_any_site_may_ask(offering: Client) -> None:
    preflight = await offering.call(
        "OPTIONS",
        PREREQUEST,
        headers={
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
        anonymous=True,
    )
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, "*")
    body = {"public_key": offering.keys.public_key_test, "currency": "USD"}
    answer = await offering.call(
        "POST", PREREQUEST, json_body=body, headers={"Origin": "https://shop.example"}, anonymous=True
    )
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_every_picture_that_is_named_is_there_for_other_sites(office: Office) -> None:
    shop = await office.account(services=("payment_card_usd_hpp", "qiwi_usd_hpp", "test_usd_test"))
    data = (await read_offers(shop)).data
    urls = [url for method in data["methods"].values() for url in (method["logo"], method["icon"])]
    for url in [*urls, data["account"]["icon"]]:
        answer = await shop.call("GET", url.removeprefix(shop.base_url), anonymous=True)
        assert (answer.status, answer.headers["content-type"]) == (200, "image/svg+xml")
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.text.startswith("<svg ")


@pytest.mark.parametrize(
    "path",
    ["nope/logo.svg", "qiwi/logo.png", "qiwi/", "%00/logo.svg", "..%2f/logo.svg", "QIWI/logo.svg"],
)
async def test_a_picture_of_nothing_is_not_there(offering: Client, path: str) -> None:
    assert (await offering.call("GET", f"/static/methods/{path}", anonymous=True)).status == 404
