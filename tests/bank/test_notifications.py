import asyncio
import hashlib
import hmac
import sqlite3
from pathlib import Path

import pytest

from kassa.bank.notifications import RETRY_SECONDS
from kassa.clock import Clock
from tests.support import bank as banks
from tests.support import merchant as merchants
from tests.support.bank import MERCHANT_ID, SECRET, Bank
from tests.support.merchant import Merchant, Received
from tests.support.waiting import until


def signed(notice: Received) -> bool:
    text = f"{notice.headers['Bank-Notification-Id']}.{notice.headers['Bank-Timestamp']}.".encode() + notice.body
    right = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
    return notice.headers["Bank-Signature"] == right


async def test_a_final_state_is_told_at_once_and_signed(bank: Bank, merchant: Merchant) -> None:
    approved = await bank.place("pay_1", notify_url=merchant.url)
    refused = await bank.place("pay_2", notify_url=merchant.url, number="4302912837020000")
    notices = await merchant.wait_for_count(2)
    received = {notice.document["purchase"]["order"]: notice.document for notice in notices}
    assert received == {
        "pay_1": {"event": "purchase.approved", "purchase": approved},
        "pay_2": {"event": "purchase.refused", "purchase": refused},
    }
    assert all(map(signed, notices))
    now = Clock.real().timestamp()
    assert all(abs(int(notice.headers["Bank-Timestamp"]) - now) <= 5 for notice in notices)


async def test_only_the_last_word_is_told(bank: Bank, merchant: Merchant) -> None:
    secure = await bank.place("pay_1", notify_url=merchant.url, number="5123817234060000", expiry="07/77")
    await bank.decide(secure["authentication"]["path"], "abandon")
    await bank.decide(secure["authentication"]["path"], "approve")
    assert merchant.received == []
    async with bank.session.post(f"{bank.url}/desk/{MERCHANT_ID}/pay_1", data={"decision": "approve"}) as answer:
        assert answer.status == 200
    notices = await merchant.wait_for_count(1)
    _, settled = await bank.call("GET", "/purchases/pay_1")
    assert [notice.document for notice in notices] == [{"event": "purchase.approved", "purchase": settled}]


async def test_a_notice_that_is_not_taken_comes_again_with_the_same_id(bank: Bank, merchant: Merchant) -> None:
    merchant.answers.extend([500, 302])
    await bank.place("pay_1", notify_url=merchant.url)
    notices = await merchant.wait_for_count(3)
    assert len({notice.headers["Bank-Notification-Id"] for notice in notices}) == 1
    assert len({notice.body for notice in notices}) == 1
    assert all(map(signed, notices))


async def test_a_notice_that_hangs_holds_up_nothing_else(bank: Bank, merchant: Merchant) -> None:
    merchant.open.clear()
    async with asyncio.timeout(60), merchants.listening() as other:
        await bank.place("pay_1", notify_url=merchant.url)
        await merchant.wait_for_count(1)
        placed = await bank.place("pay_2", notify_url=other.url)
        assert await bank.call("GET", "/purchases/pay_2") == (200, placed)
        await other.wait_for_count(1)
        assert len(merchant.received) == 1


async def test_what_was_not_told_before_a_stop_is_told_after_the_start(tmp_path: Path, merchant: Merchant) -> None:
    merchant.open.clear()
    async with banks.running(tmp_path) as bank:
        await bank.place("pay_1", notify_url=merchant.url)
        await merchant.wait_for_count(1)
    merchant.open.set()
    async with banks.running(tmp_path):
        first, again = await merchant.wait_for_count(2)
        assert first.headers["Bank-Notification-Id"] == again.headers["Bank-Notification-Id"]


async def test_after_the_last_try_the_bank_gives_up(tmp_path: Path, merchant: Merchant) -> None:
    async with banks.running(tmp_path) as bank:
        merchant.answers.append(500)
        await bank.place("pay_1", notify_url=merchant.url)
        await merchant.wait_for_count(1)
        books = sqlite3.connect(tmp_path / "bank" / "books.sqlite3", isolation_level=None)
        await until(lambda: books.execute("SELECT 1 FROM notifications WHERE tries = 1").fetchone())
        books.execute("UPDATE notifications SET tries = ?", (len(RETRY_SECONDS),))
        merchant.answers.append(500)
        given_up = "SELECT 1 FROM notifications WHERE tries = ? AND due_at IS NULL AND delivered_at IS NULL"
        await until(lambda: books.execute(given_up, (len(RETRY_SECONDS) + 1,)).fetchone())
        books.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/notices", "http://nowhere.invalid/notices"])
async def test_an_address_that_is_not_there_does_no_harm(bank: Bank, merchant: Merchant, url: str) -> None:
    await bank.place("pay_1", notify_url=url)
    await bank.place("pay_2", notify_url=merchant.url)
    notices = await merchant.wait_for_count(1)
    assert notices[0].document["purchase"]["order"] == "pay_2"
