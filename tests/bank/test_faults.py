"""The bank's faults: which order has which, what is in its books, and that it shows the truth when it is polled."""

import asyncio
from typing import Any

import aiohttp
import pytest

from kassa.bank import faults
from kassa.bank.cards import PENDING_EXPIRY, REFUSALS
from kassa.bank.fault_injection import HUGE_BYTES
from kassa.bank.faults import AMOUNTS, DESCRIPTIONS, EXPIRIES, NOTHING_TAKEN, Fault
from kassa.bank.instruments import CardData, Scenario, Wallet
from tests.support.bank import MERCHANT_ID, SECRET, Bank, order_body
from tests.support.merchant import Merchant
from tests.support.waiting import until

NOWHERE = "http://127.0.0.1:9/notices"
GOOD = "5519283812030000"
GOOD_SECURE = "5123817234060000"
BAD = "4302912837020000"
HANGING = {Fault.SILENT_BEFORE, Fault.SILENT_AFTER, Fault.DRIP}
BY_EXPIRY = {fault: expiry for expiry, fault in EXPIRIES.items()}
READ_AHEAD_BYTES = 16 * 1024 * 1024
"""More than two sockets' buffers can hold."""


async def inject(bank: Bank, fault: str | None, times: int = 1) -> None:
    async with bank.session.post(f"{bank.url}/days", json={"day": fault, "times": times}) as answer:
        assert answer.status == 200, await answer.text()


async def injected(bank: Bank) -> tuple[str | None, int]:
    async with bank.session.get(f"{bank.url}/days") as answer:
        document = await answer.json()
        return document["day"], document["times"]


async def put(bank: Bank, path: str, body: Any) -> aiohttp.ClientResponse:
    authorization = aiohttp.encode_basic_auth(MERCHANT_ID, SECRET)
    return await bank.session.put(bank.url + path, json=body, headers={"Authorization": authorization})


async def give_up_on(bank: Bank, order: str, fault: Fault) -> None:
    """Place an order, and hang up as soon as the bank has it in hand."""
    body = order_body(NOWHERE, expiry=BY_EXPIRY[fault])
    placing = asyncio.create_task(put(bank, f"/purchases/{order}", body))

    async def booked() -> bool:
        return (await bank.call("GET", f"/purchases/{order}"))[0] == 200

    if fault is Fault.DRIP:
        answer = await placing
        assert await answer.content.readexactly(1) == b" "
        assert not answer.content.at_eof()
        answer.close()
        return
    if fault is Fault.SILENT_AFTER:
        await until(booked, what="the bank to book it")
    placing.cancel()
    await asyncio.gather(placing, return_exceptions=True)


@pytest.mark.parametrize("fault", Fault)
async def test_whatever_the_bank_answers_it_shows_the_truth_when_polled(bank: Bank, fault: Fault) -> None:
    if fault in HANGING:
        await give_up_on(bank, "pay_1", fault)
    else:
        answer = await put(bank, "/purchases/pay_1", order_body(NOWHERE, expiry=BY_EXPIRY[fault]))
        assert answer.status == {Fault.FAILS_BEFORE: 503, Fault.FAILS_AFTER: 500}.get(fault, 200)
        answer.close()
    status, polled = await bank.call("GET", "/purchases/pay_1")
    _, statement = await bank.call("GET", "/statement")
    if fault in NOTHING_TAKEN:
        assert (status, statement["lines"]) == (404, [])
        return
    taken = {Fault.OTHER_AMOUNT: (500, "EUR"), Fault.OTHER_CURRENCY: (1000, "USD")}.get(fault, (1000, "EUR"))
    assert (polled["state"], polled["amount"], polled["currency"]) == ("APPROVED", *taken)
    assert [(line["amount"], line["currency"]) for line in statement["lines"]] == [taken]


async def test_a_late_truth_is_answered_wrongly_first(bank: Bank, merchant: Merchant) -> None:
    answered = await bank.place("pay_1", notify_url=merchant.url, expiry=BY_EXPIRY[Fault.LATE_TRUTH])
    assert (answered["state"], answered["response"]["code"], answered["rrn"]) == ("REFUSED", "05", None)
    notices = await merchant.wait_for_count(1)
    assert notices[0].document == {
        "event": "purchase.approved",
        "purchase": (await bank.call("GET", "/purchases/pay_1"))[1],
    }


