"""What happens to a converted invoice's money later, and what a person decides: both books agree in both currencies."""

import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from kassa import ids
from kassa.accounts.model import Account
from kassa.accounts.services import operations as services
from kassa.errors import Invalid, NotApprovable
from kassa.invoices.creating.refund_request import RefundRequest
from kassa.invoices.operations import pay as invoices
from kassa.invoices.operations import refund as returns
from kassa.invoices.operations.refund import send
from kassa.invoices.operations.review import decide
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import payments
from kassa.ledger.model import LedgerAccount
from kassa.moderation import operations as moderation
from kassa.moderation.model import AmountRule, Verdict
from kassa.providers.protocol import Accepted, Declined
from tests.support import ledger, rates
from tests.support.api import CARD_USD as USD
from tests.support.waiting import until
from tests.support.wire import Fault
from tests.support.world import World

JPY, KWD = "payment_card_jpy_hpp", "payment_card_kwd_hpp"
CARDS = (USD, JPY, KWD)
RATES = {("EUR", "USD"): "1.082", ("USD", "JPY"): "157.255", ("JPY", "KWD"): "0.0021", ("JPY", "USD"): "0.004"}
TERMS = {
    "fee_fix": "0.50",
    "reserve_rate": "10",
    "reserve_lifetime": "1440",
    "refund_fee_fix": "0.54",
    "charge_back_fee_fix": "16.23",
}


@pytest.fixture(scope="module", autouse=True)
async def _rates(world: World) -> None:
    for pair, rate in RATES.items():
        await rates.counting(world.platform, *pair, rate)


@pytest.fixture(autouse=True)
def _line_works_and_time_is_real(world: World) -> Iterator[None]:
    world.platform.clock.test_offset = timedelta()
    yield
    world.wire.refund_fault = None


@pytest.fixture
async def shop(world: World) -> Account:
    """An account that pays nothing."""
    return await world.account(services=CARDS)


@pytest.fixture
async def dear(world: World, shop: Account) -> Account:
    """An account with every fee, in dollars, and a reserve."""
    await services.add(world.platform.pool, world.platform.clock, shop.account_id, USD, TERMS, by="ann")

    async def known() -> bool:
        service = await world.platform.accounts.service(shop.account_id, USD)
        return service is not None and service.charge_back_fee_fix > 0

    await until(known, what="the terms")
    return shop


async def paid(world: World, account: Account, asked: str = "100 EUR", service: str = USD) -> Invoice:
    amount, currency = asked.split()
    invoice = await world.invoice(account, service=service, currency=currency, amount=amount)
    await world.pay(invoice)
    return (await world.view(invoice)).invoice


async def payment_of(world: World, invoice: Invoice) -> Payment:
    payment = (await world.view(invoice)).payment
    assert payment is not None
    return payment


async def refund(world: World, invoice: Invoice, amount: str | None = None) -> Snapshot:
    """Refund an invoice, all that is left of it or an amount."""
    account = await world.platform.accounts.by_id(invoice.account_id)
    asked = RefundRequest(reference_id=str(uuid.uuid4()), amount=None if amount is None else Decimal(amount))
    refund_id = ids.new_id("ref", account.tag)
    begun, _ = await returns.request(world.platform, account, await world.view(invoice), asked, refund_id=refund_id)
    return await send(world.platform, begun)


async def charge_back(world: World, invoice: Invoice, amount: str = "") -> Snapshot:
    """Charge an amount of the service's currency back at the bank, and let Kassa hear of it."""
    payment = await payment_of(world, invoice)
    await world.charge_back(payment.payment_id, amount)
    now = world.platform.clock.now(test_mode=True)
    await payments.wake(world.platform.pool, payment.payment_id, account_id=payment.account_id, now=now, dispute=True)
    await world.ask(await world.platform.accounts.by_id(invoice.account_id))
    return await world.view(invoice)


