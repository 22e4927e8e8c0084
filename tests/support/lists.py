"""Reads lists of invoices over HTTP, and gives the rows behind them what no request does."""

from tests.support.api import INVOICES, Answer, Client, private_body
from tests.support.office import Office


async def listed(shop: Client, query: str = "") -> Answer:
    """Return a page of the list."""
    return await shop.call("GET", f"{INVOICES}?{query}")


def names(answer: Answer) -> list[str]:
    """Return what the merchant calls the invoices on a page."""
    assert answer.status == 200, answer.text
    return [resource["attributes"]["reference_id"] for resource in answer.document["data"]]


async def created(shop: Client, *reference_ids: str, **attributes: object) -> list[str]:
    """Create invoices one after the other, and return their ids."""
    bodies = [private_body(**{**attributes, "reference_id": name}) for name in reference_ids]
    return [(await shop.call("POST", INVOICES, json_body=body)).data["id"] for body in bodies]


async def walked(shop: Client, link: str, way: str) -> list[list[str]]:
    """Follow links, ``prev`` or ``next``, to the list's end, and return each page's names."""
    pages = []
    while link:
        answer = await shop.call("GET", link)
        pages.append(names(answer))
        link = answer.document["links"][way]
    return pages


async def change(office: Office, shop: Client, named: str, /, **columns: object) -> None:
    """Write columns of an invoice, as if its life had brought them."""
    assigned = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 3))
    await office.owner.execute(
        f"UPDATE invoices SET {assigned} WHERE account_id = $1 AND reference_id = $2",
        shop.keys.id,
        named,
        *columns.values(),
    )
