"""``kassa moderation``: an operator's rules, what they hold, and his word on it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kassa.config import Settings
from kassa.db.home import load_root
from kassa.invoices.operations import refund as returns
from kassa.invoices.rules.invoice import Invoice
from kassa.moderation import operations as moderation
from kassa.moderation.model import AmountRule
from kassa.providers.protocol import Accepted, Declined
from tests.support import command, ledger
from tests.support import world as worlds
from tests.support.command import Ran
from tests.support.postgres import Database

Kassa = Callable[..., Awaitable[Ran]]


@pytest.fixture
def kassa(database: Database, folder: Path) -> Kassa:
    """Run commands on a database of the test's own, with the home that its invoices were made with."""
    environment = {"KASSA_DATABASE_URL": database.url, "KASSA_HOME": str(folder), "KASSA_DEMO": "true"}
    load_root(Settings(home=str(folder)))

    async def run(*words: str) -> Ran:
        return await command.run(*words, environment=environment)

    return run


async def held(database: Database, home: Path) -> Invoice:
    """Have a rule hold a payment."""
    async with worlds.opened(database, home) as world:
        account = await world.account(callback_url="http://127.0.0.1:9/")
        rule = AmountRule(currency="USD", at_least=10_000)
        await moderation.add_rule(world.platform.pool, account.account_id, rule, now=account.created_at, by="ann")
        invoice = await world.invoice(account)
        await world.pay(invoice)
        return invoice


async def test_rules_are_added_listed_and_removed(database: Database, kassa: Kassa) -> None:
    account_id = await ledger.account(database)
    added = await kassa("rules", "add", "-a", account_id, "amount", "--currency", "usd", "--at-least", "500")
    assert added.status == 0, added.err
    rule_id, *words = added.out.splitlines()[1].split()
    assert " ".join(words) == "amount: 500.00 USD or more"
    await kassa("rules", "add", "-a", account_id, "country", "--countries", "US,GB")
    velocity = ("--by", "card", "--count", "successes", "--more-than", "3", "--minutes", "60")
    found: Any = (await kassa("rules", "add", "-a", account_id, "velocity", *velocity, "--json")).document()
    assert [each["terms"]["kind"] for each in found] == ["amount", "country", "velocity"]
    assert (await kassa("rules", "remove", "-a", account_id, rule_id)).status == 0
    left: Any = (await kassa("rules", "list", "-a", account_id, "--json")).document()
    assert left == found[1:]


async def test_what_is_no_rule_is_refused_in_words(database: Database, kassa: Kassa) -> None:
    account_id = await ledger.account(database)
    for words, told in (
        (("add", "amount", "--currency", "USD"), "at_least: This value should not be blank."),
        (("add", "speed"), "kind: This value should be one of amount, country, velocity."),
        (("remove", "rule_1"), "The account has no rule 'rule_1': kassa rules list shows those that it has."),
    ):
        ran = await kassa("rules", *words, "-a", account_id)
        assert (ran.status, ran.err.strip()) == (1, told)
    assert (
        "There is no account coma_0000000000000000: "
        in (await kassa("rules", "list", "-a", "coma_0000000000000000")).err
    )


async def test_an_operator_sees_what_waits_and_approves_it(database: Database, folder: Path, kassa: Kassa) -> None:
    invoice = await held(database, folder)
    found: Any = (await kassa("moderation", "list", "-a", invoice.account_id, "--json")).document()
    (waiting,) = found
    assert (waiting["status"], waiting["processed_amount"], waiting["reason"]) == (
        "process_error",
        10_000,
        "100.00 USD or more",
    )
    approved = await kassa("moderation", "approve", invoice.invoice_id, "--note", "he called", "--by", "ann")
    assert (approved.status, approved.out.strip()) == (0, f"{invoice.invoice_id} is processed."), approved.err
    decisions: Any = (await kassa("moderation", "history", invoice.invoice_id, "--json")).document()
    why, what = decisions
    assert (why["verdict"], what["verdict"], what["decided_by"], what["note"]) == (
        "held",
        "approved",
        "operator ann",
        "he called",
    )
    rows = await database.pool.fetch("SELECT invoice_status FROM callbacks ORDER BY logged_at")
    assert [row["invoice_status"] for row in rows] == ["process_pending", "process_error", "processed"]
    again = await kassa("moderation", "reject", invoice.invoice_id)
    assert (again.status, again.err.strip()) == (1, "Nothing about this invoice waits for a decision.")


async def test_an_operator_rejects(database: Database, folder: Path, kassa: Kassa) -> None:
    invoice = await held(database, folder)
    assert invoice.invoice_id in (await kassa("moderation", "list")).out
    wrong = await kassa("moderation", "reject", invoice.invoice_id, "--note", "two\nlines")
    assert (wrong.status, wrong.err.strip()) == (1, "note: This value should be one line of 2000 characters or less.")
    rejected = await kassa("moderation", "reject", invoice.invoice_id)
    assert (rejected.status, rejected.out.strip()) == (0, f"{invoice.invoice_id} is process_failed."), rejected.err
    assert "rejected" in (await kassa("moderation", "history", invoice.invoice_id)).out
    assert (
        await kassa("moderation", "approve", "cpi_0000000000000000")
    ).err.strip() == "There is no invoice cpi_0000000000000000: kassa invoices list shows the last ones."


async def test_an_operator_sends_money_back_again_and_settles(database: Database, folder: Path, kassa: Kassa) -> None:
    invoice = await held(database, folder)
    assert (await kassa("moderation", "reject", invoice.invoice_id)).status == 0
    for refused in ("return", "settle"):
        ran = await kassa("moderation", refused, invoice.invoice_id, "--note", "no")
        assert (ran.status, ran.err.strip()) == (1, "Nothing about this invoice waits for a decision.")
    async with worlds.opened(database, folder) as world:
        (first,) = (await world.view(invoice)).refunds
        await returns.apply_result(world.platform, first, Declined(external_id=None, resolution="general_decline"))
    assert invoice.invoice_id in (await kassa("moderation", "list")).out
    returned = await kassa("moderation", "return", invoice.invoice_id)
    assert (returned.status, returned.out.strip()) == (0, f"{invoice.invoice_id} is process_failed."), returned.err
    async with worlds.opened(database, folder) as world:
        (_, second) = (await world.view(invoice)).refunds
        sent = Accepted(external_id="0123", amount=9_900, currency="USD")
        await returns.apply_result(world.platform, second, sent)
    listed = (await kassa("moderation", "list")).out
    assert "another amount was sent back than was asked for, 99.00 USD instead of 100.00 USD" in listed
    assert (await kassa("moderation", "settle", invoice.invoice_id)).status == 2
    assert (await kassa("moderation", "settle", invoice.invoice_id, "--note", "sent by wire")).status == 0
    assert invoice.invoice_id not in (await kassa("moderation", "list")).out
    assert "sent by wire" in (await kassa("moderation", "history", invoice.invoice_id)).out