async def given_back(world: World, invoice: Invoice) -> list[int]:
    """Return what the bank says that went back of an invoice."""
    payment = await payment_of(world, invoice)
    lines = await world.statement()
    return [line["amount"] for line in lines if line["order"] == payment.payment_id and line["kind"] != "PURCHASE"]


async def purses(world: World, account: Account) -> dict[tuple[LedgerAccount, str], int]:
    """Prove the books, their provider's purse against the bank in each currency, and return what is not empty."""
    await ledger.number(world.platform.pool, account.account_id)
    assert not (await ledger.verified(world.platform.pool, account.account_id)).problems
    found = await ledger.balances(world.platform.pool, account.account_id)
    rows = await world.platform.pool.fetch("SELECT payment_id FROM payments WHERE account_id = $1", account.account_id)
    known = {row["payment_id"] for row in rows}
    at_bank: Counter[str] = Counter()
    for line in await world.statement():
        if line["order"] in known:
            at_bank[line["currency"]] += line["amount"] if line["kind"] == "PURCHASE" else -line["amount"]
    booked = {currency: minor for (purse, currency), minor in found.items() if purse is LedgerAccount.PROVIDER}
    assert {currency: minor for currency, minor in booked.items() if minor} == {
        currency: minor for currency, minor in at_bank.items() if minor
    }
    return {key: minor for key, minor in found.items() if minor}


async def test_a_reserve_is_in_the_invoices_currency_and_pays_for_refunds_first(world: World, dear: Account) -> None:
    invoice = await paid(world, dear)
    # 0.50 USD are 0.46 EUR, 0.54 are 0.50, 16.23 are 15.
    assert (invoice.processed_fee, invoice.reserved_amount, invoice.reserve_left) == (46, 1_000, 1_000)
    position = {
        (LedgerAccount.PROVIDER, "USD"): 10_820,
        (LedgerAccount.EXCHANGE, "USD"): 10_820,
        (LedgerAccount.EXCHANGE, "EUR"): -10_000,
    }
    own = {
        (LedgerAccount.ACTIVE, "EUR"): 8_954,
        (LedgerAccount.RESERVED, "EUR"): 1_000,
        (LedgerAccount.FEES, "EUR"): 46,
    }
    assert await purses(world, dear) == position | own
    first = await refund(world, invoice, "4")
    assert (first.invoice.reserve_left, first.refunds[0].fee) == (600, 50)
    assert first.refunds[0].provider_amount == 433
    back = {
        (LedgerAccount.PROVIDER, "USD"): 10_387,
        (LedgerAccount.EXCHANGE, "USD"): 10_387,
        (LedgerAccount.EXCHANGE, "EUR"): -9_600,
    }
    own = {(LedgerAccount.ACTIVE, "EUR"): 8_904, (LedgerAccount.RESERVED, "EUR"): 600, (LedgerAccount.FEES, "EUR"): 96}
    assert await purses(world, dear) == back | own
    world.move_clock(days=2)
    assert await world.expire(dear) == 1
    own = {(LedgerAccount.ACTIVE, "EUR"): 9_504, (LedgerAccount.FEES, "EUR"): 96}
    assert await purses(world, dear) == back | own


@pytest.mark.parametrize(
    "asked,service,parts,back",
    [
        ("100 EUR", USD, ("33.33", "33.33", None), [3_606, 3_607, 3_607]),
        ("100 USD", JPY, ("0.01", "50", None), [2, 7_862, 7_862]),
        ("1001 JPY", KWD, ("333", "1", None), [699, 2, 1_401]),
    ],
)
async def test_parts_go_back_until_the_bank_has_given_all_it_took(
    world: World, shop: Account, *, asked: str, service: str, parts: tuple[str | None, ...], back: list[int]
) -> None:
    invoice = await paid(world, shop, asked, service)
    for part in parts:
        after = await refund(world, invoice, part)
        assert [each.provider_currency for each in after.refunds] == [invoice.service_currency] * len(after.refunds)
        assert after.invoice.status == ("refunded" if part is None else "partially_refunded")
        await purses(world, shop)
    assert await given_back(world, invoice) == back
    assert sum(back) == invoice.service_amount
    assert await purses(world, shop) == {}
    with pytest.raises(Invalid, match="nothing to refund"):
        await refund(world, invoice)


