import pytest

from tests.support.bank import MERCHANT_ID, Bank, buttons

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
