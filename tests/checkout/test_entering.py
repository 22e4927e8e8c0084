from tests.support.api import Client
from tests.support.payer import asked


async def test_the_address_without_its_slash_leads_to_the_same_page(shop: Client) -> None:
    invoice_id, url = await asked(shop)
    entered = await shop.call("GET", f"/hpp?cpi={invoice_id}&lang=uk", anonymous=True)
    assert (entered.status, entered.headers.get("Location")) == (303, f"{url}?lang=uk")


async def test_a_person_who_asks_for_an_unknown_invoice_without_the_slash_gets_a_page(shop: Client) -> None:
    answer = await shop.call("GET", "/hpp?cpi=x", anonymous=True)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "Page not found" in answer.text
