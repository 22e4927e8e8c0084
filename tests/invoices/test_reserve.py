"""The reserve on a real database with the real bank: held with the payment, released once, whoever and whenever."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from kassa.accounts.model import Account
from kassa.accounts.services import operations as services
from kassa.errors import NotFound
from kassa.invoices.operations import changing
from kassa.invoices.operations import pay as operations
from kassa.invoices.operations import refund as returns
from kassa.invoices.operations.expire import Expiring, release
from kassa.invoices.rules.invoice import Invoice, Status
from kassa.invoices.rules.reserve import use
from kassa.invoices.rules.snapshot import Change, Event, Snapshot
from kassa.ledger.model import Entry, LedgerAccount, transfers
from kassa.providers.protocol import Accepted
from tests.support import ledger, working
from tests.support.api import CARD_USD
from tests.support.postgres import Database
from tests.support.waiting import until
from tests.support.wire import Fault
from tests.support.world import World

CARD_EUR, CARD_JPY, CARD_KWD = (f"payment_card_{currency}_hpp" for currency in ("eur", "jpy", "kwd"))
DAY = 24 * 60


@pytest.fixture(autouse=True)
def _time_is_real(world: World) -> Iterator[None]:
    world.platform.clock.test_offset = timedelta()
    yield
    world.wire.fault = world.wire.refund_fault = None


async def shop(world: World, rate: str = "10", lifetime: int = DAY, **options: str) -> Account:
    """Return an account whose card payments cost 2.80 of 100.00, with a reserve."""
    account = await world.account(**options)
    await terms(world, account, CARD_USD, rate, lifetime, fee_rate="2.5", fee_fix="0.3")
    return account


async def terms(world: World, account: Account, code: str, rate: str, lifetime: int, **more: str) -> None:
    texts = {"reserve_rate": rate, "reserve_lifetime": str(lifetime), **more}
    await services.add(world.platform.pool, world.platform.clock, account.account_id, code, texts, by="ann")


async def purses(world: World, account: Account, currency: str = "USD") -> dict[str, int]:
    """Number what was booked, prove the books and return the balances in a currency that are not zero."""
    await ledger.number(world.platform.pool, account.account_id)
    assert (await ledger.verified(world.platform.pool, account.account_id)).problems == ()
    found = await ledger.balances(world.platform.pool, account.account_id)
    return {purse: minor for (purse, each), minor in found.items() if each == currency and minor}


async def entries(world: World, account: Account) -> list[str]:
    rows = await world.platform.pool.fetch(
        "SELECT entry_id FROM ledger_journal WHERE account_id = $1 ORDER BY number", account.account_id
    )
    return [row["entry_id"] for row in rows]


async def paid(world: World, account: Account, **asked: object) -> Invoice:
    invoice = await world.invoice(account, **asked)
    await world.pay(invoice)
    return (await world.view(invoice)).invoice


async def released(world: World, invoice: Invoice) -> None:
    """Release a reserve, if its time is over."""
    await release(world.platform, invoice.invoice_id, account_id=invoice.account_id, test_mode=True)


HELD = {"provider": 10_000, "active": 8_720, "reserved": 1_000, "fees": 280}
RELEASED = {"provider": 10_000, "active": 9_720, "fees": 280}


async def test_a_reserve_is_held_and_released_on_time_and_once(world: World) -> None:
    account = await shop(world, callback_url="http://127.0.0.1:9/")
    invoice = await paid(world, account)
    assert invoice.processed_at is not None
    assert (invoice.reserved_amount, invoice.reserve_left) == (1_000, 1_000)
    assert invoice.reserve_expires_at == invoice.due_at == invoice.processed_at + timedelta(days=1)
    assert await purses(world, account) == HELD
    world.move_clock(minutes=DAY - 1)
    assert await world.expire(account) == 0
    await released(world, invoice)
    assert (await world.view(invoice)).invoice == invoice
    world.move_clock(minutes=1)
    assert [await world.expire(account) for _ in range(2)] == [1, 0]
    assert await purses(world, account) == RELEASED
    after = (await world.view(invoice)).invoice
    assert after.unreserved_at is not None
    assert invoice.reserve_expires_at is not None
    assert after.unreserved_at == after.updated_at >= invoice.reserve_expires_at
    assert (after.status, after.reserved_amount, after.reserve_left, after.due_at) == ("processed", 1_000, 0, None)
    assert await world.told(invoice) == ["process_pending", "processed"]
    assert [each.partition(":")[0] for each in await entries(world, account)] == ["processed", "released"]


async def test_of_twenty_who_release_one_does(world: World) -> None:
    account = await shop(world)
    invoice = await paid(world, account)
    world.move_clock(days=1)
    await asyncio.gather(*(released(world, invoice) for _ in range(20)))
    assert await purses(world, account) == RELEASED
    assert await entries(world, account) == [f"processed:{invoice.payment_id}", f"released:{invoice.invoice_id}"]


async def test_two_workers_release_each_reserve_once(world: World) -> None:
    account = await shop(world)
    invoices = [await paid(world, account) for _ in range(12)]
    world.move_clock(days=1)

    async def done() -> bool:
        return [(await world.view(each)).invoice.reserve_left for each in invoices] == [0] * 12

    async with working.started(*working.workers(world.platform, [Expiring(world.platform)], 2)):
        await until(done, what="the releases")
    assert await purses(world, account) == {purse: 12 * minor for purse, minor in RELEASED.items()}
    assert len(await entries(world, account)) == 24


@pytest.mark.parametrize("table", ["invoices", "ledger_transfers", "ledger_unnumbered"])
async def test_a_release_that_breaks_off_at_any_step_leaves_nothing_and_comes_due_again(
    world: World, module_database: Database, table: str
) -> None:
    account = await shop(world)
    invoice = await paid(world, account)
    world.move_clock(days=1)
    now = world.platform.clock.now(test_mode=True)
    job = Expiring(world.platform)
    (claim,) = await working.taken(world.pool, job, account.account_id, now)
    await ledger.tamper(module_database, f"ALTER TABLE {table} ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await job.run(claim)
    finally:
        await ledger.tamper(module_database, f"ALTER TABLE {table} DROP CONSTRAINT full_disk")
    assert (await world.view(invoice)).invoice.reserve_left == 1_000
    assert await purses(world, account) == HELD
    assert await world.expire(account) == 0
    world.platform.clock.test_offset += working.lease(job.queue)
    assert await world.expire(account) == 1
    assert await purses(world, account) == RELEASED


async def test_a_reserve_whose_claim_is_released_is_due_at_once(world: World) -> None:
    account = await shop(world)
    await paid(world, account)
    world.move_clock(days=1)
    now, job = world.platform.clock.now(test_mode=True), Expiring(world.platform)
    leases = await working.leased(world.pool, job, account.account_id, now)
    await working.claims(world.pool, job).release(leases, now)
    assert await world.expire(account) == 1
    assert await purses(world, account) == RELEASED


async def test_a_claim_that_is_released_late_leaves_the_reserve_its_own_time(world: World) -> None:
    account = await shop(world)
    invoice = await world.invoice(account)
    world.move_clock(minutes=31)
    now, job = world.platform.clock.now(test_mode=True), Expiring(world.platform)
    leases = await working.leased(world.pool, job, account.account_id, now)
    world.platform.clock.test_offset = timedelta()
    await world.pay(invoice)
    await working.claims(world.pool, job).release(leases, now)
    found = (await world.view(invoice)).invoice
    assert found.due_at == found.reserve_expires_at is not None


async def test_what_is_due_before_there_is_anything_to_do_waits_for_its_time(world: World) -> None:
    account = await shop(world)
    held, open_ = await paid(world, account), await world.invoice(account)
    now = world.platform.clock.now(test_mode=True)
    await world.platform.pool.execute(
        "UPDATE invoices SET due_at = $2 WHERE account_id = $1", account.account_id, now - timedelta(minutes=1)
    )
    claimed = []
    for _ in range(10):
        claimed.append(await world.expire(account))
        world.move_clock(minutes=1)
    assert claimed == [2, *[0] * 9]
    found = [(await world.view(each)).invoice.due_at for each in (held, open_)]
    assert found == [held.reserve_expires_at, open_.expires_at]


async def test_another_accounts_reserve_is_not_there(world: World) -> None:
    mine, theirs = await shop(world), await shop(world)
    invoice = await paid(world, theirs)
    world.move_clock(days=1)
    with pytest.raises(NotFound):
        await release(world.platform, invoice.invoice_id, account_id=mine.account_id, test_mode=True)
    assert await purses(world, theirs) == HELD


async def test_each_service_has_its_own_terms_and_each_currency_its_own_units(world: World) -> None:
    account = await shop(world)
    await terms(world, account, CARD_EUR, "0", DAY)
    await terms(world, account, CARD_JPY, "2.5", 10)
    await terms(world, account, CARD_KWD, "100", 2 * DAY, fee_rate="1.25")
    invoices = {
        currency: await paid(world, account, service=code, currency=currency, amount=amount)
        for code, currency, amount in (
            (CARD_USD, "USD", 100),
            (CARD_EUR, "EUR", 100),
            (CARD_JPY, "JPY", 140),
            (CARD_KWD, "KWD", "1.5"),
        )
    }
    assert {currency: each.reserved_amount for currency, each in invoices.items()} == {
        "USD": 1_000,
        "EUR": None,
        "JPY": 4,  # 3.5
        "KWD": 1_481,  # the whole deposit: 1.500 less 0.019 (0.01875)
    }
    assert await purses(world, account, "EUR") == {"provider": 10_000, "active": 10_000}
    assert await purses(world, account, "JPY") == {"provider": 140, "active": 136, "reserved": 4}
    assert await purses(world, account, "KWD") == {"provider": 1_500, "reserved": 1_481, "fees": 19}
    for minutes, free in ((10, ["JPY"]), (DAY, ["JPY", "USD"]), (2 * DAY, ["JPY", "KWD", "USD"])):
        world.platform.clock.test_offset = timedelta(minutes=minutes)
        assert await world.expire(account) == 1
        found = {currency: (await world.view(each)).invoice.unreserved_at for currency, each in invoices.items()}
        assert sorted(currency for currency, moment in found.items() if moment) == free
    assert await purses(world, account) == RELEASED
    assert await purses(world, account, "JPY") == {"provider": 140, "active": 140}
    assert await purses(world, account, "KWD") == {"provider": 1_500, "active": 1_481, "fees": 19}


async def test_an_invoice_keeps_the_reserve_that_it_was_drawn_up_with(world: World) -> None:
    account = await shop(world)
    invoice = await world.invoice(account)
    await terms(world, account, CARD_USD, "50", 1)
    await world.pay(invoice)
    found = (await world.view(invoice)).invoice
    assert (found.reserved_amount, found.reserve_lifetime) == (1_000, DAY)


async def test_a_late_success_is_held_from_then_on(world: World) -> None:
    account = await shop(world)
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    world.move_clock(minutes=31)
    assert await world.expire(account) == 1
    payment = (await world.view(invoice)).payment
    assert payment is not None
    await world.decide(payment.payment_id, "approve")
    world.move_clock(minutes=6)
    assert await world.ask(account) == 1
    found = (await world.view(invoice)).invoice
    assert found.processed_at is not None
    assert (found.status, found.due_at) == (Status.PROCESSED, found.processed_at + timedelta(days=1))
    assert await purses(world, account) == HELD
    world.move_clock(days=1)
    assert await world.expire(account) == 1
    assert await purses(world, account) == RELEASED


async def test_a_late_success_that_goes_back_holds_nothing(world: World) -> None:
    account = await shop(world, late_success="refund")
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    world.move_clock(minutes=31)
    await world.expire(account)
    payment = (await world.view(invoice)).payment
    assert payment is not None
    await world.decide(payment.payment_id, "approve")
    world.move_clock(minutes=6)
    await world.ask(account)
    await world.ask(account)
    assert await purses(world, account) == {}
    world.move_clock(days=2)
    assert await world.expire(account) == 0


async def test_a_verification_and_a_reserve_without_time_hold_nothing(world: World) -> None:
    account = await shop(world)
    assert (await paid(world, account, flow="verify")).due_at is None
    assert await purses(world, account) == {}
    timeless = await shop(world, lifetime=0)
    assert (await paid(world, timeless)).reserved_amount is None
    assert await purses(world, timeless) == RELEASED
    world.move_clock(days=2)
    assert (await world.expire(account), await world.expire(timeless)) == (0, 0)


async def test_a_payment_that_is_booked_twice_is_held_once(world: World) -> None:
    account = await shop(world)
    invoice = await world.invoice(account)
    payment = await world.begin(invoice)
    outcome = Accepted(external_id="tx", amount=10_000, currency="USD")
    await asyncio.gather(*(operations.apply_result(world.platform, payment, outcome) for _ in range(10)))
    assert await purses(world, account) == HELD


async def give_back(world: World, invoice: Invoice, amount: int) -> None:
    """Give an amount back to the payer as a refund does: from the reserve first."""
    account = await world.platform.accounts.by_id(invoice.account_id)

    def decide(view: Snapshot) -> Change:
        after, drawn = use(view.invoice, amount)
        moves = (
            (LedgerAccount.RESERVED, LedgerAccount.ACTIVE, drawn),
            (LedgerAccount.ACTIVE, LedgerAccount.PROVIDER, amount),
        )
        entry = Entry(
            entry_id=f"given_back:{after.invoice_id}:{after.reserve_left}",
            recipe="given_back",
            invoice_id=invoice.invoice_id,
            transfers=transfers("USD", *moves),
        )
        now = world.platform.clock.now(test_mode=True)
        return Change(
            before=view,
            after=msgspec.structs.replace(view, invoice=after),
            at=now,
            event=Event(kind="refund.started", by="merchant"),
            entries=(entry,),
        )

    await changing.change(world.platform, account, invoice.invoice_id, decide)


async def test_what_a_refund_took_is_not_released_and_a_used_up_reserve_is_not_due(world: World) -> None:
    account = await shop(world)
    half, whole = await paid(world, account), await paid(world, account)
    await give_back(world, half, 400)
    await give_back(world, whole, 5_000)
    assert await purses(world, account) == {"provider": 14_600, "active": 13_440, "reserved": 600, "fees": 560}
    world.move_clock(days=1)
    assert await world.expire(account) == 1
    assert await purses(world, account) == {"provider": 14_600, "active": 14_040, "fees": 560}
    assert (await world.view(half)).invoice.unreserved_at is not None
    assert (await world.view(whole)).invoice.unreserved_at is None


async def test_a_release_and_refunds_at_one_moment_take_each_cent_once(world: World) -> None:
    account = await shop(world)
    invoice = await paid(world, account)
    world.move_clock(days=1)
    await asyncio.gather(give_back(world, invoice, 400), released(world, invoice))
    assert await purses(world, account) == {"provider": 9_600, "active": 9_320, "fees": 280}
    assert (await world.view(invoice)).invoice.reserve_left == 0


@pytest.mark.parametrize(
    "change",
    [
        "reserve_left = 1001",
        "reserve_left = -1",
        "reserved_amount = 9721",
        "reserved_amount = 0, reserve_left = 0",
        "reserve_expires_at = NULL",
        "unreserved_at = reserve_expires_at",
        "reserve_left = 0, unreserved_at = processed_at",
        "reserve_rate = 101",
    ],
)
async def test_the_database_refuses_a_reserve_that_cannot_be(world: World, change: str) -> None:
    invoice = await paid(world, await shop(world))
    with pytest.raises(asyncpg.CheckViolationError):
        await world.platform.pool.execute(
            f"UPDATE invoices SET {change} WHERE account_id = $1 AND invoice_id = $2",
            invoice.account_id,
            invoice.invoice_id,
        )


@pytest.mark.parametrize("minutes, released_now", [(2, 1), (DAY, 0)])
async def test_what_a_refund_that_failed_took_is_held_again_unless_its_time_is_over(
    world: World, minutes: int, released_now: int
) -> None:
    account = await shop(world)
    invoice = await paid(world, account)
    world.wire.refund_fault = Fault.LOSE
    begun = (await world.refund(invoice, 40)).refunds[0]
    assert await purses(world, account) == {"provider": 10_000, "active": 5_720, "pending": 4_000, "fees": 280}
    world.move_clock(minutes=minutes)
    await world.ask_about_refunds(account)
    view = await world.view(invoice)
    assert (view.invoice.status, view.invoice.reserve_left) == ("refund_failed", 1_000 * released_now)
    whole = {"provider": 10_000, "active": 9_720, "fees": 280}
    assert await purses(world, account) == (HELD if released_now else whole)
    # Told of late, it takes from the reserve first, as it would have at once.
    late = msgspec.structs.replace(begun, status=view.refunds[0].status)
    await returns.apply_result(world.platform, late, Accepted(external_id="late", amount=4_000, currency="USD"))
    assert await purses(world, account) == {"provider": 6_000, "active": 5_720, "fees": 280}


async def test_what_is_held_again_is_released_on_time(world: World) -> None:
    account = await shop(world)
    invoice = await paid(world, account)
    world.wire.refund_fault = Fault.LOSE
    await world.refund(invoice)
    world.move_clock(minutes=2)
    await world.ask_about_refunds(account)
    assert await purses(world, account) == HELD
    assert await world.expire(account) == 0
    world.move_clock(days=1)
    assert await world.expire(account) == 1
    assert await purses(world, account) == {"provider": 10_000, "active": 9_720, "fees": 280}
