"""What follows from a refund and its answers, on a real database and with the real bank; the books are compared."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from kassa.accounts.model import Account
from kassa.errors import Invalid
from kassa.invoices.operations import refund as operations
from kassa.invoices.operations.refund import RefundPolling, send
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import ABSENT_AFTER, POLL_AFTER_BEGIN, RECHECK_AFTER
from kassa.invoices.rules.records import Refund
from kassa.invoices.rules.snapshot import Snapshot
from kassa.ledger.model import LedgerAccount
from kassa.providers.protocol import Accepted, Declined, Pending
from tests.support import ledger, working
from tests.support.wire import Fault
from tests.support.world import World

LATE = ABSENT_AFTER.total_seconds() + 1
CALLBACKS = "http://127.0.0.1:9/"


@pytest.fixture(autouse=True)
def _line_works_and_time_is_real(world: World) -> Iterator[None]:
    world.platform.clock.test_offset = timedelta()
    world.wire.refunds.clear()
    world.wire.calls.clear()
    yield
    world.wire.refund_fault = None
    world.wire.let_go.set()
    world.wire.let_go = asyncio.Event()
    world.wire.held = asyncio.Event()


async def paid(world: World, **options: str) -> tuple[Account, Invoice]:
    """Return an invoice of 100 dollars that is paid, and its account."""
    account = await world.account(callback_url=CALLBACKS, **options)
    invoice = await world.invoice(account)
    await world.pay(invoice)
    return account, (await world.view(invoice)).invoice


async def purses(world: World, account: Account) -> dict[str, int]:
    """Return what an account's purses hold, when the books prove to be whole; empty ones are left out."""
    report = await ledger.verified(world.platform.pool, account.account_id)
    assert not report.problems
    found = await ledger.balances(world.platform.pool, account.account_id)
    assert {currency for _, currency in found} <= {"USD"}
    return {str(purse): minor for (purse, _), minor in found.items() if minor}


async def given_back(world: World, invoice: Invoice) -> list[int]:
    """Return what the bank says that went back of an invoice."""
    payment = (await world.view(invoice)).payment
    assert payment is not None
    lines = await world.statement()
    return [line["amount"] for line in lines if (line["order"], line["kind"]) == (payment.payment_id, "REFUND")]


def facts(view: Snapshot) -> tuple[Invoice, tuple[Refund, ...]]:
    """Return all that a view holds of an invoice but the log of its callbacks."""
    return view.invoice, view.refunds


def statuses(view: Snapshot) -> tuple[str, list[str]]:
    return view.invoice.status, [refund.status for refund in view.refunds]


async def test_a_whole_refund_goes_back_at_once_and_is_booked_and_told(world: World) -> None:
    account, invoice = await paid(world)
    after = await world.refund(invoice)
    assert statuses(after) == ("refunded", ["refunded"])
    assert facts(after) == facts(await world.view(invoice))
    assert await purses(world, account) == {}
    assert await given_back(world, invoice) == [10_000]
    assert (await world.told(invoice))[1:] == ["processed", "refunding", "refunded"]


async def test_parts_go_back_until_nothing_is_left(world: World) -> None:
    account, invoice = await paid(world)
    assert statuses(await world.refund(invoice, 30)) == ("partially_refunded", ["refunded"])
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 7_000, LedgerAccount.ACTIVE: 7_000}
    assert statuses(await world.refund(invoice)) == ("refunded", ["refunded", "refunded"])
    with pytest.raises(Invalid, match="nothing to refund"):
        await world.refund(invoice)
    assert await given_back(world, invoice) == [3_000, 7_000]
    assert await purses(world, account) == {}


async def test_of_twenty_refunds_side_by_side_as_many_are_made_as_fit(world: World) -> None:
    account, invoice = await paid(world)
    results = await asyncio.gather(*(world.refund(invoice, 15) for _ in range(20)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, BaseException)]
    assert [type(error) for error in refused] == [Invalid] * 14
    assert len(world.wire.refunds) == len(set(world.wire.refunds)) == 6
    assert await given_back(world, invoice) == [1_500] * 6
    assert statuses(await world.view(invoice)) == ("partially_refunded", ["refunded"] * 6)
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 1_000, LedgerAccount.ACTIVE: 1_000}


