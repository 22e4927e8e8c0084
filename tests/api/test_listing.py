"""The private API's list of invoices: its pages, and the links and cursors between them (contract#private-api)."""

import asyncio
from itertools import chain
from urllib.parse import unquote

import pytest

from tests.support.api import INVOICES, Client
from tests.support.lists import change, created, listed, names, walked
from tests.support.office import Office

EMPTY = {
    "meta": {"count": 0, "size": 20, "before": "", "after": ""},
    "links": {"prev": "", "next": ""},
    "data": [],
}


async def test_a_list_has_the_newest_first_each_with_its_whole_document(fresh: Client) -> None:
    first, second = await created(fresh, "first", "second")
    answer = await listed(fresh)
    assert answer.document == {
        "meta": {"count": 2, "size": 20, "before": first, "after": second},
        "links": {"prev": "", "next": ""},
        "data": [(await fresh.read(second)).data, (await fresh.read(first)).data],
    }
    document = answer.document
    assert list(document) == ["meta", "links", "data"]
    assert list(document["meta"]) == ["count", "size", "before", "after"]
    assert list(document["links"]) == ["prev", "next"]


async def test_both_bases_and_a_trailing_slash_lead_to_the_list(fresh: Client) -> None:
    await created(fresh, "one")
    for path in ("/payment-invoices", "/payment-invoices/?", "/api/payment-invoices/"):
        assert (await fresh.call("GET", path)).document == (await listed(fresh)).document


async def test_an_account_without_invoices_has_an_empty_list(fresh: Client) -> None:
    assert (await listed(fresh)).document == EMPTY


async def test_links_lead_through_all_pages_and_back(fresh: Client) -> None:
    made = await created(fresh, *"abcdefg")
    newest = (await listed(fresh, "page[size]=3")).document
    assert newest["meta"] == {"count": 3, "size": 3, "before": made[4], "after": made[6]}
    assert newest["links"] == {"prev": "", "next": f"{INVOICES}?page[before]={made[4]}&page[size]=3"}
    assert await walked(fresh, f"{INVOICES}?page[size]=3", "next") == [["g", "f", "e"], ["d", "c", "b"], ["a"]]
    oldest = (await listed(fresh, f"page[before]={made[1]}&page[size]=3")).document
    assert oldest["meta"] == {"count": 1, "size": 3, "before": made[0], "after": made[0]}
    assert oldest["links"] == {"prev": f"{INVOICES}?page[after]={made[0]}&page[size]=3", "next": ""}
    assert await walked(fresh, oldest["links"]["prev"], "prev") == [["d", "c", "b"], ["g", "f", "e"]]


async def test_a_page_that_is_just_full_leads_nowhere(fresh: Client) -> None:
    made = await created(fresh, *"abcd")
    assert (await listed(fresh, "page[size]=4")).document["links"] == {"prev": "", "next": ""}
    assert (await listed(fresh, f"page[size]=3&page[after]={made[0]}")).document["links"]["prev"] == ""
    assert (await listed(fresh, f"page[size]=3&page[before]={made[3]}")).document["links"]["next"] == ""


async def test_beyond_either_end_the_list_is_empty(fresh: Client) -> None:
    made = await created(fresh, "a", "b")
    assert (await listed(fresh, f"page[before]={made[0]}")).document == EMPTY
    assert (await listed(fresh, f"page[after]={made[1]}")).document == EMPTY


async def test_no_invoice_is_missed_or_shown_twice_while_new_ones_arrive(fresh: Client) -> None:
    await created(fresh, *"abcdef")
    seen: list[str] = []
    link = f"{INVOICES}?page[size]=2"
    while link:
        answer = await fresh.call("GET", link)
        seen += names(answer)
        link = answer.document["links"]["next"]
        await created(fresh, f"later than {seen[-1]}")
    assert seen == list("fedcba")


async def test_invoices_of_one_moment_have_one_order(office: Office, fresh: Client) -> None:
    moment = (await office.fetch("SELECT created_at FROM accounts WHERE account_id = $1", fresh.keys.id))[0]
    for name in "abcdefg":
        await created(fresh, name)
        await change(office, fresh, name, created_at=moment["created_at"], test_mode=name in "bdf")
    whole = names(await listed(fresh))
    assert sorted(whole) == list("abcdefg")
    pages = await walked(fresh, f"{INVOICES}?page[size]=2", "next")
    assert list(chain(*pages)) == whole
    oldest = (await listed(fresh)).document["meta"]["before"]
    pages = await walked(fresh, f"{INVOICES}?page[size]=2&page[after]={oldest}", "prev")
    assert list(chain(*reversed(pages))) == whole[:-1]