@pytest.mark.parametrize("fault", [Fault.OTHER_AMOUNT, Fault.OTHER_CURRENCY])
async def test_an_order_with_an_amount_mismatch_is_still_the_same_order(bank: Bank, fault: Fault) -> None:
    first = await bank.place("pay_1", notify_url=NOWHERE, expiry=BY_EXPIRY[fault])
    assert await bank.place("pay_1", notify_url=NOWHERE, expiry=BY_EXPIRY[fault]) == first


async def test_of_a_huge_answer_no_more_is_sent_than_is_read(bank: Bank) -> None:
    answer = await put(bank, "/purchases/pay_1", order_body(NOWHERE, expiry=BY_EXPIRY[Fault.HUGE]))
    assert len(await answer.content.readexactly(1024)) == 1024
    answer.close()

    async def sent() -> int:
        async with bank.session.get(f"{bank.url}/days") as shown:
            return int((await shown.json())["huge_bytes_sent"])

    assert 1024 <= await until(sent, what="the bank to have sent some") < READ_AHEAD_BYTES < HUGE_BYTES


@pytest.mark.parametrize(
    "fault, events",
    [
        (Fault.NOTICE_REPEATED, ["purchase.approved"] * 10),
        (Fault.NOTICE_LATE, ["purchase.approved"]),
        (Fault.NOTICE_REORDERED, ["purchase.approved", "purchase.processing"]),
    ],
)
async def test_notices_come_as_the_fault_has_them(
    bank: Bank, merchant: Merchant, fault: Fault, events: list[str]
) -> None:
    await bank.place("pay_1", notify_url=merchant.url, expiry=BY_EXPIRY[fault])
    notices = await merchant.wait_for_count(len(events))
    assert [notice.document["event"] for notice in notices] == events


async def test_an_early_notice_is_there_before_the_answer(bank: Bank, merchant: Merchant) -> None:
    merchant.open.clear()
    placing = asyncio.create_task(bank.place("pay_1", notify_url=merchant.url, expiry=BY_EXPIRY[Fault.NOTICE_EARLY]))
    await merchant.wait_for_count(1)
    # The bank does not answer before its message has been taken.
    assert (await bank.call("GET", "/purchases/pay_1"))[1]["state"] == "APPROVED"
    assert not placing.done()
    merchant.open.set()
    assert (await placing)["state"] == "APPROVED"


async def test_a_lost_notice_does_not_come(bank: Bank, merchant: Merchant) -> None:
    await bank.place("pay_1", notify_url=merchant.url, expiry=BY_EXPIRY[Fault.NOTICE_LOST])
    await bank.place("pay_2", notify_url=merchant.url)
    notices = await merchant.wait_for_count(1)
    assert [notice.document["purchase"]["order"] for notice in notices] == ["pay_2"]


async def test_a_forged_notice_claims_a_success_and_is_not_signed_by_the_bank(bank: Bank, merchant: Merchant) -> None:
    await bank.place("pay_1", notify_url=merchant.url, number=GOOD_SECURE, expiry=BY_EXPIRY[Fault.NOTICE_FORGED])
    (notice,) = await merchant.wait_for_count(1)
    assert notice.document["event"] == "purchase.approved"
    assert (await bank.call("GET", "/purchases/pay_1"))[1]["state"] == "AUTHENTICATING"


async def test_an_injected_fault_happens_so_often_whatever_pays(bank: Bank) -> None:
    await inject(bank, "fails_after", 2)
    for order in ("pay_1", "pay_2"):
        answer = await put(bank, f"/purchases/{order}", order_body(NOWHERE, wallet="qiwi"))
        assert answer.status == 500
    assert await injected(bank) == (None, 0)
    assert (await bank.place("pay_3", notify_url=NOWHERE))["state"] == "APPROVED"


async def test_an_injected_fault_can_be_ended(bank: Bank) -> None:
    await inject(bank, "fails_after", 5)
    assert await injected(bank) == ("fails_after", 5)
    await inject(bank, "fails_after", 0)
    assert await injected(bank) == (None, 0)


