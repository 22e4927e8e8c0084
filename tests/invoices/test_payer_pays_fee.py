"""A fee that comes on top of the amount: asked for, taken, booked and told as one and the same sum."""

import json
from decimal import Decimal

import pytest

from kassa.accounts.model import Account
from kassa.cardgate import views
from kassa.invoices.document import building as document
from kassa.invoices.rules.invoice import Invoice
from kassa.ledger.model import LedgerAccount
from tests.support import ledger
from tests.support.postgres import Database
from tests.support.world import World


async def shop(world: World, database: Database, **options: str) -> Account:
    """Return an account that takes cards for 2.5 % and 0.30."""
    account = await world.account(**options)
    where = f"WHERE account_id = '{account.account_id}'"
    await ledger.tamper(database, f"UPDATE account_services SET fee_rate = 2.5, fee_fix = 30 {where}")
    return account


def money(invoice: Invoice) -> dict[str, int | None]:
    names = (
        "amount",
        "payment_amount",
        "fee",
        "deposit",
        "processed_amount",
        "processed_fee",
        "processed_deposit",
    )
    return {name: getattr(invoice, name) for name in names}


@pytest.mark.parametrize("option, payment_amount, deposit", [("false", 10_000, 9_720), ("true", 10_280, 10_000)])
async def test_asked_taken_booked_and_told_are_one_sum(
    world: World, module_database: Database, option: str, payment_amount: int, deposit: int
) -> None:
    account = await shop(world, module_database, payer_pays_fee=option)
    invoice = await world.invoice(account)
    asked = {"amount": 10_000, "payment_amount": payment_amount, "fee": 280, "deposit": deposit}
    not_yet = {"processed_amount": None, "processed_fee": None, "processed_deposit": None}
    assert money(invoice) == asked | not_yet
    await world.pay(invoice)
    view = await world.view(invoice)
    assert view.payment is not None
    processed = {"processed_amount": payment_amount, "processed_fee": 280, "processed_deposit": deposit}
    assert money(view.invoice) == asked | processed
    (line,) = [line for line in await world.statement() if line["order"] == view.payment.payment_id]
    assert line["amount"] == payment_amount
    assert await ledger.balances(world.platform.pool, account.account_id) == {
        (LedgerAccount.PROVIDER, "USD"): payment_amount,
        (LedgerAccount.ACTIVE, "USD"): deposit,
        (LedgerAccount.FEES, "USD"): 280,
    }
    body = document.callback_body(world.platform, account, view)
    told = json.loads(body, parse_float=Decimal)["data"]["attributes"]
    assert {name: told[name] for name in money(invoice)} == {
        name: Decimal(minor).scaleb(-2) for name, minor in (asked | processed).items()
    }


async def test_the_card_page_names_the_sum_that_is_taken_and_what_it_is_made_of(
    world: World, module_database: Database
) -> None:
    account = await shop(world, module_database, payer_pays_fee="true")
    session = await world.open(await world.invoice(account))
    amounts = views._amounts(session, "en")
    assert (amounts["amount"], amounts["order_amount"], amounts["order_fee"]) == ("$102.80", "$100.00", "$2.80")
    assert "$102.80" in amounts["button"]


async def test_a_verification_takes_nothing_so_nothing_comes_on_top(world: World, module_database: Database) -> None:
    account = await shop(world, module_database, payer_pays_fee="true")
    invoice = await world.invoice(account, flow="verify")
    assert (invoice.amount, invoice.payment_amount) == (10_000, 10_000)


async def test_an_invoice_keeps_the_terms_that_it_was_drawn_up_on(world: World, module_database: Database) -> None:
    account = await shop(world, module_database, payer_pays_fee="true")
    invoice = await world.invoice(account)
    where = f"WHERE account_id = '{account.account_id}'"
    await ledger.tamper(module_database, f"UPDATE accounts SET payer_pays_fee = false {where}")
    await ledger.tamper(module_database, f"UPDATE account_services SET fee_rate = 50 {where}")
    await world.pay(invoice)
    paid = (await world.view(invoice)).invoice
    assert (paid.processed_amount, paid.processed_fee, paid.processed_deposit) == (10_280, 280, 10_000)
