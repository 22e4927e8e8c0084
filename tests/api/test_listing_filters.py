"""The filters of the list of invoices, and what of a query is refused (contract#private-api)."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.api import INVOICES, Client, error_body
from tests.support.lists import change, created, listed, names
from tests.support.office import Office

EUR = "payment_card_eur_hpp"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


async def test_filters_choose_and_together_they_narrow(office: Office, fresh: Client) -> None:
    await created(fresh, "usd", "ended", "live")
    await created(fresh, "eur", service=EUR, currency="EUR")
    await change(office, fresh, "ended", status="process_failed", resolution="expired", due_at=None)
    await change(office, fresh, "live", test_mode=False)
    for query, chosen in {
        "filter[reference_id]=eur": ["eur"],
        "filter[status]=process_failed": ["ended"],
        "filter[status]=process_pending": ["eur", "live", "usd"],
        "filter[resolution]=expired": ["ended"],
        "filter[resolution]=ok": ["eur", "live", "usd"],
        f"filter[service]={EUR}": ["eur"],
        "filter[currency]=USD": ["live", "ended", "usd"],
        "filter[test_mode]=true": ["eur", "ended", "usd"],
        "filter[test_mode]=1": ["eur", "ended", "usd"],
        "filter[test_mode]=false": ["live"],
        "filter[test_mode]=0": ["live"],
        "test_mode=false": ["live"],
        "filter[currency]=USD&filter[status]=process_pending": ["live", "usd"],
        "filter[currency]=USD&filter[status]=process_pending&filter[test_mode]=true": ["usd"],
        "filter[currency]=EUR&filter[status]=process_failed": [],
        "filter[service]=no_such_service": [],
        "filter[resolution]=no%20such%20resolution": [],
        "filter[status]=&filter[currency]=&filter[created][from]=&page[before]=&page[size]=": [
            "eur",
            "live",
            "ended",
            "usd",
        ],
    }.items():
        assert names(await listed(fresh, query)) == chosen, query


async def test_bounds_of_time_are_whole_seconds_that_are_taken_in(office: Office, fresh: Client) -> None:
    for name, moment in {"one": NOON, "two": NOON + HOUR + SECOND / 2, "three": NOON + 2 * HOUR}.items():
        await created(fresh, name)
        await change(office, fresh, name, created_at=moment, updated_at=moment + 24 * HOUR, due_at=None)
    unix = int(NOON.timestamp())
    for query, chosen in {
        f"filter[created][from]={unix + 3600}": ["three", "two"],
        f"filter[created][from]={unix + 3601}": ["three"],
        f"filter[created][to]={unix + 3600}": ["two", "one"],
        f"filter[created][to]={unix + 3599}": ["one"],
        f"filter[created][from]={unix + 1}&filter[created][to]={unix + 7199}": ["two"],
        f"filter[created][from]={unix}&filter[created][to]={unix}": ["one"],
        f"filter[created][from]={unix + 1}&filter[created][to]={unix}": [],
        "filter[created][from]=2026-03-01T13:00:00Z": ["three", "two"],
        "filter[created][from]=2026-03-01T16:00:00%2B03:00": ["three", "two"],
        "filter[created][from]=2026-03-01T16:00:00+03:00": ["three", "two"],
        "filter[created][to]=2026-03-01T12:59:59.999": ["one"],
        "filter[created][from]=2026-03-02": [],
        f"filter[updated][from]={unix + 86400 + 3600}": ["three", "two"],
        f"filter[updated][to]={unix + 86400 + 3600}": ["two", "one"],
        f"filter[updated][from]={unix + 86400}&filter[updated][to]={unix + 86400}": ["one"],
        f"filter[updated][to]={unix + 7200}": [],
        f"filter[created][to]={unix}&filter[updated][from]={unix + 3600}": ["one"],
        f"filter[created][from]={unix + 3600}&filter[updated][to]={unix + 86400 + 3600}": ["two"],
    }.items():
        assert names(await listed(fresh, query)) == chosen, query


async def test_a_list_of_what_was_updated_is_in_the_order_of_creation_over_all_its_pages(
    office: Office, fresh: Client
) -> None:
    # From noon on: c and e were created and updated, a and b only updated, d was updated too late.
    for hour, (name, hours) in enumerate({"a": 5, "b": 3, "x": 0, "c": 1, "d": 9, "e": 0}.items()):
        made_at = NOON + (hour - 3) * HOUR
        await created(fresh, name)
        await change(office, fresh, name, created_at=made_at, updated_at=made_at + hours * HOUR, due_at=None)
    between = "filter[updated][from]=2026-03-01T12:00:00Z&filter[updated][to]=2026-03-01T20:00:00Z"
    assert names(await listed(fresh, between)) == ["e", "c", "b", "a"]
    for size in (1, 2, 3):
        seen, link = [], f"{INVOICES}?{between}&page[size]={size}"
        back = ""
        while link:
            answer = await fresh.call("GET", link)
            seen += names(answer)
            link, back = answer.document["links"]["next"], answer.document["meta"]["before"]
        assert seen == ["e", "c", "b", "a"], size
        answer = await listed(fresh, f"{between}&page[after]={back}&page[size]={size}")
        assert names(answer) == ["e", "c", "b"][-size:], size
        assert bool(answer.document["links"]["prev"]) is (size < 3)
    assert names(await listed(fresh, f"{between}&filter[test_mode]=true&filter[status]=process_pending")) == [
        "e",
        "c",
        "b",
        "a",
    ]


async def test_a_name_that_no_invoice_has_is_not_found(office: Office, fresh: Client) -> None:
    (made,) = await created(fresh, "one")
    not_found = error_body(404, "Not Found")
    for query in (
        "filter[reference_id]=other",
        "filter[reference_id]=One",
        "filter[reference_id]=%00",
        "filter[reference_id]=one&filter[status]=processed",
        "filter[reference_id]=one&filter[test_mode]=false",
        f"filter[reference_id]=other&page[before]={made}",
    ):
        answer = await listed(fresh, query)
        assert (answer.status, answer.document) == (404, not_found), query
    for query in (
        "filter[reference_id]=one",
        "filter[reference_id]=one&filter[test_mode]=true&filter[currency]=USD",
        "filter[reference_id]=one&include=customer",
    ):
        assert names(await listed(fresh, query)) == ["one"], query
    # It is there, though not on this page.
    assert names(await listed(fresh, f"filter[reference_id]=one&page[before]={made}")) == []


async def test_a_name_stands_for_one_invoice_a_mode_on_pages_too(office: Office, fresh: Client) -> None:
    for mode in (False, True):
        await created(fresh, f"{mode}")
        await change(office, fresh, f"{mode}", test_mode=mode, reference_id="one")
    both = await listed(fresh, "filter[reference_id]=one")
    assert [resource["attributes"]["test_mode"] for resource in both.data] == [True, False]
    first = await listed(fresh, "filter[reference_id]=one&page[size]=1")
    second = await fresh.call("GET", first.document["links"]["next"])
    assert first.data + second.data == both.data
    assert second.document["links"]["next"] == ""


@pytest.mark.parametrize(
    "query",
    [
        "filter[colour]=red",
        "filter[colour]=",
        "filter=x",
        "filter[]=x",
        "filter[status",
        "filter[status][]=processed",
        "filter[created]=1",
        "filter[created][since]=1",
        "filter[status]=no_such_status",
        "filter[status]=PROCESSED",
        "filter[test_mode]=maybe",
        "test_mode=maybe",
        "reference_id=one",
        "status=processed",
        "filter[reference_id]=",
        "filter[currency]=%00",
        "filter[status]=processed&filter[status]=processed",
        "filter[created][from]=yesterday",
        "filter[created][from]=-1",
        "filter[created][from]=1e9",
        "filter[created][to]=253402300799",
        "filter[created][to]=9999-12-31T23:59:59Z",
        "filter[updated][from]=99999999999999999999",
        "filter[updated][to]=0001-01-01T00:00:00%2B14:00",
        "filter[updated][to]=%D9%A1",
        "page[number]=2",
        "page[size]=0",
        "page[size]=101",
        "page[size]=-1",
        "page[size]=1.5",
        "page[size]=ten",
        "page[size]=%D9%A1",
        "page[size]=99999999999999999999",
        "page[size]=5&page[size]=5",
        "page[before]=x",
        "page[before]=%00",
        "page[before]=cpi_",
        "page[after]=cpi_0000000000000000",
        "page[after]=cgi_0000000000000000",
        "page=2",
    ],
)
async def test_a_query_that_cannot_be_is_refused(shop: Client, query: str) -> None:
    answer = await listed(shop, query)
    assert answer.status == 400, answer.text
    (error,) = answer.document["errors"]
    assert {**error, "detail": ""} == {"status": "Bad Request", "code": "400", "title": "Bad Request", "detail": ""}
    assert error["detail"]


async def test_a_cursor_has_to_be_one_and_there(fresh: Client) -> None:
    (made,) = await created(fresh, "one")
    unknown = made[:-1] + ("0" if made[-1] != "0" else "1")
    for query in (f"page[before]={unknown}", f"page[after]={unknown}", f"page[before]={made}&page[after]={made}"):
        assert (await listed(fresh, query)).status == 400, query


async def test_what_is_no_filter_and_no_page_is_left_alone(fresh: Client) -> None:
    await created(fresh, "one")
    for query in ("", "&", "sort=created", "filters=x", "include=", "include=payment-service&include=x", "%00=%00"):
        assert names(await listed(fresh, query)) == ["one"], query