async def test_a_refund_that_failed_does_not_unsettle_the_sum(world: World, shop: Account) -> None:
    invoice = await paid(world, shop, "1000 JPY")
    world.wire.refund_fault = Fault.LOSE
    lost = (await refund(world, invoice, "3")).refunds[0]
    world.wire.refund_fault = None
    # One yen alone comes to nothing; with the three before it, it is a cent, and stays one when these fail.
    await refund(world, invoice, "1")
    await returns.apply_result(world.platform, lost, Declined(external_id=None, resolution="declined"))
    assert (await purses(world, shop))[LedgerAccount.ACTIVE, "JPY"] == 999
    await refund(world, invoice)
    assert await given_back(world, invoice) == [1, 399]
    assert await purses(world, shop) == {}


async def test_a_part_that_comes_to_nothing_at_the_bank_is_refused_and_changes_nothing(
    world: World, shop: Account
) -> None:
    invoice = await paid(world, shop, "1000 JPY")
    before, money = await world.view(invoice), await purses(world, shop)
    with pytest.raises(Invalid) as refused:
        await refund(world, invoice, "1")
    assert refused.value.errors == {"amount": "This value comes to nothing in USD."}
    assert (await world.view(invoice), await purses(world, shop)) == (before, money)


async def test_a_refund_that_is_told_of_late_is_booked_in_both_currencies(world: World, shop: Account) -> None:
    invoice = await paid(world, shop)
    world.wire.refund_fault = Fault.LOSE_ANSWER
    lost = (await refund(world, invoice, "40")).refunds[0]
    await returns.apply_result(world.platform, lost, Declined(external_id=None, resolution="declined"))
    assert (await world.view(invoice)).invoice.status == "refund_failed"
    done = Accepted(external_id="b", amount=lost.provider_amount, currency=lost.provider_currency)
    assert (lost.provider_amount, lost.provider_currency) == (4_328, "USD")
    after = await returns.apply_result(world.platform, lost, done)
    assert after.invoice.status == "partially_refunded"
    assert await purses(world, shop) == {
        (LedgerAccount.PROVIDER, "USD"): 6_492,
        (LedgerAccount.EXCHANGE, "USD"): 6_492,
        (LedgerAccount.EXCHANGE, "EUR"): -6_000,
        (LedgerAccount.ACTIVE, "EUR"): 6_000,
    }


async def test_a_charge_back_is_told_in_the_services_currency_and_takes_the_invoices(
    world: World, dear: Account
) -> None:
    invoice = await paid(world, dear)
    for amount, total, there in (("32.46", 3_000, 3_246), ("0.01", 3_001, 3_247)):
        found = await charge_back(world, invoice, amount)
        assert (found.invoice.status, found.charged_back_amount) == ("partially_charged_back", total)
        assert found.charged_back_service_amount == there
        await purses(world, dear)
    found = await charge_back(world, invoice)
    assert (found.invoice.status, found.charged_back_amount, found.invoice.moderation_required) == (
        "charged_back",
        10_000,
        False,
    )
    assert found.invoice.reserve_left == 0
    # Three charge-backs and the payment itself have cost something; nothing is left of the conversion.
    assert await purses(world, dear) == {(LedgerAccount.ACTIVE, "EUR"): -4_546, (LedgerAccount.FEES, "EUR"): 4_546}


@pytest.mark.parametrize(
    "asked,service,part,rest",
    [("100 EUR", USD, "33.33", "72.14"), ("100 USD", JPY, "0.01", "15724"), ("1001 JPY", KWD, "333", "1.403")],
)
async def test_the_rest_of_what_was_refunded_is_charged_back(
    world: World, shop: Account, *, asked: str, service: str, part: str, rest: str
) -> None:
    invoice = await paid(world, shop, asked, service)
    one = (await refund(world, invoice, part)).refunds[0]
    found = await charge_back(world, invoice, rest)
    assert (found.invoice.status, found.invoice.moderation_required) == ("charged_back", False)
    assert one.amount + found.charged_back_amount == invoice.processed_amount
    assert await purses(world, shop) == {}