async def test_of_refunds_of_one_name_side_by_side_one_is_made_whichever_invoice_it_is_of(world: World) -> None:
    account, invoice = await paid(world)
    other = await world.invoice(account)
    await world.pay(other)
    asked = [world.refund(each, 1, "one") for each in (invoice, other) for _ in range(10)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(result, Snapshot) for result in results) == 1
    assert len(world.wire.refunds) == 1
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 19_900, LedgerAccount.ACTIVE: 19_900}


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.GARBLE])
async def test_a_refund_whose_answer_is_lost_is_asked_about_and_never_sent_twice(world: World, fault: Fault) -> None:
    account, invoice = await paid(world)
    world.wire.refund_fault = fault
    assert statuses(await world.refund(invoice, 40)) == ("refund_pending", ["refund_pending"])
    assert await purses(world, account) == {
        LedgerAccount.PROVIDER: 10_000,
        LedgerAccount.ACTIVE: 6_000,
        LedgerAccount.PENDING: 4_000,
    }
    assert await world.ask_about_refunds(account) == 0
    world.move_clock(seconds=5)
    assert await world.ask_about_refunds(account) == 1
    assert statuses(await world.view(invoice)) == ("partially_refunded", ["refunded"])
    assert (await given_back(world, invoice), len(world.wire.refunds)) == ([4_000], 1)
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 6_000, LedgerAccount.ACTIVE: 6_000}
    assert (await world.told(invoice))[2:] == ["refunding", "refund_pending", "partially_refunded"]
    world.move_clock(days=1)
    assert await world.ask_about_refunds(account) == 0


async def test_a_refund_that_never_arrived_fails_and_its_money_is_the_merchants_again(world: World) -> None:
    account, invoice = await paid(world)
    world.wire.refund_fault = Fault.LOSE
    await world.refund(invoice)
    world.move_clock(seconds=5)
    await world.ask_about_refunds(account)
    assert statuses(await world.view(invoice)) == ("refund_pending", ["refund_pending"])
    with pytest.raises(Invalid):
        await world.refund(invoice, 1)
    world.move_clock(seconds=LATE)
    await world.ask_about_refunds(account)
    failed = await world.view(invoice)
    assert (statuses(failed), failed.invoice.resolution) == (("refund_failed", ["refund_failed"]), "provider_error")
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 10_000, LedgerAccount.ACTIVE: 10_000}
    assert (len(world.wire.refunds), await given_back(world, invoice)) == (1, [])
    world.wire.refund_fault = None
    assert statuses(await world.refund(invoice)) == ("refunded", ["refund_failed", "refunded"])
    world.move_clock(seconds=RECHECK_AFTER.total_seconds() + LATE)
    assert await world.ask_about_refunds(account) == 1
    world.move_clock(days=1)
    assert await world.ask_about_refunds(account) == 0


async def test_one_whose_request_died_before_it_was_sent_is_asked_about_in_its_time_and_fails(world: World) -> None:
    account, invoice = await paid(world)
    await world.begin_refund(invoice)
    assert statuses(await world.view(invoice)) == ("refunding", ["refund_pending"])
    world.move_clock(seconds=POLL_AFTER_BEGIN.total_seconds() - 1)
    assert await world.ask_about_refunds(account) == 0
    world.move_clock(seconds=2)
    assert await world.ask_about_refunds(account) == 1
    assert statuses(await world.view(invoice)) == ("refund_pending", ["refund_pending"])
    world.move_clock(seconds=LATE)
    await world.ask_about_refunds(account)
    assert statuses(await world.view(invoice)) == ("refund_failed", ["refund_failed"])
    assert world.wire.refunds == []
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 10_000, LedgerAccount.ACTIVE: 10_000}


async def test_a_process_that_stood_still_does_not_send_a_refund_that_others_have_given_up(world: World) -> None:
    account, invoice = await paid(world)
    begun = await world.begin_refund(invoice, 40)
    world.move_clock(seconds=LATE)
    await world.ask_about_refunds(account)
    assert statuses(await world.refund(invoice, 40)) == ("partially_refunded", ["refund_failed", "refunded"])
    assert statuses(await send(world.platform, begun)) == ("partially_refunded", ["refund_failed", "refunded"])
    assert (len(world.wire.refunds), await given_back(world, invoice)) == (1, [4_000])
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 6_000, LedgerAccount.ACTIVE: 6_000}


async def test_one_that_was_given_up_and_went_back_after_all_is_booked(world: World) -> None:
    account, invoice = await paid(world)
    world.wire.refund_fault = Fault.HOLD
    refunding = asyncio.create_task(world.refund(invoice, 40))
    await world.wire.held.wait()
    world.move_clock(seconds=LATE)
    await world.ask_about_refunds(account)
    assert statuses(await world.view(invoice)) == ("refund_failed", ["refund_failed"])
    world.wire.let_go.set()
    assert statuses(await refunding) == ("partially_refunded", ["refunded"])
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 6_000, LedgerAccount.ACTIVE: 6_000}
    assert await given_back(world, invoice) == [4_000]


