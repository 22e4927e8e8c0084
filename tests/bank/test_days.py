"""The bank's bad days: which one it is, what is in its books, and that it tells the truth when it is asked."""

import asyncio
from typing import Any

import aiohttp
import pytest

from kassa.bank import days
from kassa.bank.badness import HUGE_BYTES
from kassa.bank.cards import PENDING_EXPIRY, REFUSALS
from kassa.bank.days import AMOUNTS, EXPIRIES, NOTHING_TAKEN, WORDS, Day
from kassa.bank.instruments import CardData, Scenario, Wallet
from tests.support.bank import MERCHANT_ID, SECRET, Bank, order_body
from tests.support.merchant import Merchant
from tests.support.waiting import until

NOWHERE = "http://127.0.0.1:9/notices"
GOOD = "5519283812030000"
GOOD_SECURE = "5123817234060000"
BAD = "4302912837020000"
HANGING = {Day.SILENT_BEFORE, Day.SILENT_AFTER, Day.DRIP}
BY_EXPIRY = {day: expiry for expiry, day in EXPIRIES.items()}
READ_AHEAD_BYTES = 16 * 1024 * 1024
"""More than two sockets' buffers can hold."""


async def call_for(bank: Bank, day: str | None, times: int = 1) -> None:
    async with bank.session.post(f"{bank.url}/days", json={"day": day, "times": times}) as answer:
        assert answer.status == 200, await answer.text()


async def to_come(bank: Bank) -> tuple[str | None, int]:
    async with bank.session.get(f"{bank.url}/days") as answer:
        document = await answer.json()
        return document["day"], document["times"]


async def put(bank: Bank, path: str, body: Any) -> aiohttp.ClientResponse:
    authorization = aiohttp.encode_basic_auth(MERCHANT_ID, SECRET)
    return await bank.session.put(bank.url + path, json=body, headers={"Authorization": authorization})


async def give_up_on(bank: Bank, order: str, day: Day) -> None:
    """Place an order, and hang up as soon as the bank has it in hand."""
    body = order_body(NOWHERE, expiry=BY_EXPIRY[day])
    placing = asyncio.create_task(put(bank, f"/purchases/{order}", body))

    async def booked() -> bool:
        return (await bank.call("GET", f"/purchases/{order}"))[0] == 200

    if day is Day.DRIP:
        answer = await placing
        assert await answer.content.readexactly(1) == b" "
        assert not answer.content.at_eof()
        answer.close()
        return
    if day is Day.SILENT_AFTER:
        await until(booked, what="the bank to book it")
    placing.cancel()
    await asyncio.gather(placing, return_exceptions=True)


@pytest.mark.parametrize("day", Day)
async def test_whatever_the_bank_answers_it_tells_the_truth_when_asked(bank: Bank, day: Day) -> None:
    if day in HANGING:
        await give_up_on(bank, "pay_1", day)
    else:
        answer = await put(bank, "/purchases/pay_1", order_body(NOWHERE, expiry=BY_EXPIRY[day]))
        assert answer.status == {Day.FAILS_BEFORE: 503, Day.FAILS_AFTER: 500}.get(day, 200)
        answer.close()
    status, asked = await bank.call("GET", "/purchases/pay_1")
    _, statement = await bank.call("GET", "/statement")
    if day in NOTHING_TAKEN:
        assert (status, statement["lines"]) == (404, [])
        return
    taken = {Day.OTHER_AMOUNT: (500, "EUR"), Day.OTHER_CURRENCY: (1000, "USD")}.get(day, (1000, "EUR"))
    assert (asked["state"], asked["amount"], asked["currency"]) == ("APPROVED", *taken)
    assert [(line["amount"], line["currency"]) for line in statement["lines"]] == [taken]


async def test_the_late_truth_is_a_lie_first(bank: Bank, merchant: Merchant) -> None:
    told = await bank.place("pay_1", notify_url=merchant.url, expiry=BY_EXPIRY[Day.LATE_TRUTH])
    assert (told["state"], told["response"]["code"], told["rrn"]) == ("REFUSED", "05", None)
    notices = await merchant.wait_for_count(1)
    assert notices[0].document == {
        "event": "purchase.approved",
        "purchase": (await bank.call("GET", "/purchases/pay_1"))[1],
    }


