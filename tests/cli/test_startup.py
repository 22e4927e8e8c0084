"""How ``kassa`` starts: what it imports before it knows what is wanted, and what its lists say."""

import subprocess
import sys

import pytest
import typer.main

import kassa.cli
from kassa.cli.lazy import Lazy
from tests.support import command

HEAVY = {"aiohttp", "asyncpg", "jinja2", "msgspec", "prometheus_client", "starlette", "structlog", "uvicorn", "uvloop"}
LOOK = "import sys; from kassa.cli import main\ntry: main()\nexcept SystemExit: print(*sys.modules, file=sys.stderr)"

GROUP = typer.main.get_command(kassa.cli.app)
NAMES = sorted(GROUP.commands)  # type: ignore[attr-defined]


def lazy(name: str) -> Lazy:
    found = GROUP.commands[name]  # type: ignore[attr-defined]
    assert isinstance(found, Lazy)
    return found


def imported(*words: str) -> set[str]:
    ran = subprocess.run([sys.executable, "-c", LOOK, *words], capture_output=True, text=True, check=True)
    assert ran.stdout
    return set(ran.stderr.split())


def test_the_version_is_printed_without_the_gateway() -> None:
    modules = imported("--version")
    assert modules & (HEAVY | {"rich"}) == set()
    assert {name for name in modules if name.startswith("kassa.")} == {"kassa.cli", "kassa.cli.lazy", "kassa.errors"}


def test_the_list_of_commands_is_printed_without_the_gateway() -> None:
    modules = imported("--help")
    assert modules & HEAVY == set()
    assert {name for name in modules if name.startswith("kassa.")} == {"kassa.cli", "kassa.cli.lazy", "kassa.errors"}


@pytest.mark.parametrize("name", NAMES)
def test_each_command_is_where_the_list_says(name: str) -> None:
    loaded = lazy(name).load()
    assert loaded.name == name
    assert loaded.help


async def test_the_list_groups_commands_and_is_free_of_types() -> None:
    ran = await command.run("--help", environment={"COLUMNS": "100"})
    assert ran.status == 0
    assert all(f" {name} " in ran.out for name in NAMES)
    assert all(panel in ran.out for panel in ("Payments", "Developing", "Merchants", "Running Kassa"))
    assert "<bool>" not in ran.out
    one = await command.run("accounts", "list", "--help", environment={"COLUMNS": "100"})
    assert "Usage: kassa accounts list" in one.out
    assert "<bool>" not in one.out


async def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    ran = await command.run("acounts", environment={})
    assert (ran.status, ran.out) == (2, "")
    assert "Did you mean 'accounts'?" in ran.err


async def test_a_shell_completes_commands_of_every_depth() -> None:
    for words, wanted in (
        ("kassa acc", "accounts"),
        ("kassa accounts cr", "create"),
        ("kassa trigger charg", "chargeback"),
    ):
        environment = {
            "_KASSA_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        ran = await command.run(environment=environment)
        assert ran.out.split() == [wanted], ran.err
    shown = await command.run("--show-completion", "bash", environment={})
    assert "_KASSA_COMPLETE=complete_bash" in shown.out


@pytest.mark.parametrize(
    "words,told",
    [
        (["callbacks", "list", "--limit", "abc"], "'--limit': This value should be a whole number."),
        (["callbacks", "list", "--limit", "0"], "'--limit': This value should be 1 or more."),
        (["callbacks", "list", "--limit", "1001"], "'--limit': This value should be 1000 or less."),
        (["rates", "update", "imf"], "'SOURCE': 'imf' is not one of 'manual', 'ecb',"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_in_plain_words(words: list[str], told: str) -> None:
    ran = await command.run(*words, environment={"COLUMNS": "120"})
    assert (ran.status, ran.out) == (2, "")
    assert told in ran.err


async def test_examples_stand_below_the_help() -> None:
    for words in (("listen",), ("invoices", "create"), ("services", "add")):
        ran = await command.run(*words, "--help", environment={"COLUMNS": "100"})
        _, _, examples = ran.out.partition("Examples:")
        assert f"kassa {' '.join(words)} " in examples
