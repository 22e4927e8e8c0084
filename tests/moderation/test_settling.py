"""Money that went back otherwise than asked: once a person has settled it, both books agree and nothing is pending."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from kassa.accounts.model import Account
from kassa.errors import Invalid, NothingToDecide
from kassa.invoices.document import building as document
from kassa.invoices.operations import refund as returns
from kassa.invoices.operations.review import decide, send_back, settle
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.records import Refund, RefundStatus
from kassa.ledger.model import LedgerAccount
from kassa.moderation import operations as moderation
from kassa.moderation import queries
from kassa.moderation.model import AmountRule, Verdict
from kassa.moderation.queries import SentBack
from kassa.providers import protocol
from kassa.providers.protocol import Declined
from tests.support import books, ledger, rates
from tests.support.reconciling import compare_later, write
from tests.support.wire import Fault
from tests.support.world import World

ANN = "operator Ann"
TERMS = {"refund_fee_fix": "0.50", "reserve_rate": "10", "reserve_lifetime": "60"}
LESS, MORE, OTHER = "amount = 3000", "amount = 4500", "currency = 'EUR'"


@pytest.fixture(autouse=True)
async def _books_agree(world: World) -> AsyncIterator[None]:
    world.platform.clock.test_offset = timedelta()
    yield
    assert await books.differences(world, world.bank_url) == []


@pytest.fixture(autouse=True)
def _line_works(world: World) -> Iterator[None]:
    yield
    world.wire.refund_fault = None


async def paid(world: World, **asked: Any) -> tuple[Account, Invoice]:
    """Return an account and its paid invoice of 100, of which 10 are reserved."""
    account = await world.account(callback_url="http://127.0.0.1:9/")
    await world.set_terms(account, **TERMS)
    invoice = await world.invoice(account, **asked)
    await world.pay(invoice)
    return account, (await world.view(invoice)).invoice


async def refunded(world: World, invoice: Invoice, change: str) -> Refund:
    """Ask for 40 back, let the bank make it otherwise, and hear of it."""
    world.wire.refund_fault = Fault.LOSE_ANSWER
    begun = (await world.refund(invoice, 40)).refunds[-1]
    world.wire.refund_fault = None
    assert write(world, f"UPDATE refunds SET {change} WHERE refund_ref = ?", begun.refund_id) == 1
    world.move_clock(minutes=1)
    assert await world.ask_about_refunds(await world.platform.accounts.by_id(invoice.account_id)) == 1
    view = await world.view(invoice)
    assert (view.invoice.status, view.refunds[-1].status) == ("refund_error", "refund_error")
    return view.refunds[-1]


async def purses(world: World, account: Account) -> dict[tuple[str, str], int]:
    await ledger.number(world.pool, account.account_id)
    found = await ledger.balances(world.pool, account.account_id)
    return {(str(purse), currency): minor for (purse, currency), minor in found.items() if minor}


async def members(world: World, account: Account, invoice: Invoice) -> Any:
    return document.private(world.platform, account, await world.view(invoice)).data.attributes


@pytest.mark.parametrize(
    "change, back, kept",
    [
        (LESS, 3_000, {LedgerAccount.PROVIDER: 7_000, LedgerAccount.ACTIVE: 5_950, LedgerAccount.RESERVED: 1_000}),
        (MORE, 4_500, {LedgerAccount.PROVIDER: 5_500, LedgerAccount.ACTIVE: 5_450}),
        ("amount = 1", 1, {LedgerAccount.PROVIDER: 9_999, LedgerAccount.ACTIVE: 8_949, LedgerAccount.RESERVED: 1_000}),
    ],
    ids=["less", "more", "hardly anything"],
)
async def test_a_refund_is_booked_as_the_provider_made_it(
    world: World, change: str, back: int, kept: dict[LedgerAccount, int]
) -> None:
    account, invoice = await paid(world)
    wrong = await refunded(world, invoice, change)
    assert (await purses(world, account))[LedgerAccount.PENDING, "USD"] == 4_000
    (waiting,) = await queries.waiting(world.pool, account_id=account.account_id)
    assert waiting.sent_back == [
        SentBack(asked_amount=4_000, asked_currency="USD", amount=back, currency="USD"),
    ]
    view = await settle(world.platform, account, invoice.invoice_id, by=ANN, note="the bank keeps it so")
    assert (view.invoice.status, view.invoice.resolution) == ("partially_refunded", "ok")
    assert not view.invoice.moderation_required
    assert await purses(world, account) == {
        (each, "USD"): minor for each, minor in {**kept, LedgerAccount.FEES: 50}.items()
    }
    assert (await world.told(invoice))[-2:] == ["refund_error", "partially_refunded"]
    told = await members(world, account, invoice)
    assert (bytes(told.refunded_amount), bytes(told.refunded_fee)) == (_text(back), b"0.5")
    (shown,) = told.refunds
    assert (bytes(shown.amount), bytes(shown.refunded_amount), shown.status) == (b"40", _text(back), "refunded")
    assert await queries.waiting(world.pool, account_id=account.account_id) == []
    result = await compare_later(world, account)
    assert (result.kinds, result.open) == ({}, 0)
    with pytest.raises(NothingToDecide):
        await settle(world.platform, account, invoice.invoice_id, by=ANN, note="again")
    # What is left may go back, and no more (P5).
    with pytest.raises(Invalid):
        await world.refund(invoice, (10_000 - back) // 100 + 1)
    rest = await world.refund(invoice)
    assert (rest.invoice.status, sum(each.counted for each in rest.refunds)) == ("refunded", 10_000)
    assert (await purses(world, account)).get((LedgerAccount.PENDING, "USD")) is None
    assert wrong.amount == rest.refunds[0].amount == 4_000


def _text(minor: int) -> bytes:
    return f"{minor / 100:.2f}".rstrip("0").rstrip(".").encode()


async def test_one_that_went_back_in_another_currency_counts_as_asked_and_is_the_gateways_exchange(
    world: World,
) -> None:
    account, invoice = await paid(world)
    await refunded(world, invoice, OTHER)
    view = await settle(world.platform, account, invoice.invoice_id, by=ANN, note="they sent euros")
    assert (view.invoice.status, view.refunds[0].counted) == ("partially_refunded", 4_000)
    assert await purses(world, account) == {
        (LedgerAccount.PROVIDER, "USD"): 10_000,
        (LedgerAccount.PROVIDER, "EUR"): -4_000,
        (LedgerAccount.EXCHANGE, "USD"): 4_000,
        (LedgerAccount.EXCHANGE, "EUR"): -4_000,
        (LedgerAccount.ACTIVE, "USD"): 5_950,
        (LedgerAccount.FEES, "USD"): 50,
    }
    assert (await world.refund(invoice)).invoice.status == "refunded"


async def test_a_converted_one_is_worth_what_its_invoices_rate_says(world: World) -> None:
    await rates.counting(world.platform, "EUR", "USD", "1.082")
    account, invoice = await paid(world, currency="EUR")
    wrong = await refunded(world, invoice, "amount = 2164")
    assert wrong.provider_amount == 4_328
    view = await settle(world.platform, account, invoice.invoice_id, by=ANN, note="half of it")
    assert (view.invoice.status, view.refunds[0].counted) == ("partially_refunded", 2_000)
    rest = await world.refund(invoice)
    assert (rest.invoice.status, rest.refunds[1].amount, rest.refunds[1].provider_amount) == ("refunded", 8_000, 8_656)
    # The fees of two refunds, each half a dollar, and nothing of the conversion.
    assert await purses(world, account) == {(LedgerAccount.ACTIVE, "EUR"): -92, (LedgerAccount.FEES, "EUR"): 92}


async def test_one_that_was_given_up_is_set_aside_again_until_it_is_settled(world: World) -> None:
    account, invoice = await paid(world)
    world.wire.refund_fault = Fault.LOSE_ANSWER
    begun = (await world.refund(invoice, 40)).refunds[0]
    world.wire.refund_fault = None
    await returns.apply_result(world.platform, begun, Declined(external_id=None, resolution="general_decline"))
    assert (await purses(world, account)).get((LedgerAccount.PENDING, "USD")) is None
    write(world, f"UPDATE refunds SET {LESS} WHERE refund_ref = ?", begun.refund_id)
    assert (await compare_later(world, account)).asked == 1
    assert await world.ask_about_refunds(account) == 1
    assert (await world.view(invoice)).refunds[0].status == "refund_error"
    assert await purses(world, account) == {
        (LedgerAccount.PROVIDER, "USD"): 10_000,
        (LedgerAccount.ACTIVE, "USD"): 6_000,
        (LedgerAccount.PENDING, "USD"): 4_000,
    }
    await settle(world.platform, account, invoice.invoice_id, by=ANN, note="so be it")
    assert await purses(world, account) == {
        (LedgerAccount.PROVIDER, "USD"): 7_000,
        (LedgerAccount.ACTIVE, "USD"): 5_950,
        (LedgerAccount.RESERVED, "USD"): 1_000,
        (LedgerAccount.FEES, "USD"): 50,
    }


async def test_two_of_one_invoice_are_settled_together_while_a_third_waits_on(world: World) -> None:
    account, invoice = await paid(world)
    world.wire.refund_fault = Fault.LOSE_ANSWER
    wrong = [(await world.refund(invoice, amount)).refunds[-1] for amount in (40, 30, 20)]
    world.wire.refund_fault = None
    for refund, change in zip(wrong, (3_000, 3_500), strict=False):
        write(world, "UPDATE refunds SET amount = ? WHERE refund_ref = ?", change, refund.refund_id)
    world.move_clock(minutes=1)
    rows = {each.refund_id for each in wrong[:2]}
    await world.pool.execute(
        "UPDATE refunds SET due_at = due_at + interval '1 day' WHERE refund_id = $1", wrong[2].refund_id
    )
    assert await world.ask_about_refunds(account) == 2
    assert {each.refund_id for each in (await world.view(invoice)).refunds if each.status == "refund_error"} == rows
    view = await settle(world.platform, account, invoice.invoice_id, by=ANN, note="so be it")
    assert (view.invoice.status, [each.counted for each in view.refunds]) == ("refund_pending", [3_000, 3_500, 2_000])
    assert (await purses(world, account))[LedgerAccount.PENDING, "USD"] == 2_000
    world.move_clock(days=2)
    await world.ask_about_refunds(account)
    assert (await world.view(invoice)).invoice.status == "partially_refunded"
    assert (await purses(world, account))[LedgerAccount.PROVIDER, "USD"] == 1_500


@pytest.mark.parametrize(
    "change, kept, shown",
    [
        ("amount = 9000", {(LedgerAccount.PROVIDER, "USD"): 1_000, (LedgerAccount.ACTIVE, "USD"): 1_000}, b"90"),
        ("amount = 10500", {(LedgerAccount.PROVIDER, "USD"): -500, (LedgerAccount.ACTIVE, "USD"): -500}, b"105"),
        (
            OTHER,
            {
                (LedgerAccount.PROVIDER, "USD"): 10_000,
                (LedgerAccount.PROVIDER, "EUR"): -10_000,
                (LedgerAccount.EXCHANGE, "USD"): 10_000,
                (LedgerAccount.EXCHANGE, "EUR"): -10_000,
            },
            b"100",
        ),
    ],
    ids=["less", "more", "another currency"],
)
async def test_money_that_was_nobodys_is_booked_as_it_went_back(
    world: World, change: str, kept: dict[tuple[LedgerAccount, str], int], shown: bytes
) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    rule = AmountRule(currency="USD", at_least=10_000)
    await moderation.add_rule(world.pool, account.account_id, rule, now=account.created_at, by="ann")
    invoice = await world.invoice(account)
    await world.pay(invoice)
    await decide(world.platform, account, invoice.invoice_id, Verdict.REJECTED, by=ANN)
    world.wire.refund_fault = Fault.LOSE_ANSWER
    await world.ask(account)
    world.wire.refund_fault = None
    payment_id = (await world.view(invoice)).invoice.payment_id
    assert write(world, f"UPDATE refunds SET {change} WHERE order_ref = ?", payment_id) == 1
    world.move_clock(minutes=1)
    await _hear(world, account, invoice)
    assert (await purses(world, account))[LedgerAccount.PENDING, "USD"] == 10_000
    with pytest.raises(NothingToDecide):
        await send_back(world.platform, account, invoice.invoice_id, by=ANN)
    view = await settle(world.platform, account, invoice.invoice_id, by=ANN, note="so be it")
    assert (await world.changes(invoice)).attempts == ["refunded"]
    assert view.invoice.status == "process_failed"
    assert not view.invoice.moderation_required
    assert await purses(world, account) == kept
    assert bytes((await members(world, account, invoice)).refunded_amount) == shown
    decided = await queries.decisions(world.pool, invoice.invoice_id, account_id=account.account_id)
    assert [each.verdict for each in decided] == ["held", "rejected", "settled"]
    assert (await compare_later(world, account)).kinds == {}


async def _hear(world: World, account: Account, invoice: Invoice) -> None:
    """Ask the bank what it made of the return, and apply that."""
    view = await world.view(invoice)
    (back,), payment = view.refunds, view.payment
    assert payment is not None
    assert back.status is RefundStatus.REFUND_PENDING
    route = await world.platform.accounts.credentials(account.account_id, payment.provider_account_id)
    provider = world.platform.providers.get(payment.provider)
    asked = protocol.Refund(
        refund_id=back.refund_id,
        payment_id=payment.payment_id,
        external_id=payment.external_id,
        amount=back.provider_amount,
        currency=back.provider_currency,
    )
    outcome = await provider.status(route.credentials, asked)
    await returns.apply_result(world.platform, back, outcome)
    assert (await world.view(invoice)).invoice.moderation_required
