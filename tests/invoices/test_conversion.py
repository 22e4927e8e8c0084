"""An invoice in another currency than its service's: asked, taken, booked and told at the rate that it keeps."""

import json
from decimal import Decimal
from typing import Any

import pytest

from kassa.accounts.model import Account
from kassa.errors import Invalid
from kassa.invoices.document import building as document
from kassa.invoices.operations import pay as operations
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.ledger.model import LedgerAccount
from kassa.providers.protocol import Accepted
from tests.support import ledger, rates
from tests.support.postgres import Database
from tests.support.world import BAD, World

CARDS = tuple(f"payment_card_{currency}_hpp" for currency in ("usd", "jpy", "kwd"))
USD, JPY, KWD = CARDS
RATES = {
    ("EUR", "USD"): "1.082",
    ("USD", "JPY"): "157.255",
    ("EUR", "KWD"): "0.3251",
    ("JPY", "USD"): "0.006",
    ("KRW", "USD"): "0.004",
}


@pytest.fixture(scope="module", autouse=True)
async def _rates(world: World) -> None:
    for pair, rate in RATES.items():
        await rates.counting(world.platform, *pair, rate)


@pytest.fixture
async def shop(world: World) -> Account:
    return await world.account(services=CARDS)


async def attributes(world: World, account: Account, invoice: Invoice) -> dict[str, Any]:
    body = document.callback_body(world.platform, account, await world.view(invoice))
    told: dict[str, Any] = json.loads(body, parse_float=Decimal)["data"]["attributes"]
    return told


async def at_bank(world: World, invoice: Invoice) -> list[tuple[str, int, str]]:
    rows = await world.platform.pool.fetch(
        "SELECT payment_id FROM payments WHERE account_id = $1 AND invoice_id = $2",
        invoice.account_id,
        invoice.invoice_id,
    )
    ids = {row["payment_id"] for row in rows}
    return [
        (line["kind"], line["amount"], line["currency"]) for line in await world.statement() if line["order"] in ids
    ]


async def proven(world: World, account: Account) -> bool:
    await ledger.number(world.platform.pool, account.account_id)
    return not (await ledger.verified(world.platform.pool, account.account_id)).problems


async def test_a_converted_invoice_is_paid_in_the_services_currency_and_booked_in_both(
    world: World, shop: Account
) -> None:
    invoice = await world.invoice(shop, service=USD, currency="EUR", amount="100")
    assert (invoice.currency, invoice.service_currency, invoice.converted) == ("EUR", "USD", True)
    assert (invoice.payment_amount, invoice.service_amount, invoice.exchange_rate) == (10_000, 10_820, Decimal("1.082"))
    await world.pay(invoice)
    assert (await world.changes(invoice)).status == "processed"
    assert await at_bank(world, invoice) == [("PURCHASE", 10_820, "USD")]
    assert await ledger.balances(world.platform.pool, shop.account_id) == {
        (LedgerAccount.PROVIDER, "USD"): 10_820,
        (LedgerAccount.EXCHANGE, "USD"): 10_820,
        (LedgerAccount.EXCHANGE, "EUR"): -10_000,
        (LedgerAccount.ACTIVE, "EUR"): 10_000,
    }
    assert await proven(world, shop)
    told = await attributes(world, shop, invoice)
    names = ("currency", "service_currency", "amount", "payment_amount", "processed_amount", "processed_deposit")
    assert [told[name] for name in names] == ["EUR", "USD", 100, 100, 100, 100]
    converted = ("service_amount", "payment_service_amount", "exchange_rate")
    assert [told[name] for name in converted] == [Decimal("108.2"), Decimal("108.2"), Decimal("1.082")]
    public = document.public(world.platform, shop, await world.view(invoice)).data
    assert (public.currency, public.service_currency, bytes(public.payment_amount)) == ("EUR", "USD", b"100")


async def test_the_payer_pays_the_spread(world: World) -> None:
    shop = await world.account(services=CARDS, exchange_spread="2.5")
    invoice = await world.invoice(shop, service=USD, currency="EUR", amount="100")
    assert (invoice.exchange_rate, invoice.service_amount, invoice.payment_amount) == (
        Decimal("1.10905"),
        11_090,
        10_000,
    )
    same = await world.invoice(shop, service=USD, currency="USD", amount="100")
    assert (same.exchange_rate, same.service_amount) == (Decimal(1), 10_000)


