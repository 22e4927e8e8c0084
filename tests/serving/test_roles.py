import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from kassa.config import Settings, load
from kassa.errors import SettingsWrong
from kassa.serving.listening import port_of
from kassa.serving.roles import Role, check_addresses, chosen, resolved, take
from tests.support import command
from tests.support.postgres import Database
from tests.support.waiting import until

EVERYTHING = frozenset(Role)


def test_a_process_runs_everything_unless_it_is_told_what() -> None:
    assert chosen([], demo=True) == EVERYTHING
    assert chosen([], demo=False) == EVERYTHING - {Role.BANK}
    assert chosen([Role.API, Role.WORKER], demo=True) == {Role.API, Role.WORKER}
    assert chosen([Role.BANK], demo=False) == {Role.BANK}


@pytest.mark.parametrize(
    "only,demo,message",
    [
        ([Role.WORKER], False, "Set KASSA_BASE_URL and KASSA_GATE_URL: the API and the card gate will run elsewhere."),
        ([Role.API], False, "Set KASSA_GATE_URL: the card gate will run elsewhere."),
        (
            [Role.API],
            True,
            "Set KASSA_GATE_URL and KASSA_BANK_URL: the card gate and the fake bank will run elsewhere.",
        ),
    ],
)
def test_what_runs_elsewhere_has_to_have_an_address(only: list[Role], *, demo: bool, message: str) -> None:
    with pytest.raises(SettingsWrong) as raised:
        check_addresses(Settings(demo=demo), chosen(only, demo=demo))
    assert raised.value.detail == message


def test_every_part_keeps_its_port_whatever_else_runs() -> None:
    settings = Settings(port=23100, host="127.0.0.1")
    with take(settings, EVERYTHING) as sockets:
        assert {role: port_of(taken) for role, taken in sockets.roles.items()} == {
            Role.API: 23100,
            Role.GATE: 23101,
            Role.BANK: 23102,
        }
        assert port_of(sockets.health) == 23103
        assert resolved(settings, sockets).gate_url == "http://127.0.0.1:23101"
    with take(settings, frozenset({Role.GATE})) as sockets:
        assert {role: port_of(taken) for role, taken in sockets.roles.items()} == {Role.GATE: 23101}
        assert port_of(sockets.health) not in {0, 23103}


@pytest.mark.parametrize("seconds", ["-1", "6", "soon"])
def test_a_drain_that_would_not_fit_into_the_end_is_refused(seconds: str) -> None:
    with pytest.raises(SettingsWrong, match=r"KASSA_DRAIN_SECONDS: .* is not a whole number from 0 to 5"):
        load({"KASSA_DRAIN_SECONDS": seconds})


@asynccontextmanager
async def part(
    folder: Path, name: str, only: Sequence[str], environment: dict[str, str]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Any]]:
    """Run a part of Kassa; it has to end well, unless the test has ended it."""
    ready = folder / f"{name}.json"
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("KASSA_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kassa", "serve", "--demo", "--port", "0", "--ready-file", str(ready)),
        *(f"--only={role}" for role in only),
        env={**inherited, "KASSA_HOME": str(folder / "home"), **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(lambda: ready.exists() or process.returncode is not None, what=name)
        yield process, msgspec.json.decode(ready.read_bytes())
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


ELSEWHERE = {
    "KASSA_BASE_URL": "http://api.test",
    "KASSA_GATE_URL": "http://gate.test",
    "KASSA_BANK_URL": "http://bank.test",
}


async def test_parts_on_one_home_share_the_database_of_the_first(folder: Path) -> None:
    async with part(folder, "first", ["api", "gate", "bank"], {}) as (process, first):
        fix = f"(process {process.pid}): stop it, or set KASSA_HOME or --home to another folder."
        urls = {f"KASSA_{name.upper()}": first[name] for name in ("base_url", "gate_url", "bank_url")}
        async with part(folder, "second", ["worker"], urls) as (_, second):
            assert second["database_url"] == first["database_url"]
            assert (first["account"] is not None, second["account"]) == (True, None)
        refused = await command.run(
            *("serve", "--demo", "--only", "bank", "--port", "0"),
            environment={"KASSA_HOME": str(folder / "home"), **urls},
        )
        assert (refused.status, refused.err) == (1, f"Another fake bank runs on the home {folder / 'home'} {fix}\n")
        refused = await command.run("serve", "--demo", "--port", "0", environment={"KASSA_HOME": str(folder / "home")})
        assert (refused.status, refused.err) == (1, f"Another Kassa runs on the home {folder / 'home'} {fix}\n")


async def test_a_process_that_is_told_to_stop_says_so_before_it_closes(database: Database, folder: Path) -> None:
    environment = {**ELSEWHERE, "KASSA_DATABASE_URL": database.url, "KASSA_DRAIN_SECONDS": "5"}
    del environment["KASSA_BASE_URL"]
    async with part(folder, "api", ["api"], environment) as (process, told), aiohttp.ClientSession() as client:

        async def ask(url: str) -> tuple[int, str | None]:
            async with client.get(url) as answer:
                return answer.status, answer.headers.get("Connection")

        assert await ask(f"{told['base_url']}/healthz") == (200, None)
        process.send_signal(signal.SIGTERM)

        async def not_ready() -> bool:
            return (await ask(f"{told['health_url']}/readyz"))[0] == 503

        await until(not_ready, what="the word to the balancer")
        assert await ask(f"{told['base_url']}/healthz") == (200, "close")
        # Said twice, it means at once: this is what ends the test in time.
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 4) == 0
