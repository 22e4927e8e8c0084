import pytest
from axe_playwright_python.async_playwright import Axe

from tests.conftest import OpenPage
from tests.support.bank import MERCHANT_ID, Bank, buttons
from tests.support.merchant import Merchant

NOWHERE = "http://127.0.0.1:9/notices"


async def settle(bank: Bank, order: str, decision: str) -> int:
    url = f"{bank.url}/desk/{MERCHANT_ID}/{order}"
    async with bank.session.post(url, data={"decision": decision}, allow_redirects=False) as answer:
        return answer.status


@pytest.mark.parametrize("decision,state,code", [("approve", "APPROVED", "00"), ("decline", "REFUSED", "05")])
async def test_what_the_issuer_left_open_is_settled_at_the_desk(
    bank: Bank, decision: str, state: str, code: str
) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, expiry="07/77")
    assert (placed["state"], placed["response"]) == ("PROCESSING", None)
    _, _, page = await bank.visit("/")
    assert f'action="/desk/{MERCHANT_ID}/pay_1"' in page
    assert buttons(page) == [("decision", "approve"), ("decision", "decline")]
    assert await settle(bank, "pay_1", decision) == 303
    _, settled = await bank.call("GET", "/purchases/pay_1")
    assert (settled["state"], settled["response"]["code"]) == (state, code)
    assert buttons((await bank.visit("/"))[2]) == []


async def test_the_desk_decides_only_what_waits_for_it(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE, number="4302912837020000")
    await bank.place("pay_2", notify_url=NOWHERE, number="5123817234060000")
    assert await settle(bank, "pay_1", "approve") == 409
    assert await settle(bank, "pay_2", "approve") == 409
    assert await settle(bank, "pay_3", "approve") == 404
    assert (await bank.call("GET", "/statement"))[1]["lines"] == []


async def test_the_desk_takes_no_other_word(bank: Bank) -> None:
    placed = await bank.place("pay_1", notify_url=NOWHERE, expiry="07/77")
    assert await settle(bank, "pay_1", "perhaps") == 400
    assert await bank.call("GET", "/purchases/pay_1") == (200, placed)


async def test_an_empty_desk_says_so(bank: Bank) -> None:
    status, headers, page = await bank.visit("/")
    assert status == 200
    assert "There are none yet." in page
    assert "form-action 'self';" in headers["Content-Security-Policy"]


async def test_what_was_approved_is_charged_back_in_parts_or_whole_and_told(bank: Bank, merchant: Merchant) -> None:
    await bank.place("pay_1", notify_url=merchant.url)
    _, _, page = await bank.visit("/")
    assert f'action="/desk/{MERCHANT_ID}/pay_1/charge-back"' in page
    assert [await bank.charge_back("pay_1", amount) for amount in ("2.50", "", "0.01")] == [303, 303, 409]
    _, charged = await bank.call("GET", "/purchases/pay_1")
    assert (charged["state"], [each["amount"] for each in charged["charge_backs"]]) == ("APPROVED", [250, 750])
    notices = [notice.document for notice in await merchant.wait_for_count(3)]
    charge_backs = [each["purchase"]["charge_backs"] for each in notices if each["event"] == "purchase.charged_back"]
    amounts = [[each["amount"] for each in several] for several in charge_backs]
    assert sorted(amounts) == [[250], [250, 750]]
    _, statement = await bank.call("GET", "/statement")
    assert [(line["kind"], line["amount"]) for line in statement["lines"]] == [
        ("PURCHASE", 1000),
        ("CHARGE_BACK", 250),
        ("CHARGE_BACK", 750),
    ]
    _, _, page = await bank.visit("/")
    assert f'action="/desk/{MERCHANT_ID}/pay_1/charge-back"' not in page
    assert "€10.00 charged back" in page


async def test_only_what_was_taken_is_charged_back(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE, number="4302912837020000")
    await bank.place("pay_2", notify_url=NOWHERE, check_only=True)
    await bank.place("pay_3", notify_url=NOWHERE)
    asked = [("pay_1", ""), ("pay_2", ""), ("pay_4", ""), ("pay_3", "10.01"), ("pay_3", "0"), ("pay_3", "1.001")]
    assert [await bank.charge_back(*each) for each in asked] == [409, 409, 404, 409, 400, 400]
    assert await bank.charge_back("pay_3", "many") == 400
    _, statement = await bank.call("GET", "/statement")
    assert [line["kind"] for line in statement["lines"]] == ["PURCHASE"]


