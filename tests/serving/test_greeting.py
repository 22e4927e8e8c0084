"""What ``kassa serve`` prints when it is ready."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kassa.accounts import queries
from kassa.serving import greeting
from tests.support import command
from tests.support.api import Client
from tests.support.postgres import Database
from tests.support.serving import Serving
from tests.support.shop import CARD_USD, made
from tests.support.waiting import until

WIDTH = 80
HEIGHT = 24


async def printed(serving: Serving) -> str:
    """Return what was printed, whole: the ready file is there a moment before."""
    log = serving.folder / "stdout.log"
    return await until(lambda: text if (text := log.read_text()).count("Ctrl-C") else "", what="the greeting")


async def test_it_fits_a_screen_with_room_for_the_cursor(serving_kassa: Serving) -> None:
    lines = (await printed(serving_kassa)).splitlines()
    assert len(lines) < HEIGHT
    assert [line for line in lines if len(line) > WIDTH] == []


async def test_every_address_that_it_prints_answers_a_browser(serving_kassa: Serving) -> None:
    addresses = re.findall(r"^  [A-Z].*  (http\S+)$", await printed(serving_kassa), re.MULTILINE)
    served = serving_kassa.served
    base = served.base_url
    assert addresses == [base, f"{base}/demo/shop", f"{base}/docs", served.bank_url, served.health_url]
    async with aiohttp.ClientSession(headers={"Accept": "text/html"}) as session:
        for address in addresses[:-1]:
            async with session.get(address) as answer:
                assert (answer.status, answer.content_type) == (200, "text/html")


async def test_without_a_terminal_it_is_plain_text(serving_kassa: Serving) -> None:
    text = await printed(serving_kassa)
    assert "\x1b" not in text
    assert "  Test card        5123 8172 3406 0000, any date, any code\n" in text


async def test_the_printed_command_prints_where_to_pay_however_often_it_is_run(serving_kassa: Serving) -> None:
    text = await printed(serving_kassa)
    words = text[text.index("curl -sS") :].split("\n\n", 1)[0]
    found = []
    for _ in range(2):
        shell = await asyncio.create_subprocess_exec("sh", "-c", words, stdout=asyncio.subprocess.PIPE)
        out, _ = await shell.communicate()
        found.append(out.decode())
    [address] = found[0].splitlines()
    assert found[1] == found[0]
    served = serving_kassa.served
    assert address.startswith(f"{served.gate_url}/hpp/cgi_")
    async with aiohttp.ClientSession() as session:
        client = Client(session, served.base_url, served.account)
        [invoice] = (await client.call("GET", "/api/payment-invoices?filter%5Breference_id%5D=order-1")).data
        assert invoice["attributes"]["flow_data"]["action"] == address
        async with session.get(address) as answer:
            assert "$12.50" in await answer.text()


async def greeted(folder: Path, environment: Mapping[str, str]) -> str:
    """Start Kassa without the demo, and return what it prints until it is ready."""
    out, ready = folder / "out.log", folder / "ready.json"
    with out.open("wb") as stdout:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kassa", "serve", "--port", "0", "--ready-file", str(ready)),
            env={**os.environ, "KASSA_DRAIN_SECONDS": "0", **environment},
            stdout=stdout,
            stderr=asyncio.subprocess.DEVNULL,
        )
    try:
        await until(lambda: "Ctrl-C" in out.read_text() or process.returncode is not None, what="the start")
    finally:
        if process.returncode is None:
            process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    return out.read_text()


async def test_without_the_demo_it_names_the_next_two_steps_and_no_secret(database: Database, folder: Path) -> None:
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_HOME": str(folder)}
    first = await greeted(folder, environment)
    assert "Nothing can be paid yet: there is no account." in first
    assert [" accounts create --service " in first, " providers add --account ACCOUNT " in first] == [True, True]
    created = await command.run("accounts", "create", "--service", CARD_USD, "--json", environment=environment)
    keys: Any = created.document()
    second = await greeted(folder, environment)
    assert "Nothing can be paid yet: no account has an installed provider." in second
    assert [" accounts list\n" in second, " providers add --account ACCOUNT " in second] == [True, True]
    for text in (first, second):
        assert "demo" not in text
        assert len(text.splitlines()) < HEIGHT
        assert all(str(key) not in text for key in keys.values())


async def test_something_can_be_paid_where_there_are_open_accounts_with_a_provider_that_is_installed(
    database: Database,
) -> None:
    assert await queries.payable(database.pool, providers=["test"]) == (False, False)
    shop = await made(database.pool)
    assert await queries.payable(database.pool, providers=["test"]) == (True, True)
    assert await queries.payable(database.pool, providers=["other"]) == (True, False)
    await queries.archive_account(database.pool, account_id=shop.id, archived_at=shop.clock.real())
    assert await queries.payable(database.pool, providers=["test"]) == (False, False)


def test_the_command_is_named_as_it_can_be_typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "kassa"):
        shutil.copy("/bin/sh", folder / name)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.chdir(tmp_path)
    assert greeting.command() == "venv/bin/kassa"
    monkeypatch.chdir(folder.parent / "bin" / "..")
    assert greeting.command() == "bin/kassa"
    monkeypatch.chdir("/")
    assert greeting.command() == str(folder / "kassa").removeprefix("/")
    monkeypatch.setenv("PATH", str(folder))
    assert greeting.command() == "kassa"
    (folder / "kassa").unlink()
    assert greeting.command() == "python -m kassa"
