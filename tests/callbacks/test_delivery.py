"""One try after another against real servers, on a real database."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from standardwebhooks import Webhook

from kassa.accounts import operations as accounts
from kassa.accounts.model import NewAccount
from kassa.callbacks import model, signing
from kassa.callbacks.delivery import Delivery
from kassa.callbacks.model import Claim
from kassa.config import Settings
from kassa.observability.metrics import registry
from kassa.platform import Platform
from kassa.work.jobs import CALLBACKS
from tests.support import platform as platforms
from tests.support import working
from tests.support.callbacks import BODY, enqueue
from tests.support.certificates import certificate, tls
from tests.support.listener import Listen
from tests.support.merchant import Merchant, Received
from tests.support.platform import new_account
from tests.support.postgres import Database
from tests.support.waiting import until


async def claim(platform: Platform, made: NewAccount, *, test_mode: bool = True) -> Claim:
    now = platform.clock.now(test_mode=test_mode)
    (taken,) = await working.taken(platform.pool, Delivery(platform), made.account.account_id, now, test_mode=test_mode)
    return taken


async def deliver(platform: Platform, made: NewAccount, *, test_mode: bool = True) -> Mapping[str, Any]:
    """Make one try of the one callback that is due, and return its row."""
    taken = await claim(platform, made, test_mode=test_mode)
    await Delivery(platform).run(taken)
    row = await platform.pool.fetchrow("SELECT * FROM callbacks WHERE callback_id = $1", taken.callback_id)
    assert row is not None
    return dict(row)


def verify(received: Received, key: str) -> None:
    Webhook(key.encode()).verify(received.body, dict(received.headers))
    assert received.headers["X-Signature"] == signing.envelope(key, received.body)


@pytest.mark.parametrize("test_mode", [True, False])
async def test_a_merchant_gets_the_bytes_with_both_signatures_of_the_mode(
    platform: Platform, merchant: Merchant, *, test_mode: bool
) -> None:
    made = await new_account(platform)
    await enqueue(platform, made, merchant.url, test_mode=test_mode)
    row = await deliver(platform, made, test_mode=test_mode)
    (received,) = merchant.received
    assert (received.method, received.path, received.body) == ("POST", "/callbacks", BODY)
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["webhook-id"] == row["callback_id"]
    verify(received, made.keys.private_key_test if test_mode else made.keys.private_key_live)
    assert (row["status"], row["response_code"], row["failure"], row["due_at"]) == ("done", 200, None, None)


async def test_each_try_carries_the_same_id_and_bytes_and_the_real_time(platform: Platform, merchant: Merchant) -> None:
    made = await new_account(platform)
    platform.clock.test_offset = timedelta(days=30)
    merchant.answers.extend([500, 200])
    await enqueue(platform, made, merchant.url)
    row = await deliver(platform, made)
    assert (row["status"], row["response_code"], row["failure"]) == ("pending", 500, "status")
    assert row["due_at"] - row["tried_at"] == timedelta(minutes=1)
    platform.clock.test_offset += timedelta(minutes=1)
    assert (await deliver(platform, made))["status"] == "done"
    first, second = merchant.received
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    for received in (first, second):
        verify(received, made.keys.private_key_test)


async def test_while_a_key_is_replaced_both_keys_verify(platform: Platform, merchant: Merchant) -> None:
    made = await new_account(platform)
    newer = await accounts.roll_key(
        platform.pool,
        platform.root,
        platform.clock,
        account_id=made.account.account_id,
        kind="private",
        test_mode=True,
        by="ann",
    )
    await enqueue(platform, made, merchant.url)
    await deliver(platform, made)
    (received,) = merchant.received
    verify(received, newer.text)
    Webhook(made.keys.private_key_test.encode()).verify(received.body, dict(received.headers))


async def test_retries_end_where_the_account_says(platform: Platform, merchant: Merchant) -> None:
    made = await new_account(platform, callback_retries="2")
    merchant.answers.extend([500, 404, 503, 200])
    await enqueue(platform, made, merchant.url)
    tried = []
    for minutes in (1, 2, 0):
        row = await deliver(platform, made)
        tried.append((row["status"], row["response_code"]))
        platform.clock.test_offset += timedelta(minutes=minutes)
    assert tried == [("pending", 500), ("pending", 404), ("failed", 503)]
    platform.clock.test_offset += timedelta(days=10)
    assert await working.due(platform.pool, Delivery(platform), platform.clock.now(test_mode=True)) == []
    assert len(merchant.received) == 3


async def test_an_address_that_says_it_is_gone_is_tried_again_as_any_other(
    platform: Platform, merchant: Merchant
) -> None:
    made = await new_account(platform)
    merchant.answers.append(410)
    await enqueue(platform, made, merchant.url)
    row = await deliver(platform, made)
    assert (row["status"], row["response_code"]) == ("pending", 410)
    assert row["due_at"] - row["tried_at"] == timedelta(minutes=1)


async def test_the_tries_are_among_the_numbers_that_an_operator_reads(platform: Platform, merchant: Merchant) -> None:
    labels = {"outcome": "delivered", "cause": "none"}
    before = registry.get_sample_value("kassa_callback_requests_total", labels) or 0
    made = await new_account(platform)
    await enqueue(platform, made, merchant.url)
    await deliver(platform, made)
    assert registry.get_sample_value("kassa_callback_requests_total", labels) == before + 1


async def test_a_busy_endpoint_may_ask_for_twice_the_delay(platform: Platform, listen: Listen) -> None:
    made = await new_account(platform)
    server = await listen(b"HTTP/1.1 429 Slow\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n")
    await enqueue(platform, made, server.url)
    row = await deliver(platform, made)
    assert row["due_at"] - row["tried_at"] == timedelta(seconds=90)


async def test_a_redirect_is_a_failure_and_is_not_followed(
    platform: Platform, merchant: Merchant, listen: Listen
) -> None:
    made = await new_account(platform)
    server = await listen(f"HTTP/1.1 307 Go\r\nLocation: {merchant.url}\r\nContent-Length: 0\r\n\r\n".encode())
    await enqueue(platform, made, server.url)
    row = await deliver(platform, made)
    assert (row["status"], row["response_code"], row["failure"]) == ("pending", 307, "status")
    assert merchant.received == []


async def test_an_answer_of_any_size_is_a_delivery(platform: Platform, listen: Listen) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not reader.at_eof():
            writer.write(bytes(16384))
            await writer.drain()

    made = await new_account(platform)
    server = await listen(endless)
    await enqueue(platform, made, server.url)
    assert (await deliver(platform, made))["status"] == "done"


async def test_silence_ends_with_the_time_that_the_mode_allows(
    platform: Platform, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "TEST_TRY_SECONDS", 0.2)
    made = await new_account(platform)
    merchant.open.clear()
    await enqueue(platform, made, merchant.url)
    row = await deliver(platform, made)
    assert (row["status"], row["response_code"], row["failure"]) == ("pending", None, "timeout")


async def test_nobody_listening_and_an_unproven_server_are_told_apart_for_the_operator(
    platform: Platform, listen: Listen, tmp_path: Path
) -> None:
    unproven = await listen(b"HTTP/1.1 200 OK\r\n\r\n", tls=tls(certificate(tmp_path)))
    for url, failure in (("http://127.0.0.1:9/", "connection"), (unproven.url, "tls")):
        made = await new_account(platform)
        await enqueue(platform, made, url)
        row = await deliver(platform, made)
        assert (row["status"], row["response_code"], row["failure"]) == ("pending", None, failure)


async def test_without_demo_mode_the_loopback_is_refused(database: Database, merchant: Merchant) -> None:
    port = str(urlsplit(merchant.url).port)
    settings = Settings(base_url="http://base.test", gate_url="http://gate.test", outbound_ports=port)
    async with platforms.opened(database, settings) as platform:
        made = await new_account(platform)
        await enqueue(platform, made, merchant.url)
        row = await deliver(platform, made)
    assert (row["status"], row["response_code"], row["failure"]) == ("pending", None, "address refused")
    assert merchant.received == []


async def test_plain_http_is_for_test_mode_alone(
    database: Database, merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No machine of a test has a public address, so the loopback plays one.
    monkeypatch.setattr("kassa.outbound.addresses.is_public", lambda address: address.is_loopback)
    port = str(urlsplit(merchant.url).port)
    settings = Settings(base_url="http://base.test", gate_url="http://gate.test", outbound_ports=port)
    async with platforms.opened(database, settings) as platform:
        for test_mode, expected in ((True, ("done", None)), (False, ("pending", "address refused"))):
            made = await new_account(platform)
            await enqueue(platform, made, merchant.url, test_mode=test_mode)
            row = await deliver(platform, made, test_mode=test_mode)
            assert (row["status"], row["failure"]) == expected
    assert len(merchant.received) == 1


async def test_an_account_without_a_private_key_sends_nothing_unsigned(platform: Platform, merchant: Merchant) -> None:
    made = await new_account(platform)
    await enqueue(platform, made, merchant.url)
    await platform.pool.execute(
        "UPDATE api_keys SET revoked_at = created_at WHERE kind = 'private' AND account_id = $1",
        made.account.account_id,
    )
    row = await deliver(platform, made)
    assert (row["status"], row["failure"]) == ("pending", "no private key")
    assert merchant.received == []


async def test_a_try_that_takes_long_keeps_its_claim(platform: Platform, merchant: Merchant) -> None:
    class Eager(Delivery):
        queue = msgspec.structs.replace(CALLBACKS, renew_seconds=0.01)  # type: ignore[misc]  # the same, more often

    made = await new_account(platform)
    merchant.open.clear()
    await enqueue(platform, made, merchant.url)
    async with working.working(platform, Eager(platform)):
        await merchant.wait_for_count(1)
        platform.clock.test_offset += working.lease(Delivery.queue) - timedelta(seconds=1)
        before = await platform.pool.fetchval("SELECT due_at FROM callbacks")

        async def moved() -> bool:
            return bool(await platform.pool.fetchval("SELECT due_at > $1 FROM callbacks", before))

        await until(moved)
        merchant.open.set()

        async def done() -> bool:
            return bool(await platform.pool.fetchval("SELECT status = 'done' FROM callbacks"))

        await until(done)
    assert len(merchant.received) == 1