async def test_what_was_charged_back_is_not_refunded_but_what_was_refunded_may_be_charged_back(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    await bank.charge_back("pay_1", "6")
    given = [
        (await bank.call("PUT", f"/purchases/pay_1/refunds/{amount}", {"amount": amount, "currency": "EUR"}))[1]
        for amount in (401, 400)
    ]
    assert [(each["state"], each["response"]["code"]) for each in given] == [("REFUSED", "13"), ("APPROVED", "00")]
    assert await bank.charge_back("pay_1") == 303


async def test_a_purchase_is_found_by_every_name_that_it_has(bank: Bank) -> None:
    named = {"shop": "Northwind", "reference": "order-7", "invoice": "cpi_abc", "description": "Two <b>notebooks"}
    placed = await bank.place("pay_1", notify_url=NOWHERE, **named)
    await bank.place("pay_2", notify_url=NOWHERE)
    for wanted in ("pay_1", "northwind", "ORDER-7", "cpi_abc", "notebooks", placed["rrn"], placed["transaction"]):
        _, _, page = await bank.visit(f"/?q={wanted}")
        assert ("pay_1" in page, "pay_2" in page) == (True, False), wanted
    _, _, page = await bank.visit("/")
    assert "pay_2" in page
    assert all(name in page for name in ("Northwind", "order-7", "cpi_abc", "Two &lt;b&gt;notebooks"))
    _, _, page = await bank.visit("/?q=%22%3E%3Cb%3E")
    assert "Nothing is found." in page
    assert "<b>" not in page


@pytest.mark.parametrize("width", [360, 1280])
async def test_no_button_of_the_desk_is_cut(bank: Bank, open_page: OpenPage, width: int) -> None:
    named = {"shop": "A shop with a long name", "reference": "order-" + "7" * 60, "invoice": "cpi_" + "A" * 16}
    await bank.place("pay_1", notify_url=NOWHERE, description="Notebooks " * 20, **named)
    await bank.place("pay_2", notify_url=NOWHERE, expiry="07/77", amount=99_999_999)
    await bank.place("pay_3", notify_url=NOWHERE, wallet="perfect_money")
    async with open_page(viewport={"width": width, "height": 800}) as page:
        await page.goto(bank.url)
        names = [await button.inner_text() for button in await page.get_by_role("button").all()]
        assert {"Charge back", "Approve", "Decline", "Find", "Apply"} <= set(names)
        for button in await page.get_by_role("button").all():
            box = await button.bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"


async def test_the_desk_fits_on_a_phone_and_is_read_to_everybody(bank: Bank, open_page: OpenPage) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    await bank.place("pay_2", notify_url=NOWHERE, expiry="07/77")
    async with open_page(viewport={"width": 320, "height": 640}) as page:
        await page.goto(bank.url)
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"


async def test_a_chargeback_is_decided_once_and_what_was_won_is_the_merchants_again(
    bank: Bank, merchant: Merchant
) -> None:
    await bank.place("pay_1", notify_url=merchant.url)
    for amount in ("4", "6"):
        assert await bank.charge_back("pay_1", amount) == 303
    _, disputed = await bank.call("GET", "/purchases/pay_1")
    won, lost = [each["transaction"] for each in disputed["charge_backs"]]
    _, _, page = await bank.visit("/")
    assert f"/desk/{MERCHANT_ID}/pay_1/charge-backs/{won}" in page
    assert await bank.decide_charge_back("pay_1", won, "maybe") == 400
    assert await bank.decide_charge_back("pay_1", "0" * 20, "won") == 404
    assert await bank.decide_charge_back("pay_2", won, "won") == 404
    assert await bank.decide_charge_back("pay_1", won, "won") == 303
    assert await bank.decide_charge_back("pay_1", lost, "lost") == 303
    assert [await bank.decide_charge_back("pay_1", each, "won") for each in (won, lost)] == [409, 409]
    _, decided = await bank.call("GET", "/purchases/pay_1")
    assert [(each["state"], each["decided_at"] is None) for each in decided["charge_backs"]] == [
        ("WON", False),
        ("LOST", False),
    ]
    await merchant.wait_for(lambda each: bool(each.document["purchase"] == decided))
    _, statement = await bank.call("GET", "/statement")
    assert [(line["kind"], line["amount"], line["charged_back"]) for line in statement["lines"]] == [
        ("PURCHASE", 1000, None),
        ("CHARGE_BACK", 400, 400),
        ("CHARGE_BACK", 600, 1000),
        ("CHARGE_BACK_REVERSAL", 400, 400),
    ]
    # What was won can be refunded, and no more.
    for asked, state in ((401, "REFUSED"), (400, "APPROVED")):
        body = {"amount": asked, "currency": "EUR"}
        _, given = await bank.call("PUT", f"/purchases/pay_1/refunds/{asked}", body)
        assert given["state"] == state


async def test_a_reason_is_one_that_the_desk_offers(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    for reason, status in (("because", 400), ("fraudulent", 303)):
        assert await bank.charge_back("pay_1", "1", reason=reason) == status
    _, disputed = await bank.call("GET", "/purchases/pay_1")
    assert [each["reason"] for each in disputed["charge_backs"]] == ["fraudulent"]


async def test_an_approved_refund_comes_back_once(bank: Bank, merchant: Merchant) -> None:
    await bank.place("pay_1", notify_url=merchant.url)
    for name, amount in (("good", 1000), ("refused", 1)):
        await bank.call("PUT", f"/purchases/pay_1/refunds/{name}", {"amount": amount, "currency": "EUR"})
    asked = [("pay_1", "refused"), ("pay_1", "never"), ("pay_2", "good"), ("pay_1", "good"), ("pay_1", "good")]
    assert [await bank.return_refund(*each) for each in asked] == [409, 404, 404, 303, 409]
    _, back = await bank.call("GET", "/purchases/pay_1/refunds/good")
    assert (back["state"], back["response"]["code"]) == ("RETURNED", "62")
    notice = await merchant.wait_for(lambda each: bool(each.document["event"] == "refund.returned"))
    assert notice.document["refund"] == back
    _, statement = await bank.call("GET", "/statement")
    assert [(line["kind"], line["refund"], line["amount"]) for line in statement["lines"]] == [
        ("PURCHASE", None, 1000),
        ("REFUND", "good", 1000),
        ("REFUND_REVERSAL", "good", 1000),
    ]
    _, again = await bank.call("PUT", "/purchases/pay_1/refunds/again", {"amount": 1000, "currency": "EUR"})
    assert again["state"] == "APPROVED"
