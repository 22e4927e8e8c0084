"""The rolling reserve as a merchant sees it: in the invoice, in the balances, and free again on time."""

from datetime import timedelta
from typing import Any

from kassa.accounts.services import operations as services
from tests.support import books
from tests.support.api import CARD_USD, Answer, Client
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.visitor import Visitor
from tests.support.waiting import until
from tests.support.world import GOOD

CARD_JPY = "payment_card_jpy_hpp"
HOUR = 3600


async def shop(office: Office, **options: str) -> Client:
    """Add an account with a fee and a reserve of an hour in dollars, and without either in yen."""
    made = await office.account(services=(CARD_USD, CARD_JPY), **options)
    await services.add(
        office.pool,
        office.clock,
        made.keys.id,
        CARD_USD,
        {"fee_rate": "2.5", "fee_fix": "0.3", "reserve_rate": "10", "reserve_lifetime": "60"},
        by="ann",
    )
    return made


async def paid(client: Client, payer: Visitor, **changes: Any) -> Answer:
    created = await client.create(**changes)
    page = await payer.open(created.attributes["flow_data"]["action"])
    assert (await payer.press(page, card_number=GOOD, expiry="12/30", cvc="123")).heading == "Payment received"
    return await client.read(created.data["id"])


def reserve(answer: Answer) -> dict[str, Any]:
    names = ("reserved_amount", "reserve_expires", "unreserved", "reserves")
    return {name: answer.attributes[name] for name in names}


async def balances(client: Client, currency: str = "USD") -> tuple[str, str]:
    found = (await client.call("GET", "/api/account/balances?test_mode=true")).data["attributes"]["currency_accounts"]
    return found[currency]["active_balance"], found[currency]["reserved_balance"]


async def test_a_reserve_is_shown_while_it_is_held_and_when_it_is_free(
    office: Office, payer: Visitor, merchant: Merchant, place: Served
) -> None:
    client = await shop(office, callback_url=merchant.url)
    held = await paid(client, payer)
    expires = held.attributes["processed"] + HOUR
    shown = {"reserved_amount": 10, "reserve_expires": expires, "unreserved": None}
    assert reserve(held) == {**shown, "reserves": [{"amount": 10, "left": 10, "expires": expires, "unreserved": None}]}
    assert [each["reserved_amount"] for each in await merchant.told(2)] == [None, 10]
    assert await balances(client) == ("87.20", "10.00")

    await office.advance(timedelta(minutes=50))
    assert reserve(await client.read(held.data["id"])) == reserve(held)
    await office.advance(timedelta(minutes=10))

    async def free() -> bool:
        return (await client.read(held.data["id"])).attributes["unreserved"] is not None

    await until(free, what="the release")
    freed = await client.read(held.data["id"])
    at = freed.attributes["unreserved"]
    assert freed.attributes["updated"] == at >= expires
    assert reserve(freed) == {
        **shown,
        "unreserved": at,
        "reserves": [{"amount": 10, "left": 0, "expires": expires, "unreserved": at}],
    }
    unlike = {name for name, value in freed.attributes.items() if value != held.attributes[name]}
    assert unlike == {"unreserved", "updated", "reserves"} | {"callback_logs"} & unlike
    assert await balances(client) == ("97.20", "0.00")

    await office.advance(timedelta(hours=2))
    assert reserve(await client.read(held.data["id"])) == reserve(freed)
    assert await balances(client) == ("97.20", "0.00")
    assert len(merchant.received) == 2
    assert await books.agree(office, place.bank_url)

    async def numbered() -> bool:
        entries = await client.call("GET", "/api/ledger-entries?filter[test_mode]=true&filter[ledger_account]=reserved")
        recipes = [each["attributes"]["recipe"] for each in entries.document["data"]]
        return recipes == ["released", "processed"]

    await until(numbered, what="both entries")


async def test_two_services_hold_on_their_own_terms(office: Office, payer: Visitor, place: Served) -> None:
    client = await shop(office)
    dollars, yen = await paid(client, payer), await paid(client, payer, service=CARD_JPY, currency="JPY")
    assert reserve(yen) == {"reserved_amount": None, "reserve_expires": None, "unreserved": None, "reserves": []}
    assert dollars.attributes["reserved_amount"] == 10
    assert (await balances(client), await balances(client, "JPY")) == (("87.20", "10.00"), ("100", "0"))
    assert await books.agree(office, place.bank_url)
