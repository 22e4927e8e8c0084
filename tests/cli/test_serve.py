import asyncio
import base64
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
from aiohttp import ClientSession, encode_basic_auth

from kassa.db.embedded import Server
from tests.support import command, serving
from tests.support.api import private_body
from tests.support.postgres import Database
from tests.support.serving import Serving
from tests.support.waiting import until


def processes(folder: Path) -> list[psutil.Process]:
    return Server(folder / "home" / "postgres", port=0)._survivors()


async def status(url: str) -> int | None:
    try:
        async with ClientSession() as client, client.get(url) as answer:
            return answer.status
    except OSError:
        return None


async def test_the_ready_file_is_for_its_owner_alone_and_tells_where_everything_answers(serving_kassa: Serving) -> None:
    ready = serving_kassa.folder / "ready.json"
    assert stat.S_IMODE(ready.stat().st_mode) == 0o600
    served = serving_kassa.served
    for url in (f"{served.base_url}/healthz", f"{served.gate_url}/healthz", f"{served.health_url}/readyz"):
        assert await status(url) == 200
    connection = await asyncpg.connect(served.database_url)
    try:
        counted = await connection.fetchval("SELECT count(*) FROM accounts WHERE account_id = $1", served.account.id)
    finally:
        await connection.close()
    assert counted == 1


async def test_how_a_process_does_and_what_it_counts_is_not_told_where_the_world_asks(
    serving_kassa: Serving,
) -> None:
    served = serving_kassa.served
    for url in (served.base_url, served.gate_url):
        for path in ("readyz", "metrics"):
            assert await status(f"{url}/{path}") in (401, 404)


async def test_what_is_printed_is_for_people_and_what_is_logged_holds_no_key(serving_kassa: Serving) -> None:
    log = serving_kassa.folder / "stdout.log"
    printed = await until(lambda: text if "Ctrl-C" in (text := log.read_text()) else "", what="the greeting")
    logged = (serving_kassa.folder / "stderr.log").read_text()
    keys = serving_kassa.served.account
    for key in (keys.id, keys.api_key, "curl -sS -u"):
        assert key in printed
    for key in (keys.public_key_test, keys.public_key_live, keys.private_key_test, keys.private_key_live):
        assert key not in printed
    for secret in (keys.api_key, keys.private_key_test, keys.private_key_live):
        assert secret not in logged


async def test_every_answer_carries_a_request_id_and_every_request_leaves_a_line(serving_kassa: Serving) -> None:
    url = f"{serving_kassa.served.base_url}/payment-invoices/none?secret=1"
    async with ClientSession() as client, client.get(url, headers={"X-Request-Id": "mine-1"}) as answer:
        assert answer.headers["X-Request-Id"] == "mine-1"
    log = serving_kassa.folder / "stderr.log"
    line = await until(lambda: next((line for line in log.read_text().splitlines() if '"mine-1"' in line), ""))
    told = json.loads(line)
    assert (told["path"], told["status"]) == ("/payment-invoices/none", 401)
    assert "secret" not in line


async def test_requests_are_counted_by_route(serving_kassa: Serving) -> None:
    served = serving_kassa.served
    await status(f"{served.base_url}/public-api/payment-invoices/cpi_none")
    async with ClientSession() as client, client.get(f"{served.health_url}/metrics") as answer:
        told = await answer.text()
    assert (
        'kassa_http_requests_total{method="GET",route="/payment-invoices/{invoice_id}",status="404",surface="base"}'
        in told
    )


async def test_a_second_server_on_the_home_is_refused_in_one_sentence(serving_kassa: Serving) -> None:
    home = serving_kassa.folder / "home"
    ran = await command.run("serve", "--demo", "--port", "0", "--home", str(home), environment={})
    process = f"process {serving_kassa.process.pid}"
    fix = "stop it, or set KASSA_HOME or --home to another folder."
    assert (ran.status, ran.err) == (1, f"Another Kassa runs on the home {home} ({process}): {fix}\n")
    assert await status(f"{serving_kassa.served.health_url}/readyz") == 200


async def test_a_port_in_use_is_told_in_one_sentence_before_anything_else_starts(
    serving_kassa: Serving, folder: Path
) -> None:
    port = urlsplit(serving_kassa.served.base_url).port
    ran = await command.run("serve", "--port", str(port), environment={"KASSA_HOME": str(folder)})
    assert (ran.status, ran.err) == (
        1,
        f"Port {port} is in use by another program: set KASSA_PORT or --port to another one.\n",
    )
    assert not (folder / "postgres").exists()


async def test_commands_find_the_running_server_and_doctor_is_content(serving_kassa: Serving) -> None:
    environment = {"KASSA_HOME": str(serving_kassa.folder / "home")}
    listed, well = await asyncio.gather(
        command.run("accounts", "list", environment=environment), command.run("doctor", environment=environment)
    )
    assert serving_kassa.served.account.id in listed.out
    assert (well.status, "WRONG" in well.out) == (0, False)