@pytest.mark.parametrize("day", [Day.OTHER_AMOUNT, Day.OTHER_CURRENCY])
async def test_an_order_that_was_taken_otherwise_is_still_the_same_order(bank: Bank, day: Day) -> None:
    first = await bank.place("pay_1", notify_url=NOWHERE, expiry=BY_EXPIRY[day])
    assert await bank.place("pay_1", notify_url=NOWHERE, expiry=BY_EXPIRY[day]) == first


async def test_of_a_huge_answer_no_more_is_sent_than_is_read(bank: Bank) -> None:
    answer = await put(bank, "/purchases/pay_1", order_body(NOWHERE, expiry=BY_EXPIRY[Day.HUGE]))
    assert len(await answer.content.readexactly(1024)) == 1024
    answer.close()

    async def sent() -> int:
        async with bank.session.get(f"{bank.url}/days") as told:
            return int((await told.json())["huge_bytes_sent"])

    assert 1024 <= await until(sent, what="the bank to have sent some") < READ_AHEAD_BYTES < HUGE_BYTES


@pytest.mark.parametrize(
    "day, events",
    [
        (Day.NOTICE_REPEATED, ["purchase.approved"] * 10),
        (Day.NOTICE_LATE, ["purchase.approved"]),
        (Day.NOTICE_REORDERED, ["purchase.approved", "purchase.processing"]),
    ],
)
async def test_notices_come_as_the_day_has_them(bank: Bank, merchant: Merchant, day: Day, events: list[str]) -> None:
    await bank.place("pay_1", notify_url=merchant.url, expiry=BY_EXPIRY[day])
    notices = await merchant.wait_for_count(len(events))
    assert [notice.document["event"] for notice in notices] == events


async def test_an_early_notice_is_there_before_the_answer(bank: Bank, merchant: Merchant) -> None:
    merchant.open.clear()
    placing = asyncio.create_task(bank.place("pay_1", notify_url=merchant.url, expiry=BY_EXPIRY[Day.NOTICE_EARLY]))
    await merchant.wait_for_count(1)
    # The bank does not answer before its message has been taken.
    assert (await bank.call("GET", "/purchases/pay_1"))[1]["state"] == "APPROVED"
    assert not placing.done()
    merchant.open.set()
    assert (await placing)["state"] == "APPROVED"


async def test_a_lost_notice_does_not_come(bank: Bank, merchant: Merchant) -> None:
    await bank.place("pay_1", notify_url=merchant.url, expiry=BY_EXPIRY[Day.NOTICE_LOST])
    await bank.place("pay_2", notify_url=merchant.url)
    notices = await merchant.wait_for_count(1)
    assert [notice.document["purchase"]["order"] for notice in notices] == ["pay_2"]


async def test_a_forged_notice_claims_a_success_and_is_not_signed_by_the_bank(bank: Bank, merchant: Merchant) -> None:
    await bank.place("pay_1", notify_url=merchant.url, number=GOOD_SECURE, expiry=BY_EXPIRY[Day.NOTICE_FORGED])
    (notice,) = await merchant.wait_for_count(1)
    assert notice.document["event"] == "purchase.approved"
    assert (await bank.call("GET", "/purchases/pay_1"))[1]["state"] == "AUTHENTICATING"


async def test_a_day_that_is_called_for_comes_so_often_whatever_pays(bank: Bank) -> None:
    await call_for(bank, "fails_after", 2)
    for order in ("pay_1", "pay_2"):
        answer = await put(bank, f"/purchases/{order}", order_body(NOWHERE, wallet="qiwi"))
        assert answer.status == 500
    assert await to_come(bank) == (None, 0)
    assert (await bank.place("pay_3", notify_url=NOWHERE))["state"] == "APPROVED"


async def test_a_day_can_be_called_off(bank: Bank) -> None:
    await call_for(bank, "fails_after", 5)
    assert await to_come(bank) == ("fails_after", 5)
    await call_for(bank, "fails_after", 0)
    assert await to_come(bank) == (None, 0)