@pytest.mark.parametrize(
    "body", ['{"day": "rainy"}', '{"day": "drip", "times": -1}', '{"day": "drip", "times": 1001}', "[]", "{"]
)
async def test_there_are_no_other_faults(bank: Bank, body: str) -> None:
    async with bank.session.post(f"{bank.url}/days", data=body) as answer:
        assert answer.status == 400
    assert await injected(bank) == (None, 0)


async def test_faults_can_be_injected_at_the_desk(bank: Bank) -> None:
    async with bank.session.post(
        f"{bank.url}/desk/days", data={"day": "drip", "times": "3"}, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
    _, _, page = await bank.visit("/")
    assert "The next 3 requests: drip." in page
    assert all(f'value="{fault}"' in page for fault in Fault)
    async with bank.session.post(f"{bank.url}/desk/days", data={"day": "drip", "times": "many"}) as answer:
        assert answer.status == 400
    async with bank.session.post(f"{bank.url}/desk/days", data={"day": "", "times": "1"}) as answer:
        assert answer.status == 200
    assert await injected(bank) == (None, 0)


async def test_a_refund_fails_once_and_is_found_when_it_is_repeated(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    await inject(bank, "fails_after")
    refund = {"amount": 1000, "currency": "EUR"}
    assert (await put(bank, "/purchases/pay_1/refunds/ref_1", refund)).status == 500
    status, given = await bank.call("PUT", "/purchases/pay_1/refunds/ref_1", refund)
    assert (status, given["state"]) == (200, "APPROVED")
    _, statement = await bank.call("GET", "/statement")
    assert [line["kind"] for line in statement["lines"]] == ["PURCHASE", "REFUND"]


async def test_a_fault_that_no_refund_can_have_waits_for_an_order(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    await inject(bank, "late_truth")
    _, given = await bank.call("PUT", "/purchases/pay_1/refunds/ref_1", {"amount": 1000, "currency": "EUR"})
    assert given["state"] == "APPROVED"
    assert await injected(bank) == ("late_truth", 1)


def test_each_fault_has_a_description_an_expiry_date_and_an_amount_of_its_own() -> None:
    assert set(DESCRIPTIONS) == set(EXPIRIES.values()) == set(AMOUNTS.values()) == set(Fault)
    assert not {PENDING_EXPIRY, *REFUSALS} & set(EXPIRIES)
    assert (EXPIRIES["01/66"], EXPIRIES["12/66"], EXPIRIES["01/67"]) == (
        Fault.SILENT_BEFORE,
        Fault.NOTICE_LATE,
        Fault.NOTICE_REORDERED,
    )


@pytest.mark.parametrize(
    "instrument, amount, fault",
    [
        (CardData(number=GOOD, expiry="05/66"), 1000, Fault.GARBAGE),
        (CardData(number=GOOD_SECURE, expiry="05/66"), 66601, Fault.GARBAGE),
        (CardData(number=BAD, expiry="05/66"), 1000, None),
        (CardData(number=BAD, expiry="05/66"), 66601, Fault.SILENT_BEFORE),
        (CardData(number=GOOD, expiry="12/30"), 1000, None),
        (Wallet(code="qiwi"), 66616, Fault.NOTICE_EARLY),
        (Scenario(name="pending"), 66617, None),
    ],
)
def test_a_card_or_an_amount_triggers_the_fault(
    instrument: CardData | Wallet | Scenario, amount: int, fault: Fault | None
) -> None:
    assert faults.triggered(instrument, amount) is fault


@pytest.mark.parametrize(
    "fault, ordered, taken",
    [
        (Fault.OTHER_AMOUNT, (1001, "EUR"), (500, "EUR")),
        (Fault.OTHER_AMOUNT, (1, "JPY"), (2, "JPY")),
        (Fault.OTHER_CURRENCY, (1000, "EUR"), (1000, "USD")),
        (Fault.OTHER_CURRENCY, (1000, "USD"), (1000, "EUR")),
        (Fault.GARBAGE, (1000, "USD"), (1000, "USD")),
        (None, (1, "USD"), (1, "USD")),
    ],
)
def test_what_is_taken_differs_with_two_faults(
    fault: Fault | None, ordered: tuple[int, str], taken: tuple[int, str]
) -> None:
    assert faults.amount_taken(fault, *ordered) == taken
