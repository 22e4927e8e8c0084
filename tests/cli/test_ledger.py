"""``kassa ledger``: proving the books and reading them, as an operator does."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kassa.sealing import Root
from tests.support import command, ledger
from tests.support.command import Ran
from tests.support.ledger import paid
from tests.support.postgres import Database

Kassa = Callable[..., Awaitable[Ran]]


@pytest.fixture
def kassa(database: Database) -> Kassa:
    """Run commands on a database of the test's own."""
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_SECRET_KEY": Root.generate()}

    async def run(*words: str) -> Ran:
        return await command.run(*words, environment=environment)

    return run


async def test_whole_books_of_all_accounts_and_modes_are_proven(database: Database, kassa: Kassa) -> None:
    one, other = await ledger.booked(database, 3), await ledger.booked(database, 1)
    await ledger.post(database.pool, one, paid(9), test_mode=False)
    ran = await kassa("ledger", "verify")
    heads = {each: (await ledger.verified(database.pool, each)).head for each in (one, other)}
    lines = [line.split() for line in ran.out.splitlines()]
    assert ran.status == 0, ran.err
    assert lines[0] == ["account", "mode", "lines", "rows", "problems", "head"]
    expected = [
        [one, "test", "3", "9", "0", heads[one] or ""],
        [one, "live", "0", "3", "0"],
        [other, "test", "1", "3", "0", heads[other] or ""],
        [other, "live", "0", "0", "0"],
    ]
    assert sorted(lines[1:-1]) == sorted(expected)
    assert ran.out.splitlines()[-1] == "Read 19 rows: the books are whole."


async def test_what_was_tampered_with_is_named_and_the_command_fails(database: Database, kassa: Kassa) -> None:
    one, other = await ledger.booked(database, 3), await ledger.booked(database, 1)
    await ledger.tamper(
        database, f"UPDATE ledger_transfers SET amount = 1 WHERE entry_id = 'processed:pay_2' AND account_id = '{one}'"
    )
    ran = await kassa("ledger", "verify")
    problem = "entry processed:pay_2 (journal line 3) was changed"
    assert ran.status == 1
    assert ran.out.splitlines()[-2:] == [f"{one} test: {problem}", "Read 16 rows: 1 problem."]
    assert (await kassa("ledger", "verify", "-a", other)).status == 0
    assert (await kassa("ledger", "verify", "-a", one, "--live")).status == 0
    told = await kassa("ledger", "verify", "-a", one, "--test", "--json")
    report: Any = command.Ran(status=0, out=told.out, err=told.err).document()
    assert told.status == 1
    assert [(each["account_id"], each["mode"], each["problems"]) for each in report] == [(one, "test", [problem])]


async def test_balances_are_shown_with_all_their_decimals(database: Database, kassa: Kassa) -> None:
    account_id = await ledger.booked(database, 2)
    await ledger.post(database.pool, account_id, paid(7, currency="JPY", paid=500, fee=0, reserve=0))
    await ledger.post(database.pool, account_id, paid(8, currency="KWD", paid=5000, fee=1, reserve=0))
    ran = await kassa("ledger", "balances", "-a", account_id, "--test")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["currency", "ledger_account", "balance"],
        ["JPY", "provider", "500"],
        ["JPY", "active", "500"],
        ["KWD", "provider", "5.000"],
        ["KWD", "active", "4.999"],
        ["KWD", "fees", "0.001"],
        ["USD", "provider", "20.00"],
        ["USD", "active", "17.50"],
        ["USD", "reserved", "2.00"],
        ["USD", "fees", "0.50"],
    ]
    assert (await kassa("ledger", "balances", "-a", account_id, "--json")).document() == []
    for book in ("balances", "statement"):
        ran = await kassa("ledger", book, "-a", account_id)
        told = "Nothing of this is booked in live mode; --test shows the other mode's books."
        assert (ran.status, ran.err.strip()) == (0, told)


async def test_a_statement_runs_its_balance(database: Database, kassa: Kassa) -> None:
    account_id = await ledger.booked(database, 2)
    await ledger.post(database.pool, account_id, paid(7, currency="JPY", paid=500, fee=0, reserve=0))
    await ledger.number(database.pool, account_id)
    ran = await kassa("ledger", "statement", "-a", account_id, "--test")
    assert [line.split() for line in ran.out.splitlines()[1:]] == [
        ["1", "2026-03-01", "12:00:00", "processed", "cpi_0000000000000000", "USD", "8.75", "8.75"],
        ["2", "2026-03-01", "12:01:00", "processed", "cpi_0000000000000001", "USD", "8.75", "17.50"],
        ["3", "2026-03-01", "12:00:00", "processed", "cpi_0000000000000007", "JPY", "500", "500"],
    ]
    fees: Any = (
        await kassa(
            "ledger", "statement", "-a", account_id, "--test", "--ledger-account", "fees", "--currency", "usd", "--json"
        )
    ).document()
    assert [(row["number"], row["amount"], row["balance"]) for row in fees] == [
        ("1", "0.25", "0.25"),
        ("2", "0.25", "0.50"),
    ]
    provider = await kassa("ledger", "statement", "-a", account_id, "--test", "--ledger-account", "provider")
    assert [line.split()[-2:] for line in provider.out.splitlines()[1:]] == [
        ["10.00", "10.00"],
        ["10.00", "20.00"],
        ["500", "500"],
    ]


@pytest.mark.parametrize("words", [("verify",), ("balances",), ("statement",)])
async def test_an_account_that_is_none_is_told_in_a_sentence(kassa: Kassa, words: tuple[str, ...]) -> None:
    ran = await kassa("ledger", *words, "--account", "coma_0000000000000000")
    told = "There is no account coma_0000000000000000: kassa accounts list shows those that there are."
    assert (ran.status, ran.out, ran.err.strip()) == (1, "", told)
