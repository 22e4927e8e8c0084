"""What all commands have in common: how the account is named, what is printed where, and what their help shows."""

import asyncio
import os
import pty
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from kassa.cli import app
from kassa.cli.lazy import Lazy
from kassa.sealing import Root
from tests.support import command
from tests.support.command import Ran
from tests.support.postgres import Database

ROOT = Root.generate()
CARD_USD = "payment_card_usd_hpp"

Kassa = Callable[..., Awaitable[Ran]]


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    return {"KASSA_DATABASE_URL": database.url, "KASSA_SECRET_KEY": ROOT, "KASSA_HOME": str(tmp_path)}


@pytest.fixture
def kassa(environment: dict[str, str]) -> Kassa:
    """Run commands on a database of the test's own."""

    async def run(*words: str, **more: str) -> Ran:
        return await command.run(*words, environment=environment | more)

    return run


def commands() -> Iterator[tuple[str, Any]]:
    top = typer.main.get_command(app)
    for name, each in top.commands.items():  # type: ignore[attr-defined]
        assert isinstance(each, Lazy)
        loaded: Any = each.load()
        inner = getattr(loaded, "commands", None)
        if inner is None:
            yield name, loaded
        else:
            yield from ((f"{name} {verb}", one) for verb, one in inner.items())


async def test_the_account_is_the_named_one_else_the_only_one(kassa: Kassa) -> None:
    first: Any = (await kassa("accounts", "create", "--json")).document()
    assert (await kassa("services", "on", CARD_USD)).status == 0
    second: Any = (await kassa("accounts", "create", "--json")).document()
    unnamed = await kassa("services", "list")
    assert (unnamed.status, unnamed.out) == (1, "")
    assert unnamed.err == "--account: Name one of 2 accounts: kassa accounts list shows those that there are.\n"
    named: Any = (await kassa("services", "list", "--json", KASSA_ACCOUNT=first["id"])).document()
    assert [each["code"] for each in named] == [CARD_USD]
    option = await kassa("services", "list", "--json", "-a", second["id"], KASSA_ACCOUNT=first["id"])
    assert option.document() == []
    shown: Any = (await kassa("accounts", "show", "--json", KASSA_ACCOUNT=second["id"])).document()
    assert shown["account_id"] == second["id"]
    await kassa("accounts", "archive", first["id"])
    left: Any = (await kassa("accounts", "show", "--json")).document()
    assert left["account_id"] == second["id"]


async def test_a_website_without_a_scheme_is_taken_for_https(kassa: Kassa) -> None:
    await kassa("accounts", "create", "--website", "coffee.example")
    shown: Any = (await kassa("accounts", "show", "--json")).document()
    assert shown["website"] == "https://coffee.example"


async def test_an_empty_list_says_so_beside_what_it_prints(kassa: Kassa) -> None:
    nobody = await kassa("accounts", "list")
    assert (nobody.status, nobody.out) == (0, "")
    assert nobody.err == "There is no account yet: kassa accounts create makes one.\n"
    await kassa("accounts", "create")
    for words, told in (
        (("callbacks", "list"), "There are no callbacks.\n"),
        (("callbacks", "list", "--failed"), "No callback has failed.\n"),
        (("rules", "list"), "The account has no rules.\n"),
        (("moderation", "list"), "No invoice waits for a decision.\n"),
        (("discrepancies", "list"), "There is no open discrepancy.\n"),
    ):
        people, scripts = await kassa(*words), await kassa(*words, "--json")
        assert (people.status, people.out, people.err) == (0, "", told)
        assert (scripts.document(), scripts.err) == ([], told)


async def test_a_table_fits_a_terminal_and_is_never_cut_elsewhere(kassa: Kassa, environment: dict[str, str]) -> None:
    name = "A shop with a name " * 5
    made: Any = (await kassa("accounts", "create", "--name", name, "--json")).document()
    piped = (await kassa("accounts", "list")).out
    assert name.strip() in piped
    assert len(piped.splitlines()) == 2
    for width in (50, 80):
        settings = {**environment, "COLUMNS": str(width), "TERM": "xterm"}
        shown = re.sub(r"\x1b\[[0-9;]*m", "", await on_a_terminal("accounts", "list", environment=settings))
        assert max(len(line.rstrip()) for line in shown.splitlines()) <= width
        # Ids are there to be copied, whatever has to be folded.
        assert made["id"] in shown
        assert shown.count("shop") == 5


async def on_a_terminal(*words: str, environment: dict[str, str]) -> str:
    """Return what a command prints on a terminal."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kassa", *words),
        env={**os.environ, **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = await asyncio.to_thread(_all, ours)
    os.close(ours)
    assert await process.wait() == 0, text
    return text


def _all(descriptor: int) -> str:
    read = b""
    while True:
        try:
            some = os.read(descriptor, 65536)
        except OSError:  # how Linux says that the other side is closed
            some = b""
        if not some:
            return read.decode()
        read += some


@pytest.mark.parametrize("name,each", [pytest.param(name, each, id=name) for name, each in commands()])
def test_each_command_prints_json_and_shows_whom_it_is_about_in_one_way(name: str, each: Any) -> None:
    options = {option: param for param in each.params for option in getattr(param, "opts", ())}
    if name not in {"serve", "doctor"}:
        assert {"--json", "--print-json"} & set(options), name
    if "--account" in options:
        assert "-a" in options["--account"].opts
    assert "--mode" not in options
    if "--live" in options:
        assert options["--live"].is_flag
    assert each.help