async def test_sigterm_lets_a_request_in_flight_finish_and_takes_no_new_one(folder: Path) -> None:
    async with serving.running(folder) as kassa:
        url = urlsplit(kassa.served.base_url)
        assert url.hostname
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        head = "POST /api/payment-invoices HTTP/1.1\r\nHost: kassa\r\nContent-Type: application/json\r\n"
        keys = kassa.served.account
        login = base64.b64encode(f"{keys.id}:{keys.api_key}".encode()).decode()
        writer.write(f"{head}Authorization: Basic {login}\r\nContent-Length: 2\r\n\r\n{{".encode())
        await writer.drain()
        # A whole request on another connection, so that the first one has been begun for sure.
        assert await status(f"{kassa.served.base_url}/healthz") == 200
        kassa.process.send_signal(signal.SIGTERM)
        await until(lambda: refused(kassa.served.base_url), what="the end of new requests")
        writer.write(b"}")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"The body should be" in answer
        writer.close()
        assert await kassa.stop() == 0
    assert processes(folder) == []
    assert {path.name for path in (folder / "home").iterdir()} >= {"demo.json", "lock", "secret.key"}
    assert not (folder / "home" / "server.json").exists()
    assert not (folder / "ready.json").exists()


async def refused(url: str) -> bool:
    return await status(f"{url}/healthz") is None


async def test_a_killed_server_starts_again_with_all_that_it_had(folder: Path) -> None:
    async with serving.running(folder, seeded=False) as first:
        first.process.kill()
        await first.process.wait()
    async with serving.running(folder) as second:
        assert second.served.account == first.served.account
        assert await status(f"{second.served.health_url}/readyz") == 200


async def test_a_killed_database_is_back_by_itself(folder: Path) -> None:
    async with serving.running(folder) as kassa:
        ready = f"{kassa.served.health_url}/readyz"
        next(process for process in processes(folder) if "-D" in process.cmdline()).kill()

        async def answers(expected: int) -> bool:
            return await status(ready) == expected

        await until(lambda: answers(503), what="not ready")
        await until(lambda: answers(200), what="ready again")
        assert kassa.process.returncode is None


@asynccontextmanager
async def started(*options: str, environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start ``kassa serve``; whatever becomes of the test, it does not outlive it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kassa", "serve", "--port", "0", *options),
        env={**os.environ, "KASSA_DRAIN_SECONDS": "0", **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_stop_during_the_start_ends_well_and_leaves_no_server(folder: Path) -> None:
    async with started("--demo", environment={"KASSA_HOME": str(folder / "home")}) as process:
        await until(lambda: bool(processes(folder)), what="the database's process")
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    assert processes(folder) == []


@pytest.mark.parametrize("name", ["synchronous_commit"])
async def test_live_mode_refuses_a_database_that_could_lose_payments(
    database: Database, folder: Path, name: str
) -> None:
    owner = await asyncpg.connect(database.url)
    await owner.execute(f"ALTER DATABASE {urlsplit(database.url).path[1:]} SET {name} = off")
    await owner.close()
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_HOME": str(folder)}
    ran = await command.run("serve", "--port", "0", environment=environment)
    assert (ran.status, ran.err.splitlines()[-1]) == (
        1,
        f"The database runs with {name}=off and could lose payments: set it to on.",
    )


async def test_live_mode_on_the_operators_database_starts_no_bank_and_no_server_of_its_own(
    database: Database, folder: Path
) -> None:
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_HOME": str(folder)}
    ready = folder / "ready.json"
    async with started("--ready-file", str(ready), environment=environment) as process:
        await until(lambda: ready.exists() or process.returncode is not None, what="the ready file")
        told = ready.read_text()
        assert '"bank_url":null' in told
        assert '"account":null' in told
        assert not (folder / "postgres").exists()
        await sells_nothing(json.loads(told)["base_url"], environment)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0


async def sells_nothing(base_url: str, environment: Mapping[str, str]) -> None:
    """Without a bank nobody stands behind an account's services: the list says so, and no invoice is taken."""
    created = await command.run(
        *("accounts", "create", "--service", "payment_card_usd_hpp", "--json"), environment=environment
    )
    keys: Any = created.document()
    async with ClientSession() as session:
        login = {"Authorization": encode_basic_auth(keys["id"], keys["api_key"])}
        async with session.get(f"{base_url}/api/payment-services", headers=login) as listed:
            (row,) = (await listed.json())["data"]
        told = {name: row["attributes"][name] for name in ("enabled", "available", "active", "test_mode")}
        assert told == {"enabled": True, "available": False, "active": False, "test_mode": False}
        async with session.post(f"{base_url}/api/payment-invoices", headers=login, json=private_body()) as refused:
            text = "This service is not available in test mode."
            assert (refused.status, await refused.json()) == (422, {"errors": {"service": text}})
