"""An invoice's timeline over the API: pages, and no one else's."""

from typing import Any

import pytest

from tests.support.api import INVOICES, Client
from tests.support.office import Office
from tests.support.serving import Serving

KINDS = ["invoice.created", "attempt.started", "invoice.paid"]


@pytest.fixture
async def paid(fresh: Client, serving_kassa: Serving) -> str:
    """The id of a paid invoice."""
    created = await fresh.create(amount=12.5)
    document = await fresh.pay(created, serving_kassa.served.gate_url)
    assert document.attributes["status"] == "processed"
    return str(document.data["id"])


async def timeline(shop: Client, invoice_id: str, query: str = "") -> Any:
    answer = await shop.call("GET", f"{INVOICES}/{invoice_id}/events?{query}")
    assert answer.status == 200, answer.text
    return answer.document


def kinds(document: Any) -> list[str]:
    return [row["attributes"]["kind"] for row in document["data"]]


async def test_each_change_is_one_event_with_decimals(fresh: Client, paid: str) -> None:
    document = await timeline(fresh, paid)
    rows = document["data"]
    assert [kind for kind in kinds(document) if kind in KINDS] == KINDS
    assert [row["attributes"]["version"] for row in rows] == list(range(1, len(rows) + 1))
    last = rows[-1]
    payment_id = last["attributes"]["params"]["payment_id"]
    assert last == {
        "type": "invoice-events",
        "id": f"{paid}:{len(rows)}",
        "attributes": {
            "version": len(rows),
            "kind": "invoice.paid",
            "by": "provider",
            "created": last["attributes"]["created"],
            "status": "processed",
            "resolution": "ok",
            "params": {
                "payment_id": payment_id,
                "attempt": 1,
                "provider": "test",
                "status": "processed",
                "resolution": "ok",
                "amount": last["attributes"]["params"]["amount"],
                "currency": "USD",
                "external_id": last["attributes"]["params"]["external_id"],
            },
        },
        "relationships": {"payment-invoice": {"data": {"type": "payment-invoices", "id": paid}}},
    }
    assert str(last["attributes"]["params"]["amount"]) == "12.5"
    assert rows[0]["attributes"]["by"] == "merchant"
    assert document["meta"] == {"count": len(rows), "size": 20, "after": str(len(rows))}
    assert document["links"] == {"next": ""}


async def test_pages_lead_on_without_a_gap(fresh: Client, paid: str) -> None:
    whole = (await timeline(fresh, paid))["data"]
    path, found = f"{INVOICES}/{paid}/events?page[size]=1", list[Any]()
    while path:
        page = (await fresh.call("GET", path)).document
        found += page["data"]
        path = page["links"]["next"]
    assert found == whole
    beyond = await timeline(fresh, paid, f"page[after]={len(whole)}")
    assert (beyond["data"], beyond["meta"]["after"], beyond["links"]["next"]) == ([], "", "")


async def test_an_operators_name_and_note_are_not_the_merchants(fresh: Client, paid: str, office: Office) -> None:
    await office.owner.execute(
        "INSERT INTO invoice_events SELECT account_id, invoice_id, max(version) + 1, now(), 'processed', 'ok',"
        ' \'review.settled\', \'jo.operator\', \'{"payment_id": "pay_1", "note": "secret note"}\''
        " FROM invoice_events WHERE account_id = $1 AND invoice_id = $2 GROUP BY account_id, invoice_id",
        fresh.keys.id,
        paid,
    )
    last = (await timeline(fresh, paid))["data"][-1]["attributes"]
    assert (last["by"], last["params"]) == ("operator", {"payment_id": "pay_1"})


async def test_no_one_reads_anothers_timeline(paid: str, shop: Client) -> None:
    assert (await shop.call("GET", f"{INVOICES}/{paid}/events")).status == 404
    assert (await shop.call("GET", f"{INVOICES}/{paid}/events?page[after]=1")).status == 404
    assert (await shop.call("GET", f"{INVOICES}/{paid}/events", anonymous=True)).status == 401
    tag = shop.keys.id.removeprefix("coma_")[:4]
    for query in ("", "page[after]=1"):
        unknown = f"{INVOICES}/cpi_{tag}000000000000/events?{query}"
        assert (await shop.call("GET", unknown)).status == 404


@pytest.mark.parametrize(
    "query",
    [
        "page[after]=0",
        "page[after]=x",
        "page[after]=2147483648",
        "page[after]=1&page[after]=2",
        "page[before]=2",
        "page[size]=0",
        "page[size]=101",
        "filter[kind]=invoice.paid",
    ],
)
async def test_what_cannot_be_asked_is_refused(fresh: Client, query: str) -> None:
    created = await fresh.create()
    assert (await fresh.call("GET", f"{INVOICES}/{created.data['id']}/events?{query}")).status == 400
