"""``kassa callbacks`` and ``kassa listen``: a merchant finds out why a callback failed, and sees the next one come."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import command
from tests.support import office as offices
from tests.support.api import Client
from tests.support.command import Ran
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Serving
from tests.support.waiting import until

Kassa = Callable[..., Awaitable[Ran]]


@pytest.fixture
async def office(serving_kassa: Serving) -> AsyncIterator[Office]:
    """The operator of the running Kassa."""
    async with offices.opened(serving_kassa) as opened:
        yield opened


@pytest.fixture
def kassa(serving_kassa: Serving) -> Kassa:
    """Run commands in the running Kassa's home."""

    async def run(*words: str) -> Ran:
        return await command.run(*words, environment={"KASSA_HOME": str(serving_kassa.folder / "home")})

    return run


@asynccontextmanager
async def listening(serving: Serving, *words: str) -> AsyncIterator[tuple[Process, str]]:
    """Run ``kassa listen`` and return it with its first line; it ends well when it is told to."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kassa", "listen", *words),
        env={"KASSA_HOME": str(serving.folder / "home"), "PYTHONUNBUFFERED": "1"},
        stdout=PIPE,
    )
    try:
        yield process, await line(process)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 30)).decode()


async def failed_callback(office: Office, kassa: Kassa, merchant: Merchant) -> tuple[Client, dict[str, Any]]:
    """Return an account with a callback whose first try was answered with 500."""
    shop = await office.account(callback_url=merchant.url)
    merchant.answers.append(500)
    assert (await shop.create()).status == 201
    await merchant.wait_for_count(1)

    async def told() -> dict[str, Any] | None:
        rows: Any = (await kassa("callbacks", "list", "-a", shop.keys.id, "--failed", "--json")).document()
        return rows[0] if rows else None

    await until(told, what="the failure on the list")
    return shop, await told() or {}


async def test_why_a_callback_failed_is_told_and_it_is_sent_again_elsewhere(
    office: Office, kassa: Kassa, merchant: Merchant
) -> None:
    shop, row = await failed_callback(office, kassa, merchant)
    assert (row["status"], row["tries"], row["failure"], row["response_code"]) == ("pending", 1, "status", 500)
    shown = await kassa("callbacks", "list", "-a", shop.keys.id, "--invoice", row["invoice_id"])
    assert "status 500" in shown.out
    assert shown.out.splitlines()[1].endswith(merchant.url)
    other = await kassa("callbacks", "list", "-a", shop.keys.id, "--invoice", "cpi_Nobo000000000000", "--json")
    assert other.document() == []
    sent = await kassa("callbacks", "resend", row["callback_id"], "--url", f"{merchant.url}/other")
    assert (sent.status, sent.out) == (0, f"{row['callback_id']} is sent again.\n")
    first, second = await merchant.wait_for_count(2)
    assert (second.path, second.body) == (f"{first.path}/other", first.body)
    assert second.headers["webhook-id"] == first.headers["webhook-id"] == row["callback_id"]

    async def none_failed() -> bool:
        return (await kassa("callbacks", "list", "-a", shop.keys.id, "--failed", "--json")).document() == []

    await until(none_failed, what="the delivery on the list")
    again = await kassa("callbacks", "resend", row["callback_id"])
    assert again.status == 0
    assert (await merchant.wait_for_count(3))[2].path == second.path


async def test_what_cannot_be_sent_again_is_told(office: Office, kassa: Kassa, merchant: Merchant) -> None:
    _, row = await failed_callback(office, kassa, merchant)
    for words, told in (
        (["msg_Nobo000000000000"], "There is no callback msg_Nobo000000000000.\n"),
        (["non\x1bsense"], "There is no callback non?sense.\n"),
        ([row["callback_id"], "--url", "ftp://shop.example"], "url: This address should begin with https://"),
        ([row["callback_id"], "--url", "https://10.0.0.1/"], "url: "),
    ):
        ran = await kassa("callbacks", "resend", *words)
        assert (ran.status, ran.out, ran.err[: len(told)]) == (1, "", told)
    unknown = await kassa("callbacks", "list", "-a", "coma_Nobo000000000000")
    assert unknown.err == "There is no account coma_Nobo000000000000: kassa accounts list shows those that there are.\n"
    none = await kassa("callbacks", "list", "--invoice", "foo")
    assert (none.status, none.err) == (1, "There is no invoice foo.\n")


async def test_listen_prints_each_callback_and_gives_the_address_back(
    office: Office, serving_kassa: Serving, kassa: Kassa, merchant: Merchant
) -> None:
    shop = await office.account(callback_url=merchant.url)
    async with listening(serving_kassa, shop.keys.id) as (process, first):
        url = next(word for word in first.split() if word.startswith("http://127.0.0.1:"))
        assert first == f"Callbacks of {shop.keys.id} come to {url} until Ctrl-C, then to {merchant.url} again.\n"
        reference = (await shop.create(amount=12.5)).attributes["reference_id"]
        told = (await line(process)).split("  ", 1)[1]
        assert told == f"process_pending  {reference}  12.5 USD  signature ok  → 200\n"
        forged = {"status": "processed", "resolution": "ok", "reference_id": "r\x1b[2J", "amount": 1}
        attributes = {**forged, "currency": "USD", "test_mode": True}
        async with office.session.post(url, json={"data": {"id": "cpi_x", "attributes": attributes}}) as answer:
            assert answer.status == 401
        assert (await line(process)).split("  ", 1)[1] == "processed  r?[2J  1 USD  SIGNATURE WRONG  → 401\n"
    after: Any = (await kassa("accounts", "show", shop.keys.id, "--json")).document()
    assert after["callback_url"] == merchant.url
    assert merchant.received == []


async def test_listen_passes_a_callback_on_and_answers_as_it_was_answered(
    office: Office, serving_kassa: Serving, merchant: Merchant
) -> None:
    shop = await office.account()
    merchant.answers.append(503)
    async with listening(serving_kassa, shop.keys.id, "--forward-to", merchant.url) as (process, first):
        assert first.endswith("until Ctrl-C, then to nobody again.\n")
        assert (await shop.create()).status == 201
        assert (await line(process)).endswith("signature ok  → 503\n")
        (passed,) = await merchant.wait_for_count(1)
        signed = ("X-Signature", "webhook-id", "webhook-timestamp", "webhook-signature")
        assert all(name in passed.headers for name in signed)


async def test_listen_without_a_demo_account_wants_one_named(folders: Callable[[], Path]) -> None:
    ran = await command.run("listen", environment={"KASSA_HOME": str(folders())})
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "ACCOUNT: This value should be an account's id: this home has no demo account.\n"
