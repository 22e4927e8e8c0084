"""``kassa reconcile``, as an operator uses it, with the bank at the other end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from kassa.accounts.model import Account
from kassa.cli import discrepancies, reconcile
from kassa.db import queries
from kassa.errors import KassaError
from tests.support import command, ledger
from tests.support import world as worlds
from tests.support.command import Ran
from tests.support.postgres import Database
from tests.support.reconciling import LATER, provider_account_id, write
from tests.support.serving import Serving
from tests.support.world import World

Kassa = Callable[..., Awaitable[Ran]]

APPS = {"reconcile": reconcile.app, "discrepancies": discrepancies.app}


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with worlds.opened(database, tmp_path) as opened:
        yield opened


@pytest.fixture
def kassa(world: World, database: Database) -> Kassa:
    """Run commands on a database of the test's own, beside the bank that its payments were made at.

    They run in this process, for a new one takes longer than they do.
    """
    environment = {
        "KASSA_HOME": world.platform.settings.home,
        "KASSA_DATABASE_URL": database.url,
        "KASSA_BANK_URL": world.wire.url,
    }

    async def run(*words: str, **other: str) -> Ran:
        with structlog.testing.capture_logs():  # the bank's, which is not what the command prints
            ran = await asyncio.to_thread(CliRunner().invoke, APPS[words[0]], words[1:], env=environment | other)
        if isinstance(ran.exception, KassaError):
            return Ran(status=1, out=ran.stdout, err=str(ran.exception))
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return Ran(status=ran.exit_code, out=ran.stdout, err=ran.stderr)

    return run


async def paid(world: World, account: Account) -> str:
    """Return the payment of an invoice that was paid half an hour ago."""
    invoice = await world.invoice(account)
    await world.pay(invoice)
    await ledger.number(world.platform.pool, account.account_id)
    await queries.save_test_offset(world.platform.pool, test_offset=LATER)
    return (await world.view(invoice)).invoice.payment_id or ""


async def test_books_that_agree_end_well(world: World, kassa: Kassa) -> None:
    account, other = await world.account(), await world.account()
    await paid(world, account)
    ran = await kassa("reconcile", "run")
    lines = [line.split() for line in ran.out.splitlines()]
    assert ran.status == 0, ran.err
    assert " ".join(lines[0]) == "account provider_account mode lines entries differences closed open problem"
    assert lines[1:-1] == [
        [each.account_id, await provider_account_id(world, each), "test", count, count, "0", "0", "0"]
        for each, count in ((account, "1"), (other, "0"))
    ]
    assert ran.out.splitlines()[-1] == "Read 1 lines of statements and 1 movements of ours: the books agree."


async def test_a_difference_is_told_listed_and_closed(world: World, kassa: Kassa) -> None:
    account = await world.account()
    payment_id = await paid(world, account)
    write(world, "UPDATE purchases SET amount = 9950 WHERE order_ref = ?", payment_id)
    ran = await kassa("reconcile", "run", "--account", account.account_id)
    assert (ran.status, ran.out.splitlines()[-1]) == (
        1,
        "Read 1 lines of statements and 1 movements of ours: 1 amount.",
    )
    (listed,) = [line.split() for line in (await kassa("discrepancies", "list")).out.splitlines()[1:]]
    discrepancy_id = listed[0]
    assert listed[1:9] == ["amount", "purchase", payment_id, "100.00", "USD", "processed", "99.50", "USD"]
    assert listed[-1] == "open"
    assert (await kassa("discrepancies", "close", discrepancy_id, "--note", "the bank's own fee")).status == 0
    again = await kassa("discrepancies", "close", discrepancy_id, "--note", "once more")
    assert (again.status, again.err.strip()) == (1, "There is no such open discrepancy.")
    documents: Any = (await kassa("discrepancies", "list", "--all", "--json")).document()
    assert [(each["note"], each["ours"]["amount"], each["theirs"]["amount"]) for each in documents] == [
        ("the bank's own fee", 10_000, 9950)
    ]


async def test_a_time_can_be_named(world: World, kassa: Kassa) -> None:
    account = await world.account()
    await paid(world, account)
    before: Any = (
        await kassa("reconcile", "run", "--since", "2020-01-01", "--until", "2020-02-01T12:00:00", "--json")
    ).document()
    assert [(row["lines"], row["entries"]) for row in before] == [(0, 0)]
    ran = await kassa("reconcile", "run", "--since", "2020-02-01", "--until", "2020-01-01")
    assert (ran.status, "since" in ran.err) == (1, True)


async def test_a_provider_that_cannot_be_asked_is_told(world: World, kassa: Kassa) -> None:
    account = await world.account()
    await paid(world, account)
    ran = await kassa("reconcile", "run", KASSA_BANK_URL="http://127.0.0.1:9")
    assert (ran.status, "did not answer in time" in ran.out.splitlines()[1]) == (1, True)
    (turn,) = [line.split() for line in (await kassa("reconcile", "schedule")).out.splitlines()[1:]]
    assert turn[:4] == [account.account_id, await provider_account_id(world, account), "test", "never"]


@pytest.mark.parametrize(
    "words",
    [
        ("reconcile", "run", "--account", "coma_0000000000000000"),
        ("discrepancies", "list", "--account", "coma_0000000000000000"),
        ("discrepancies", "close", "dcy_0000000000000000", "--note", "x"),
    ],
)
async def test_what_is_none_is_told_in_a_sentence(kassa: Kassa, words: tuple[str, ...]) -> None:
    ran = await kassa(*words)
    assert (ran.status, ran.out) == (1, "")
    told = ("There is no account coma_0000000000000000: ", "There is no open discrepancy dcy_0000000000000000.")
    assert ran.err.startswith(told)


async def test_beside_a_running_demo_the_bank_is_found(serving_kassa: Serving) -> None:
    account_id = serving_kassa.served.account.id
    environment = {"KASSA_HOME": str(serving_kassa.folder / "home")}
    ran = await command.run("reconcile", "run", "--account", account_id, "--json", environment=environment)
    rows: Any = command.Ran(status=0, out=ran.out, err=ran.err).document()
    assert [(row["account"], row["mode"], row["compared"], row["problem"]) for row in rows] == [
        (account_id, "test", True, "")
    ]