async def test_a_cursor_keeps_its_place_when_its_invoice_leaves_the_list(office: Office, fresh: Client) -> None:
    made = await created(fresh, *"abcd")
    pending = "filter[status]=process_pending"
    for name in "bcd":
        await change(office, fresh, name, status="process_failed", resolution="expired", due_at=None)
    older = await listed(fresh, f"{pending}&page[before]={made[2]}")
    assert (names(older), older.document["links"]) == (["a"], {"prev": "", "next": ""})
    failed = "filter[status]=process_failed"
    newer = await listed(fresh, f"{failed}&page[after]={made[0]}&page[size]=2")
    assert names(newer) == ["c", "b"]
    assert newer.document["links"] == {
        "prev": f"{INVOICES}?page[after]={made[2]}&page[size]=2&{failed}",
        "next": "",
    }


async def test_links_keep_the_filters_and_what_is_included(fresh: Client) -> None:
    await created(fresh, "a", "b")
    query = "filter[currency]=USD&filter[created][from]=2020-01-01T00:00:00%2B03:00&include=customer&page[size]=1"
    link = (await listed(fresh, query)).document["links"]["next"]
    assert unquote(link.partition("&")[2]) == (
        "page[size]=1&filter[currency]=USD&filter[created][from]=2020-01-01T00:00:00+03:00&include=customer"
    )
    older = await fresh.call("GET", link)
    assert names(older) == ["a"]
    assert older.document["included"] == []


async def test_customers_are_included_once_each_and_only_when_asked_for(fresh: Client) -> None:
    ann, bob = {"reference_id": "ann", "name": "Ann"}, {"reference_id": "bob", "email": "bob@example.com"}
    await created(fresh, "a", customer=ann)
    await created(fresh, "b", customer=bob)
    await created(fresh, "c", customer=ann)
    (alone,) = await created(fresh, "d")
    answer = await listed(fresh, "include=customer")
    assert [customer["attributes"]["reference_id"] for customer in answer.document["included"]] == ["ann", "bob"]
    related = {resource["relationships"]["customer"]["data"]["id"] for resource in answer.document["data"][1:]}
    assert {customer["id"] for customer in answer.document["included"]} == related
    assert "included" not in (await listed(fresh)).document
    read = await fresh.call("GET", f"{INVOICES}/{answer.document['data'][1]['id']}?include=customer")
    assert read.document["included"] == answer.document["included"][:1]
    assert (await fresh.call("GET", f"{INVOICES}/{alone}?include=payment-service,customer")).document["included"] == []
    assert "included" not in (await fresh.call("GET", f"{INVOICES}/{alone}")).document


async def test_callbacks_are_listed_as_the_invoice_alone_shows_them(fresh: Client) -> None:
    (invoice_id,) = await created(fresh, "notified", callback_url="http://127.0.0.1:9/callbacks")
    await created(fresh, "untold")
    both = (await listed(fresh)).data
    assert both[0]["attributes"]["callback_logs"] == []
    (log,) = both[1]["attributes"]["callback_logs"].values()
    assert (both[1]["id"], log["transaction_status"]) == (invoice_id, "process_pending")


async def test_pages_have_1_to_100_invoices(fresh: Client) -> None:
    await asyncio.gather(*(fresh.create() for _ in range(101)))
    largest = (await listed(fresh, "page[size]=100")).document
    assert (len(largest["data"]), largest["meta"]["count"], largest["meta"]["size"]) == (100, 100, 100)
    assert len((await fresh.call("GET", largest["links"]["next"])).document["data"]) == 1
    assert len((await listed(fresh)).document["data"]) == 20
    assert len((await listed(fresh, "page[size]=1")).document["data"]) == 1


async def test_an_account_lists_nothing_of_another(fresh: Client, shop: Client) -> None:
    (mine,) = await created(fresh, "mine")
    theirs = (await shop.create()).data
    assert [resource["id"] for resource in (await listed(fresh)).data] == [mine]
    for query in (f"page[before]={theirs['id']}", f"page[after]={theirs['id']}"):
        assert (await listed(fresh, query)).status == 400


@pytest.mark.parametrize("headers", [{"anonymous": True}, {"auth": ("coma_0000000000000000", "x")}])
async def test_nobody_lists_without_a_key(fresh: Client, headers: dict[str, object]) -> None:
    assert (await fresh.call("GET", INVOICES, **headers)).status == 401  # type: ignore[arg-type]
