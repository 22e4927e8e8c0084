"""A payer pays an invoice in another currency: the pages say what he pays, and both books agree on it."""

from tests.support import books, rates
from tests.support.api import Client
from tests.support.office import Office
from tests.support.serving import Served
from tests.support.visitor import Visitor
from tests.support.waiting import until
from tests.support.world import GOOD_SECURE

CARD = {"card_number": GOOD_SECURE, "expiry": "12/30", "cvc": "123"}


async def counts(shop: Client, pair: str) -> bool:
    return (await shop.call("GET", f"/api/payment-exchange-rates/{pair}?test_mode=true")).status == 200


async def test_a_card_pays_in_its_services_currency(office: Office, payer: Visitor, place: Served) -> None:
    await rates.set_rate(office.pool, "CLF", "USD", "42.5", now=office.clock.real())
    shop = await office.account(exchange_spread="2")
    await until(lambda: counts(shop, "CLF/USD"), what="the rate to count")
    created = await shop.create(currency="CLF", amount="10.5")
    form = await payer.open(created.attributes["flow_data"]["action"])
    assert form.heading == "$455.18"
    assert "Converted from CLF\u00a010.5000, 1\u00a0CLF =\u00a043.35\u00a0USD" in form.text
    page = await payer.press(await payer.press(form, **CARD), "approve")
    assert page.heading == "Payment received", page.text
    assert "$455.18" in page.text
    assert "CLF\u00a010.5000, 1\u00a0CLF =\u00a043.35\u00a0USD" in page.text
    found = (await shop.read(created.data["id"])).attributes
    assert (found["status"], str(found["processed_amount"]), found["currency"]) == ("processed", "10.5", "CLF")
    (line,) = await books.taken_for(office, place.bank_url, created.data["id"])
    assert (line["amount"], line["currency"]) == (45_518, "USD")
    rows = await office.fetch(
        "SELECT debit, credit, amount, currency FROM ledger_transfers WHERE account_id = $1", shop.keys.id
    )
    assert sorted(tuple(row.values()) for row in rows) == [
        ("exchange", "active", 105_000, "CLF"),
        ("provider", "exchange", 45_518, "USD"),
    ]
    assert await books.agree(office, place.bank_url)
    for amount, status in (("3.3333", "partially_refunded"), ("7.1667", "refunded")):
        refunded = await shop.refund(created.data["id"], amount=amount)
        assert refunded.attributes["status"] == status
    lines = await books.taken_for(office, place.bank_url, created.data["id"])
    assert [(line["amount"], line["currency"]) for line in lines[1:]] == [(14_450, "USD"), (31_068, "USD")]
    assert await books.agree(office, place.bank_url)