async def test_more_back_than_was_taken_calls_for_a_person(world: World) -> None:
    account, invoice = await paid(world)
    world.wire.refund_fault = Fault.LOSE
    failed = (await world.refund(invoice)).refunds[0]
    world.move_clock(seconds=LATE)
    await world.ask_about_refunds(account)
    world.wire.refund_fault = None
    assert not (await world.refund(invoice)).invoice.moderation_required
    late = Accepted(external_id="late", amount=10_000, currency="USD")
    after = await operations.apply_result(world.platform, failed, late)
    assert (statuses(after), after.invoice.moderation_required) == (("refunded", ["refunded", "refunded"]), True)
    assert await purses(world, account) == {LedgerAccount.PROVIDER: -10_000, LedgerAccount.ACTIVE: -10_000}


async def test_a_decline_ends_it_with_the_banks_reason(world: World) -> None:
    account, invoice = await paid(world)
    payment = (await world.view(invoice)).payment
    assert payment is not None
    # Nobody listens where the bank tells of it, so Kassa does not know.
    await world.charge_back(payment.payment_id, "99.99")
    after = await world.refund(invoice, 1)
    assert (statuses(after), after.invoice.resolution) == (("refund_failed", ["refund_failed"]), "invalid_amount")
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 10_000, LedgerAccount.ACTIVE: 10_000}
    assert (await world.told(invoice))[-2:] == ["refunding", "refund_failed"]


async def test_what_went_back_otherwise_than_asked_waits_for_a_person(world: World) -> None:
    account, invoice = await paid(world)
    world.wire.refund_fault = Fault.LOSE
    begun = (await world.refund(invoice, 40)).refunds[0]
    after = await operations.apply_result(
        world.platform, begun, Accepted(external_id="b", amount=3_999, currency="USD")
    )
    assert (statuses(after), after.invoice.moderation_required) == (("refund_error", ["refund_error"]), True)
    assert await purses(world, account) == {
        LedgerAccount.PROVIDER: 10_000,
        LedgerAccount.ACTIVE: 6_000,
        LedgerAccount.PENDING: 4_000,
    }
    with pytest.raises(Invalid, match="nothing to refund"):
        await world.refund(invoice, 1)
    for outcome in (Pending(), Declined(external_id=None, resolution="declined")):
        assert facts(await operations.apply_result(world.platform, begun, outcome)) == facts(after)


async def test_answers_that_come_again_change_nothing(world: World) -> None:
    account, invoice = await paid(world)
    after = await world.refund(invoice, 40)
    done = after.refunds[0]
    accepted = Accepted(external_id="again", amount=4_000, currency="USD")
    results = await asyncio.gather(*(operations.apply_result(world.platform, done, accepted) for _ in range(5)))
    assert [facts(result) for result in results] == [facts(after)] * 5
    assert await purses(world, account) == {LedgerAccount.PROVIDER: 6_000, LedgerAccount.ACTIVE: 6_000}


async def test_the_fee_of_a_refund_is_paid_when_it_is_done(world: World) -> None:
    account, invoice = await paid(world)
    await world.set_terms(account, refund_fee_fix="0.50")
    await world.refund(invoice, 40)
    assert await purses(world, account) == {
        LedgerAccount.PROVIDER: 6_000,
        LedgerAccount.ACTIVE: 5_950,
        LedgerAccount.FEES: 50,
    }
    world.wire.refund_fault = Fault.LOSE
    await world.refund(invoice, 10)
    world.move_clock(seconds=LATE)
    await world.ask_about_refunds(account)
    view = await world.view(invoice)
    assert (statuses(view), [each.fee for each in view.refunds]) == (
        ("partially_refunded", ["refunded", "refund_failed"]),
        [50, 50],
    )
    assert await purses(world, account) == {
        LedgerAccount.PROVIDER: 6_000,
        LedgerAccount.ACTIVE: 5_950,
        LedgerAccount.FEES: 50,
    }


async def test_a_claim_that_is_released_is_due_at_once(world: World) -> None:
    account, invoice = await paid(world)
    world.wire.refund_fault = Fault.LOSE
    await world.refund(invoice)
    world.move_clock(seconds=LATE)
    job, now = RefundPolling(world.platform), world.platform.clock.now(test_mode=True)
    leases = await working.leased(world.pool, job, account.account_id, now)
    assert (len(leases), await world.ask_about_refunds(account)) == (1, 0)
    await working.claims(world.pool, job).release(leases, now)
    assert await world.ask_about_refunds(account) == 1
