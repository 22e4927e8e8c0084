"""``kassa callbacks``: a merchant finds out why a callback failed, and has it sent again."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import command, serving
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
    assert re.fullmatch(rf"{row['callback_id']} → 200, \d+ ms\n", sent.out)
    assert sent.err == f"This and later tries go to {merchant.url}/other.\n"
    first, second = await merchant.wait_for_count(2)
    assert (second.path, second.body) == (f"{first.path}/other", first.body)
    assert second.headers["webhook-id"] == first.headers["webhook-id"] == row["callback_id"]

    async def none_failed() -> bool:
        return (await kassa("callbacks", "list", "-a", shop.keys.id, "--failed", "--json")).document() == []

    await until(none_failed, what="the delivery on the list")
    merchant.answers.append(503)
    again: Any = (await kassa("callbacks", "resend", row["callback_id"], "--json")).document()
    assert (again["response_code"], again["url"]) == (503, f"{merchant.url}/other")
    one: Any = (await kassa("callbacks", "show", row["callback_id"], "--json")).document()
    assert (one["callback_id"], one["tries"], one["failure"]) == (row["callback_id"], again["tries"], "status")
    people = await kassa("callbacks", "show", row["callback_id"])
    assert ["response_code", "503"] in [line.split() for line in people.out.splitlines()]
    assert (await merchant.wait_for_count(3))[2].path == second.path


async def test_what_cannot_be_sent_again_is_told(office: Office, kassa: Kassa, merchant: Merchant) -> None:
    _, row = await failed_callback(office, kassa, merchant)
    for words, told in (
        (
            ["msg_Nobo000000000000"],
            "There is no callback msg_Nobo000000000000: kassa callbacks list shows the last ones.\n",
        ),
        (["non\x1bsense"], "There is no callback non?sense: kassa callbacks list shows the last ones.\n"),
        ([row["callback_id"], "--url", "ftp://shop.example"], "url: This address should begin with https://"),
        ([row["callback_id"], "--url", "https://10.0.0.1/"], "url: "),
    ):
        ran = await kassa("callbacks", "resend", *words)
        assert (ran.status, ran.out, ran.err[: len(told)]) == (1, "", told)
    unknown = await kassa("callbacks", "list", "-a", "coma_Nobo000000000000")
    assert unknown.err == "There is no account coma_Nobo000000000000: kassa accounts list shows those that there are.\n"
    unseen = await kassa("callbacks", "show", "msg_Nobo000000000000")
    assert (unseen.status, unseen.err) == (
        1,
        "There is no callback msg_Nobo000000000000: kassa callbacks list shows the last ones.\n",
    )
    none = await kassa("callbacks", "list", "--invoice", "foo")
    assert (none.status, none.err) == (1, "There is no invoice foo: kassa invoices list shows the last ones.\n")


async def test_where_nothing_runs_a_callback_waits_for_a_worker(folder: Path, merchant: Merchant) -> None:
    async with serving.running(folder) as running, offices.opened(running) as office:
        shop = await office.account(callback_url=merchant.url)
        assert (await shop.create()).status == 201
        await office.told(shop)
        (row,) = await office.fetch("SELECT callback_id FROM callbacks WHERE account_id = $1", shop.keys.id)
    ran = await command.run("callbacks", "resend", row["callback_id"], environment={"KASSA_HOME": str(folder / "home")})
    assert (ran.status, ran.out) == (0, f"{row['callback_id']} → waiting\n")
    assert ran.err == "It waits for a worker, which kassa serve runs: it was not tried yet.\n"