@pytest.mark.parametrize(
    "body", ['{"day": "rainy"}', '{"day": "drip", "times": -1}', '{"day": "drip", "times": 1001}', "[]", "{"]
)
async def test_there_are_no_other_days(bank: Bank, body: str) -> None:
    async with bank.session.post(f"{bank.url}/days", data=body) as answer:
        assert answer.status == 400
    assert await to_come(bank) == (None, 0)


async def test_the_desk_calls_for_days_too(bank: Bank) -> None:
    async with bank.session.post(
        f"{bank.url}/desk/days", data={"day": "drip", "times": "3"}, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
    _, _, page = await bank.visit("/")
    assert "The next 3 requests: drip." in page
    assert all(f'value="{day}"' in page for day in Day)
    async with bank.session.post(f"{bank.url}/desk/days", data={"day": "drip", "times": "many"}) as answer:
        assert answer.status == 400
    async with bank.session.post(f"{bank.url}/desk/days", data={"day": "", "times": "1"}) as answer:
        assert answer.status == 200
    assert await to_come(bank) == (None, 0)


async def test_a_refund_goes_badly_once_and_is_found_when_it_is_asked_for_again(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    await call_for(bank, "fails_after")
    refund = {"amount": 1000, "currency": "EUR"}
    assert (await put(bank, "/purchases/pay_1/refunds/ref_1", refund)).status == 500
    status, given = await bank.call("PUT", "/purchases/pay_1/refunds/ref_1", refund)
    assert (status, given["state"]) == (200, "APPROVED")
    _, statement = await bank.call("GET", "/statement")
    assert [line["kind"] for line in statement["lines"]] == ["PURCHASE", "REFUND"]


async def test_a_day_that_no_refund_can_have_waits_for_an_order(bank: Bank) -> None:
    await bank.place("pay_1", notify_url=NOWHERE)
    await call_for(bank, "late_truth")
    _, given = await bank.call("PUT", "/purchases/pay_1/refunds/ref_1", {"amount": 1000, "currency": "EUR"})
    assert given["state"] == "APPROVED"
    assert await to_come(bank) == ("late_truth", 1)


def test_each_day_has_words_an_expiry_date_and_an_amount_of_its_own() -> None:
    assert set(WORDS) == set(EXPIRIES.values()) == set(AMOUNTS.values()) == set(Day)
    assert not {PENDING_EXPIRY, *REFUSALS} & set(EXPIRIES)
    assert (EXPIRIES["01/66"], EXPIRIES["12/66"], EXPIRIES["01/67"]) == (
        Day.SILENT_BEFORE,
        Day.NOTICE_LATE,
        Day.NOTICE_REORDERED,
    )


@pytest.mark.parametrize(
    "instrument, amount, day",
    [
        (CardData(number=GOOD, expiry="05/66"), 1000, Day.GARBAGE),
        (CardData(number=GOOD_SECURE, expiry="05/66"), 66601, Day.GARBAGE),
        (CardData(number=BAD, expiry="05/66"), 1000, None),
        (CardData(number=BAD, expiry="05/66"), 66601, Day.SILENT_BEFORE),
        (CardData(number=GOOD, expiry="12/30"), 1000, None),
        (Wallet(code="qiwi"), 66616, Day.NOTICE_EARLY),
        (Scenario(name="pending"), 66617, None),
    ],
)
def test_a_card_or_an_amount_chooses_the_day(
    instrument: CardData | Wallet | Scenario, amount: int, day: Day | None
) -> None:
    assert days.chosen(instrument, amount) is day


@pytest.mark.parametrize(
    "day, asked, taken",
    [
        (Day.OTHER_AMOUNT, (1001, "EUR"), (500, "EUR")),
        (Day.OTHER_AMOUNT, (1, "JPY"), (2, "JPY")),
        (Day.OTHER_CURRENCY, (1000, "EUR"), (1000, "USD")),
        (Day.OTHER_CURRENCY, (1000, "USD"), (1000, "EUR")),
        (Day.GARBAGE, (1000, "USD"), (1000, "USD")),
        (None, (1, "USD"), (1, "USD")),
    ],
)
def test_what_is_taken_differs_on_two_days(day: Day | None, asked: tuple[int, str], taken: tuple[int, str]) -> None:
    assert days.taken(day, *asked) == taken
