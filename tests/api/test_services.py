"""The private API's services: their list, page by page, and each by its id (contract#private-api)."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support import offers
from tests.support.api import Answer, Client, error_body
from tests.support.office import Office
from tests.support.serving import Served

PATH = "/api/payment-services"
DEMO = 50
FIVE = [f"payment_card_{currency}_hpp" for currency in ("eur", "gbp", "rub", "uah", "usd")]


@pytest.fixture(scope="session")
async def demo(office: Office, served: Served) -> Client:
    """The demo account."""
    return office.client(served.account)


@pytest.fixture(scope="session")
async def five(office: Office) -> Client:
    """An account with five services."""
    return await office.account(services=FIVE)


async def listed(shop: Client, query: str = "") -> Answer:
    return await shop.call("GET", f"{PATH}?{query}" if query else PATH)


def codes(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.text
    return [row["attributes"]["service"] for row in answer.document["data"]]


def link(number: int, size: int) -> str:
    return f"{PATH}?page[number]={number}&page[size]={size}"


async def test_a_row_is_the_seeds_to_the_letter(office: Office) -> None:
    shop = await office.account(services=("test_xts_test",))
    (row,) = (await listed(shop)).document["data"]
    expected: dict[str, Any] = {
        "type": "payment-services",
        "id": row["id"],
        "attributes": {
            "service": "test_xts_test",
            "service_method": "test",
            "service_currency": "XTS",
            "available": True,
            "active": False,
            "enabled": True,
            "amount_min": Decimal("0.01"),
            "amount_max": 9999999,
            "fee_min": 0,
            "fee_max": 0,
            "fee_rate": 0,
            "fee_fix": 0,
            "reserve_lifetime": 0,
            "reserve_rate": 0,
            "currency": "EUR",
            "test_mode": True,
        },
        "relationships": {
            "payment-method": {"data": {"type": "payment-methods", "id": "test"}},
            "payment-service": {"data": {"type": "payment-services", "id": "test_xts_test"}},
        },
        "links": {"self": f"{PATH}/{row['id']}"},
    }
    assert row == expected
    assert [list(row), list(row["attributes"]), list(row["relationships"])] == [
        list(expected),
        list(expected["attributes"]),
        list(expected["relationships"]),
    ]
    assert row["id"].startswith(f"comcps_{shop.keys.id[5:9]}")
    assert len(row["id"]) == len("comcps_wQmYGz5RbkcgfdLI")


async def test_the_demo_account_has_several_pages(demo: Client) -> None:
    first = (await listed(demo)).document
    assert list(first) == ["meta", "links", "data"]
    assert first["meta"] == {"total": DEMO, "pages": 3, "page": 1}
    assert list(first["links"].items()) == [("first", link(1, 20)), ("next", link(2, 20)), ("last", link(3, 20))]
    middle = (await listed(demo, "page[number]=2")).document
    assert middle["meta"] == {"total": DEMO, "pages": 3, "page": 2}
    assert list(middle["links"].items()) == [
        ("first", link(1, 20)),
        ("prev", link(1, 20)),
        ("next", link(3, 20)),
        ("last", link(3, 20)),
    ]
    last = (await listed(demo, "page[number]=3")).document
    assert list(last["links"].items()) == [("first", link(1, 20)), ("prev", link(2, 20)), ("last", link(3, 20))]
    assert [len(page["data"]) for page in (first, middle, last)] == [20, 20, 10]


async def test_links_lead_through_all_pages_and_back(five: Client) -> None:
    seen, way = [], f"{PATH}?page[size]=2"
    while True:
        page = await five.call("GET", way)
        seen.append(codes(page))
        way = page.document["links"].get("next", "")
        if not way:
            break
    assert seen == [FIVE[:2], FIVE[2:4], FIVE[4:]]
    back = await five.call("GET", page.document["links"]["prev"])
    assert codes(back) == FIVE[2:4]


async def test_a_page_that_is_just_full_leads_nowhere(five: Client) -> None:
    page = (await listed(five, "page[size]=5")).document
    assert page["links"] == {"first": link(1, 5), "last": link(1, 5)}
    assert page["meta"] == {"total": 5, "pages": 1, "page": 1}


async def test_a_page_past_the_last_is_empty_and_leads_back(five: Client) -> None:
    for number in (4, 999999999):
        page = (await listed(five, f"page[number]={number}&page[size]=2")).document
        assert page == {
            "meta": {"total": 5, "pages": 3, "page": number},
            "links": {"first": link(1, 2), "prev": link(3, 2), "last": link(3, 2)},
            "data": [],
        }


async def test_an_account_without_services_has_one_empty_page(office: Office) -> None:
    shop = await office.account(services=())
    assert (await listed(shop)).document == {
        "meta": {"total": 0, "pages": 1, "page": 1},
        "links": {"first": link(1, 20), "last": link(1, 20)},
        "data": [],
    }


@pytest.mark.parametrize(
    "path",
    [PATH, "/payment-services", "/payment-services/", f"{PATH}/?", f"{PATH}?page[number]=&page[size]=", f"{PATH}?x=1"],
)
async def test_both_bases_and_what_says_nothing_lead_to_the_list(five: Client, path: str) -> None:
    assert codes(await five.call("GET", path)) == FIVE


async def test_escaped_brackets_are_brackets(five: Client) -> None:
    assert codes(await five.call("GET", f"{PATH}?page%5Bnumber%5D=2&page%5Bsize%5D=4")) == FIVE[4:]


@pytest.mark.parametrize(
    "query,shown",
    [
        ("page[number]=0", "page[number] should be a number from 1 to 999999999."),
        ("page[number]=-1", "page[number] should be a number from 1 to 999999999."),
        ("page[number]=1.5", "page[number] should be a number from 1 to 999999999."),
        ("page[number]=x", "page[number] should be a number from 1 to 999999999."),
        ("page[number]=1000000000", "page[number] should be a number from 1 to 999999999."),
        ("page[number]=%D9%A1", "page[number] should be a number from 1 to 999999999."),
        ("page[size]=0", "page[size] should be a number from 1 to 100."),
        ("page[size]=101", "page[size] should be a number from 1 to 100."),
        ("page[size]=all", "page[size] should be a number from 1 to 100."),
        ("page[size]=5&page[size]=6", "The query has page[size] twice."),
        ("page[after]=x", "There is no page[after]."),
        ("filter[service]=x", "There is no filter[service]."),
    ],
)
async def test_a_page_that_cannot_be_is_refused(five: Client, query: str, shown: str) -> None:
    answer = await listed(five, query)
    assert (answer.status, answer.document) == (
        400,
        error_body(400, "Bad Request", title="Bad Request", detail=shown),
    )


async def test_a_service_is_read_by_its_id(five: Client) -> None:
    row = (await listed(five)).document["data"][3]
    for path in (row["links"]["self"], f"/payment-services/{row['id']}/"):
        assert (await five.call("GET", path)).document == {"data": row}


async def test_another_accounts_service_is_not_there(five: Client, demo: Client) -> None:
    theirs = (await listed(demo)).document["data"][0]["id"]
    tag = five.keys.id[5:9]
    for wrong in (theirs, f"comcps_{tag}000000000000", "payment_card_usd_hpp", "comcps_", five.keys.id, "%00"):
        answer = await five.call("GET", f"{PATH}/{wrong}")
        assert (answer.status, answer.document) == (404, error_body(404, "Not Found"))


@pytest.mark.parametrize("path", [PATH, f"{PATH}/comcps_u1xxlHVw1NyeqmjJ", "/api/account/profile"])
async def test_a_key_is_needed(five: Client, path: str) -> None:
    answer = await five.call("GET", path, anonymous=True)
    assert (answer.status, answer.document) == (401, error_body(401, "Unauthorized"))
    assert (await five.call("POST", path, json_body={})).status == 405


async def test_terms_are_exact_numbers_in_the_services_currency(office: Office) -> None:
    shop = await office.account(services=())
    await offers.add(
        office,
        shop,
        "payment_card_kwd_hpp",
        fee_rate="2.50",
        fee_fix="0.125",
        fee_min="1",
        fee_max="10.5",
        amount_min="0.001",
        amount_max="999.999",
        reserve_rate="10",
        reserve_lifetime="1440",
    )
    answer = await listed(shop)
    assert (
        '"amount_min":0.001,"amount_max":999.999,"fee_min":1,"fee_max":10.5,"fee_rate":2.5,"fee_fix":0.125,'
        '"reserve_lifetime":1440,"reserve_rate":10,' in answer.text
    )


async def test_enabled_available_and_active_say_who_offers_and_who_stands_behind(office: Office) -> None:
    shop = await office.account(services=FIVE[:2])
    assert await shown(shop) == [(True, True, False, True)] * 2
    await offers.switch_off(office, shop, FIVE[0])
    assert await shown(shop) == [(False, True, False, True), (True, True, False, True)]
    await offers.stand_behind(office, shop, FIVE[0])
    assert await shown(shop) == [(False, True, True, True), (True, True, False, True)]
    await office.owner.execute(
        "UPDATE provider_accounts SET archived_at = created_at WHERE account_id = $1 AND test_mode", shop.keys.id
    )
    assert await shown(shop) == [(False, True, True, False), (True, False, False, False)]


async def shown(shop: Client) -> list[tuple[bool, bool, bool, bool]]:
    rows = [row["attributes"] for row in (await listed(shop)).document["data"]]
    return [(row["enabled"], row["available"], row["active"], row["test_mode"]) for row in rows]