@pytest.mark.parametrize(
    "service,asked,due",
    [(JPY, "100 USD", 15_726), (KWD, "10 EUR", 3_251), (USD, "1000 JPY", 600), (USD, "0.25 EUR", 27)],
)
async def test_currencies_of_any_decimals_are_converted_and_paid(
    world: World, shop: Account, service: str, asked: str, due: int
) -> None:
    amount, currency = asked.split()
    invoice = await world.invoice(shop, service=service, currency=currency, amount=amount)
    await world.pay(invoice)
    assert await at_bank(world, invoice) == [("PURCHASE", due, invoice.service_currency)]
    assert (await world.view(invoice)).invoice.processed_amount == invoice.payment_amount
    assert await proven(world, shop)


async def test_a_wallet_is_asked_in_its_services_currency(world: World) -> None:
    shop = await world.account(services=("paypal_usd_hpp",))
    invoice = await world.invoice(shop, service="paypal_usd_hpp", currency="EUR", amount="100")
    payment = (await world.view(invoice)).payment
    assert payment is not None
    assert (payment.amount, payment.currency, payment.status) == (10_820, "USD", "invoked")
    await world.press(payment.action or "", "approve")
    world.move_clock(seconds=5)
    await world.ask(shop)
    assert await at_bank(world, invoice) == [("PURCHASE", 10_820, "USD")]
    assert (await world.view(invoice)).invoice.processed_amount == 10_000
    assert await proven(world, shop)


async def test_an_invoice_keeps_its_rate_when_the_rate_changes(world: World, shop: Account) -> None:
    await rates.counting(world.platform, "GBP", "USD", "1.25")
    first = await world.invoice(shop, service=USD, currency="GBP", amount="100")
    await rates.counting(world.platform, "GBP", "USD", "2")
    second = await world.invoice(shop, service=USD, currency="GBP", amount="100")
    for invoice, due in ((first, 12_500), (second, 20_000)):
        await world.pay(invoice)
        assert await at_bank(world, invoice) == [("PURCHASE", due, "USD")]
        assert (await world.view(invoice)).invoice.exchange_rate == Decimal(due).scaleb(-4)


async def test_a_declined_attempt_and_the_next_ask_for_the_same(world: World, shop: Account) -> None:
    invoice = await world.invoice(shop, service=USD, currency="EUR", amount="100")
    await world.pay(invoice, card=BAD)
    await world.pay(invoice, number=2)
    assert (await world.changes(invoice)).attempts == ["process_failed", "processed"]
    assert await at_bank(world, invoice) == [("PURCHASE", 10_820, "USD")]


@pytest.mark.parametrize("payer_pays,payment_amount,due", [("false", 10_000, 10_820), ("true", 10_287, 11_131)])
async def test_fees_are_in_the_invoices_currency_at_its_rate(
    world: World, module_database: Database, payer_pays: str, payment_amount: int, due: int
) -> None:
    shop = await world.account(services=CARDS, payer_pays_fee=payer_pays)
    where = f"WHERE account_id = '{shop.account_id}'"
    # 2.5 % of 100 EUR, and 0.40 USD that are 0.37 EUR.
    await ledger.tamper(module_database, f"UPDATE account_services SET fee_rate = 2.5, fee_fix = 40 {where}")
    invoice = await world.invoice(shop, service=USD, currency="EUR", amount="100")
    assert (invoice.payment_amount, invoice.fee, invoice.service_amount) == (payment_amount, 287, due)
    await world.pay(invoice)
    assert await ledger.balances(world.platform.pool, shop.account_id) == {
        (LedgerAccount.PROVIDER, "USD"): due,
        (LedgerAccount.EXCHANGE, "USD"): due,
        (LedgerAccount.EXCHANGE, "EUR"): -payment_amount,
        (LedgerAccount.ACTIVE, "EUR"): payment_amount - 287,
        (LedgerAccount.FEES, "EUR"): 287,
    }
    assert await proven(world, shop)


@pytest.mark.parametrize("bounds,fee", [("fee_min = 541, fee_max = 0", 500), ("fee_min = 0, fee_max = 108", 100)])
async def test_the_bounds_of_a_fee_are_converted_too(
    world: World, module_database: Database, bounds: str, fee: int
) -> None:
    shop = await world.account(services=CARDS)
    where = f"WHERE account_id = '{shop.account_id}'"
    await ledger.tamper(module_database, f"UPDATE account_services SET fee_rate = 2.5, {bounds} {where}")
    assert (await world.invoice(shop, service=USD, currency="EUR", amount="100")).fee == fee