async def test_a_bank_that_takes_back_what_was_refunded_is_believed(world: World, shop: Account) -> None:
    invoice = await paid(world, shop)
    await refund(world, invoice)
    found = await charge_back(world, invoice, "54.10")
    assert (found.invoice.status, found.charged_back_amount, found.invoice.moderation_required) == (
        "charged_back",
        5_000,
        True,
    )
    assert await purses(world, shop) == {
        (LedgerAccount.PROVIDER, "USD"): -5_410,
        (LedgerAccount.EXCHANGE, "USD"): -5_410,
        (LedgerAccount.EXCHANGE, "EUR"): 5_000,
        (LedgerAccount.ACTIVE, "EUR"): -5_000,
    }


# Moderation -----------------------------------------------------------------------------------------------------------


async def held(world: World, account: Account, rule: AmountRule) -> Invoice:
    """Have a rule look at a payment of 100 EUR that are 108.20 USD."""
    await moderation.add_rule(world.platform.pool, account.account_id, rule, now=account.created_at, by="ann")

    async def known() -> bool:
        return bool(await world.platform.accounts.moderation_rules(account.account_id))

    await until(known, what="the rule")
    return await paid(world, account)


@pytest.mark.parametrize(
    "currency,at_least,status",
    [
        ("USD", 10_820, "process_error"),
        ("USD", 10_821, "processed"),
        ("EUR", 10_000, "process_error"),
        ("EUR", 10_001, "processed"),
        ("JPY", 1, "processed"),
    ],
)
async def test_a_rule_on_the_amount_looks_at_both_currencies(
    world: World, shop: Account, currency: str, at_least: int, status: str
) -> None:
    invoice = await held(world, shop, AmountRule(currency=currency, at_least=at_least))
    assert invoice.status == status


async def test_what_is_approved_is_converted_then(world: World, dear: Account) -> None:
    invoice = await held(world, dear, AmountRule(currency="EUR", at_least=1))
    assert await purses(world, dear) == {
        (LedgerAccount.PROVIDER, "USD"): 10_820,
        (LedgerAccount.PENDING, "USD"): 10_820,
    }
    after = (await decide(world.platform, dear, invoice.invoice_id, Verdict.APPROVED, by="operator Ann")).invoice
    assert (after.status, after.processed_amount, after.reserve_left) == ("processed", 10_000, 1_000)
    assert await purses(world, dear) == {
        (LedgerAccount.PROVIDER, "USD"): 10_820,
        (LedgerAccount.EXCHANGE, "USD"): 10_820,
        (LedgerAccount.EXCHANGE, "EUR"): -10_000,
        (LedgerAccount.ACTIVE, "EUR"): 8_954,
        (LedgerAccount.RESERVED, "EUR"): 1_000,
        (LedgerAccount.FEES, "EUR"): 46,
    }
    await refund(world, invoice, "99.99")
    await refund(world, invoice)
    assert await given_back(world, invoice) == [10_819, 1]
    # What all of it has cost.
    assert await purses(world, dear) == {(LedgerAccount.ACTIVE, "EUR"): -146, (LedgerAccount.FEES, "EUR"): 146}


async def test_what_is_rejected_goes_back_as_it_came(world: World, dear: Account) -> None:
    invoice = await held(world, dear, AmountRule(currency="EUR", at_least=1))
    await decide(world.platform, dear, invoice.invoice_id, Verdict.REJECTED, by="operator Ann")
    assert await world.ask(dear) == 1
    assert (await world.changes(invoice)).attempts == ["refunded"]
    assert await given_back(world, invoice) == [10_820]
    assert await purses(world, dear) == {}


