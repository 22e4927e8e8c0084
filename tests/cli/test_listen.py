"""``kassa listen``: callbacks as they come, beside the account's own endpoint, with a home or with a key alone."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kassa.clock import Clock
from kassa.demo.inbox import genuine
from tests.support import command
from tests.support import office as offices
from tests.support.api import Client
from tests.support.merchant import Merchant
from tests.support.office import Office
from tests.support.serving import Serving
from tests.support.waiting import until

SIGNED = ("X-Signature", "webhook-id", "webhook-timestamp", "webhook-signature")


@pytest.fixture
async def office(serving_kassa: Serving) -> AsyncIterator[Office]:
    """The operator of the running Kassa."""
    async with offices.opened(serving_kassa) as opened:
        yield opened


@asynccontextmanager
async def listening(*words: str, **environment: str) -> AsyncIterator[tuple[Process, str]]:
    """Run ``kassa listen`` and return it with its first line; it ends well when it is asked to."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kassa", "listen", *words),
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=PIPE,
        stderr=PIPE,
    )
    first = process.stderr if "--print-json" in words else process.stdout
    try:
        yield process, await line(first)
        if process.returncode is None:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    return (await asyncio.wait_for(stream.readline(), 60)).decode()


def home(serving: Serving) -> str:
    return str(serving.folder / "home")


def key(shop: Client) -> str:
    return f"{shop.keys.id}:{shop.keys.api_key}"


async def test_with_a_key_alone_callbacks_are_listened_to_beside_the_endpoint(
    office: Office, serving_kassa: Serving, merchant: Merchant, tmp_path: Path
) -> None:
    shop = await office.account(callback_url=merchant.url)
    environment = {"KASSA_HOME": str(tmp_path / "none"), "KASSA_API_KEY": key(shop)}
    async with listening("--api", serving_kassa.served.base_url, **environment) as (process, first):
        assert first == (
            f"Listening to {shop.keys.id} in test mode until Ctrl-C. Its own callback_url stays as it is.\n"
        )
        invoice = (await shop.create(amount=12.5)).data
        shown = (await line(process.stdout)).split("  ")
        (delivered,) = await merchant.wait_for_count(1)
        reference = invoice["attributes"]["reference_id"]
        assert shown[1:] == [
            delivered.headers["webhook-id"],
            invoice["id"],
            "process_pending",
            reference,
            "12.5 USD\n",
        ]
        assert shop.keys.api_key not in str(shown)
    assert not (tmp_path / "none").exists()
    (row,) = await office.fetch("SELECT callback_url FROM accounts WHERE account_id = $1", shop.keys.id)
    assert row["callback_url"] == merchant.url


async def test_callbacks_are_passed_on_as_they_were_signed(
    office: Office, serving_kassa: Serving, merchant: Merchant
) -> None:
    shop = await office.account()
    merchant.answers.append(503)
    words = ("-a", shop.keys.id, "--forward-to", merchant.url)
    async with listening(*words, KASSA_HOME=home(serving_kassa)) as (process, _):
        assert (await shop.create()).status == 201
        assert (await line(process.stdout)).endswith("  → 503\n")
        (passed,) = await merchant.wait_for_count(1)
        assert all(name in passed.headers for name in SIGNED)
        headers = {name.lower(): value for name, value in passed.headers.items()}
        assert genuine(headers, passed.body, keys=[shop.keys.private_key_test], now=Clock.real())
    assert await office.fetch("SELECT * FROM callbacks WHERE account_id = $1", shop.keys.id) == []


async def test_bodies_are_printed_and_chosen_by_status_and_invoice(office: Office, serving_kassa: Serving) -> None:
    shop = await office.account()
    invoice = (await shop.create()).data
    words = ("-a", shop.keys.id, "--print-json", "--status", "processed", "--invoice", invoice["id"])
    async with listening(*words, KASSA_HOME=home(serving_kassa)) as (process, _):
        environment = {"KASSA_HOME": home(serving_kassa)}
        other = (await shop.create()).data
        for each in (other, invoice):
            assert (await command.run("trigger", "paid", each["id"], environment=environment)).status == 0
        printed = json.loads(await line(process.stdout))["data"]
        assert (printed["id"], printed["attributes"]["status"]) == (invoice["id"], "processed")
        assert f"  {invoice['id']}  processed  " in await line(process.stderr)


async def test_killed_it_leaves_an_expired_row_which_the_worker_deletes(office: Office, serving_kassa: Serving) -> None:
    shop = await office.account()
    async with listening("-a", shop.keys.id, KASSA_HOME=home(serving_kassa)) as (process, _):
        process.kill()
        await process.wait()
    assert (await shop.create()).status == 201
    await office.owner.execute(
        "UPDATE callback_listeners SET leased_until = now() - interval '1 s' WHERE account_id = $1", shop.keys.id
    )

    async def is_clean() -> bool:
        left = "SELECT 1 FROM {} WHERE account_id = $1"
        tables = ("callback_listeners", "callback_copies", "callbacks")
        return not any([await office.fetch(left.format(table), shop.keys.id) for table in tables])

    await until(is_clean, what="the worker to delete the lease and its copies")


async def test_a_lease_that_ended_is_followed_by_another(office: Office, serving_kassa: Serving) -> None:
    shop = await office.account()
    async with listening("-a", shop.keys.id, KASSA_HOME=home(serving_kassa)) as (process, _):
        await office.owner.execute("DELETE FROM callback_listeners WHERE account_id = $1", shop.keys.id)
        assert await line(process.stderr) == "The lease had ended: callbacks of the meantime were not copied.\n"
        invoice = (await shop.create()).data
        assert invoice["id"] in await line(process.stdout)


async def test_live_callbacks_are_another_modes(office: Office, serving_kassa: Serving) -> None:
    async with listening(KASSA_HOME=home(serving_kassa)) as (_, first):
        assert first.startswith(f"Listening to {serving_kassa.served.account.id} in test mode ")
    async with listening("--live", KASSA_HOME=home(serving_kassa)) as (_, first):
        assert " in live mode " in first


@pytest.mark.parametrize(
    "words,told",
    [
        (["--api", "https://pay.example"], "--key: An address is asked with a key"),
        (["--key", "coma_1"], "--key: This value should be ACCOUNT:KEY"),
        (["--key", "coma_1:k", "-a", "coma_2", "--api", "https://pay.example"], "--key: This value should be ACCOUNT"),
        (["--key", "coma_1:k"], "--api: No Kassa runs on this home, so name the address of one.\n"),
        (["--forward-to", "3000/hook"], "--forward-to: This address should begin with https:// or http://.\n"),
        (["--key", "coma_1:k", "--api", "http://pay.example"], "--api: This address should begin with https://"),
    ],
)
async def test_what_cannot_be_asked_is_refused(folders: Callable[[], Path], words: list[str], told: str) -> None:
    ran = await command.run("listen", *words, environment={"KASSA_HOME": str(folders())})
    assert (ran.status, ran.out, ran.err[: len(told)]) == (1, "", told)


async def test_what_answers_otherwise_is_named(office: Office, serving_kassa: Serving) -> None:
    shop = await office.account()
    environment = {"KASSA_HOME": home(serving_kassa)}
    wrong = await command.run("listen", "--key", f"{shop.keys.id}:nope", environment=environment)
    assert (wrong.status, wrong.err) == (1, "--key: The account does not have this API key.\n")
    bank = ("--api", str(serving_kassa.served.bank_url), "--key", key(shop))
    no_kassa = await command.run("listen", *bank, environment=environment)
    assert (no_kassa.status, "is --api a Kassa" in no_kassa.err) == (1, True)