async def test_a_highest_fee_stays_one_where_it_is_less_than_a_minor_unit(
    world: World, module_database: Database
) -> None:
    shop = await world.account(services=CARDS)
    await rates.counting(world.platform, "BHD", "JPY", "420")
    await ledger.tamper(
        module_database,
        f"UPDATE account_services SET fee_rate = 50, fee_max = 1 WHERE account_id = '{shop.account_id}'",
    )
    assert (await world.invoice(shop, service=JPY, currency="BHD", amount="100")).fee == 2
    await rates.counting(world.platform, "OMR", "JPY", "5000")
    assert (await world.invoice(shop, service=JPY, currency="OMR", amount="100")).fee == 1


@pytest.mark.parametrize(
    "asked,told",
    [
        ({"service": USD, "currency": "XTS"}, {"currency": "This service takes USD."}),
        ({"service": USD, "currency": "ZZZ"}, {"currency": "This value is not a valid currency."}),
        (
            {"service": JPY, "currency": "USD", "amount": "0.003"},
            {"amount": "This value should have no more than 2 decimals in USD."},
        ),
        ({"service": USD, "currency": "KRW", "amount": "1"}, {"amount": "This value should come to 0.01 USD or more."}),
        (
            {"service": USD, "currency": "EUR", "amount": "924214.43"},
            {"amount": "This value should come to 1000000 USD or less."},
        ),
    ],
)
async def test_what_cannot_be_converted_is_refused_and_writes_nothing(
    world: World, shop: Account, asked: dict[str, str], told: dict[str, str]
) -> None:
    with pytest.raises(Invalid) as refused:
        await world.invoice(shop, **asked)
    assert refused.value.errors == told
    statement = "SELECT count(*) FROM invoices WHERE account_id = $1"
    assert await world.platform.pool.fetchval(statement, shop.account_id) == 0


async def test_an_amount_that_comes_to_nothing_is_refused(
    world: World, module_database: Database, shop: Account
) -> None:
    await rates.counting(world.platform, "UZS", "USD", "0.00008")
    await ledger.tamper(
        module_database, f"UPDATE account_services SET amount_min = 0 WHERE account_id = '{shop.account_id}'"
    )
    with pytest.raises(Invalid) as refused:
        await world.invoice(shop, service=USD, currency="UZS", amount="62.50")
    assert refused.value.errors == {"amount": "This value comes to nothing in USD."}


@pytest.mark.parametrize("amount,currency", [(10_819, "USD"), (10_000, "EUR"), (10_820, "EUR")])
async def test_what_was_taken_otherwise_than_asked_is_held_as_it_came_and_waits_for_a_person(
    world: World, shop: Account, amount: int, currency: str
) -> None:
    invoice = await world.invoice(shop, service=USD, currency="EUR", amount="100")
    payment = await world.begin(invoice, card=None)
    assert (payment.amount, payment.currency) == (10_820, "USD")
    taken = Accepted(external_id="tx", amount=amount, currency=currency)
    after = (await operations.apply_result(world.platform, payment, taken)).invoice
    assert (after.status, after.resolution, after.processed_amount) == (Status.PROCESS_ERROR, "invalid_amount", None)
    assert await ledger.balances(world.platform.pool, shop.account_id) == {
        (LedgerAccount.PROVIDER, currency): amount,
        (LedgerAccount.PENDING, currency): amount,
    }
    assert await proven(world, shop)


async def test_a_late_success_that_nobody_wants_goes_back_as_it_came(world: World) -> None:
    shop = await world.account(services=CARDS, late_success="refund")
    invoice = await world.invoice(shop, service=USD, currency="EUR", amount="100")
    await world.pay(invoice, expiry="07/77")
    payment = (await world.view(invoice)).payment
    assert payment is not None
    world.move_clock(minutes=31)
    await world.expire(shop)
    await world.decide(payment.payment_id, "approve")
    for _ in range(2):
        world.move_clock(minutes=10)
        await world.ask(shop)
    assert await at_bank(world, invoice) == [("PURCHASE", 10_820, "USD"), ("REFUND", 10_820, "USD")]
    told = await attributes(world, shop, invoice)
    assert (told["status"], told["refunded_amount"], told["processed_amount"]) == ("process_failed", 100, None)
    assert set((await ledger.balances(world.platform.pool, shop.account_id)).values()) == {0}
    assert await proven(world, shop)