async def taken_otherwise(
    world: World, account: Account, *, asked: str, service: str, taken: int, code: str
) -> Invoice:
    """Have a provider take something else than it was asked for; the bank knows nothing of it."""
    amount, currency = asked.split()
    invoice = await world.invoice(account, service=service, currency=currency, amount=amount)
    payment = await world.begin(invoice, card=None)
    outcome = Accepted(external_id="tx", amount=taken, currency=code)
    return (await invoices.apply_result(world.platform, payment, outcome)).invoice


@pytest.mark.parametrize(
    "asked,service,taken,status,amount",
    [
        ("100 EUR", USD, 10_712, "partially_processed", 9_900),
        ("100 EUR", USD, 10_819, "partially_processed", 9_999),
        ("100 EUR", USD, 21_640, "processed", 20_000),
        # 2101 thousandths of a dinar are 1000.48 yen: the rounding stays with the gateway until all of it goes back.
        ("1001 JPY", KWD, 2_101, "partially_processed", 1_000),
    ],
)
async def test_another_amount_is_approved_as_what_it_comes_to_at_the_invoices_rate(
    world: World, shop: Account, *, asked: str, service: str, taken: int, status: str, amount: int
) -> None:
    currency = asked.split()[1]
    code = "USD" if service == USD else "KWD"
    invoice = await taken_otherwise(world, shop, asked=asked, service=service, taken=taken, code=code)
    after = (await decide(world.platform, shop, invoice.invoice_id, Verdict.APPROVED, by="operator Ann")).invoice
    assert (after.status, after.processed_amount) == (status, amount)
    assert await booked(world, shop) == {
        (LedgerAccount.PROVIDER, code): taken,
        (LedgerAccount.EXCHANGE, code): taken,
        (LedgerAccount.EXCHANGE, currency): -amount,
        (LedgerAccount.ACTIVE, currency): amount,
    }
    begun = await world.begin_refund(invoice)
    assert (begun.amount, begun.provider_amount, begun.provider_currency) == (amount, taken, code)
    await returns.apply_result(world.platform, begun, Accepted(external_id="b", amount=taken, currency=code))
    assert await booked(world, shop) == {}


async def booked(world: World, account: Account) -> dict[tuple[LedgerAccount, str], int]:
    """Prove the books alone, and return what is not empty."""
    await ledger.number(world.platform.pool, account.account_id)
    assert not (await ledger.verified(world.platform.pool, account.account_id)).problems
    found = await ledger.balances(world.platform.pool, account.account_id)
    return {key: minor for key, minor in found.items() if minor}


@pytest.mark.parametrize("taken,code", [(10_820, "EUR"), (10_000, "EUR"), (10_820, "GBP")])
async def test_another_currency_than_asked_for_cannot_be_approved(
    world: World, shop: Account, taken: int, code: str
) -> None:
    invoice = await taken_otherwise(world, shop, asked="100 EUR", service=USD, taken=taken, code=code)
    before = await world.view(invoice)
    with pytest.raises(NotApprovable):
        await decide(world.platform, shop, invoice.invoice_id, Verdict.APPROVED, by="operator Ann")
    assert await world.view(invoice) == before
    assert await booked(world, shop) == {(LedgerAccount.PROVIDER, code): taken, (LedgerAccount.PENDING, code): taken}


# Late -----------------------------------------------------------------------------------------------------------------


async def test_a_late_success_is_converted_and_may_be_refunded(world: World, shop: Account) -> None:
    invoice = await world.invoice(shop, service=USD, currency="EUR", amount="100")
    await world.pay(invoice, expiry="07/77")
    payment = await payment_of(world, invoice)
    world.move_clock(minutes=31)
    await world.expire(shop)
    await world.decide(payment.payment_id, "approve")
    world.move_clock(minutes=10)
    await world.ask(shop)
    assert (await world.view(invoice)).invoice.status == "processed"
    assert (await purses(world, shop))[LedgerAccount.ACTIVE, "EUR"] == 10_000
    await refund(world, invoice)
    assert await given_back(world, invoice) == [10_820]
    assert await purses(world, shop) == {}
