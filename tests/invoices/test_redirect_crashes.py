"""A creation that stops between its steps: nothing is doubled and nothing is lost (P1, P2, P3, P8)."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from kassa import failpoints
from kassa.accounts.model import Account
from kassa.errors import ProviderGarbled, ProviderSilent
from kassa.failpoints import Died, Point
from kassa.invoices.creating.request import CreateInvoice
from kassa.invoices.creating.terms import draft
from kassa.invoices.operations import create as creation
from kassa.invoices.operations import polling
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import ABSENT_AFTER, POLL_AFTER_BEGIN
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import snapshots as queries
from tests.support.wire import Fault
from tests.support.world import Changes, World

WALLET = "applepay_usd_hpp"
TEST = "test_usd_test"
NOBODY = "http://127.0.0.1:9/callbacks"

OFFERED = Changes(status="process_pending", resolution="ok", attempts=["invoked"])
STANDING = Changes(status="created", resolution="ok", attempts=["invoke_pending"])
GIVEN_UP = Changes(status="process_failed", resolution="provider_error", attempts=["invoke_failed"])


@pytest.fixture(autouse=True)
def _line_works_and_time_is_real(world: World) -> Iterator[None]:
    """Each test begins with a line in order, and in real time."""
    world.platform.clock.test_offset = timedelta()
    world.wire.placed.clear()
    yield
    world.wire.fault = None
    world.wire.let_go.set()
    world.wire.let_go = asyncio.Event()
    world.wire.held = asyncio.Event()


@pytest.fixture
async def account(world: World) -> Account:
    return await world.account(services=(WALLET, TEST), callback_url=NOBODY)


async def only(world: World, account: Account) -> Snapshot:
    """Return the account's invoice, of which there has to be one."""
    (row,) = await world.platform.pool.fetch(
        "SELECT invoice_id FROM invoices WHERE account_id = $1", account.account_id
    )
    found = await queries.by_id(world.platform.pool, row["invoice_id"], account_id=account.account_id)
    assert found is not None
    return found


async def intent(world: World, account: Account) -> Invoice:
    """Begin a creation and let its process die when its first statement is written: the bank has not been asked."""
    wanted = CreateInvoice(reference_id="one", service=WALLET, currency="USD", amount=Decimal(100), test_mode=True)
    invoice, _ = await draft(world.platform, account, wanted, {}, source="merchant_api")
    with failpoints.dying(2), pytest.raises(Died) as died:
        await creation.create(world.platform, account, invoice, None, client_ip="192.0.2.1")
    assert died.value.point is Point.WRITTEN
    return (await only(world, account)).invoice


async def cut_off(world: World, account: Account, **asked: Any) -> Snapshot:
    """Begin a creation and let its process die while the request, or its answer, is on the line."""
    creating = asyncio.create_task(world.create(account, **{"service": WALLET, "reference_id": "one", **asked}))
    await world.wire.held.wait()
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    return await only(world, account)


async def taken(world: World, payment: Payment | None) -> list[str]:
    assert payment is not None
    return [line["kind"] for line in await world.statement() if line["order"] == payment.payment_id]


async def approve(world: World, invoice: Invoice) -> None:
    payment = (await world.view(invoice)).payment
    assert payment is not None
    assert payment.action is not None
    await world.press(payment.action, "approve")
    await polling.poll(world.platform, payment)


# It stops before the bank is asked


async def test_an_intent_that_nobody_followed_up_is_asked_about_and_given_up_after_the_grace(
    world: World, account: Account
) -> None:
    invoice = await intent(world, account)
    assert await world.changes(invoice) == STANDING
    assert await world.ask(account) == 0
    world.move_clock(seconds=POLL_AFTER_BEGIN.total_seconds() + 1)
    assert await world.ask(account) == 1
    assert await world.changes(invoice) == STANDING
    world.move_clock(seconds=ABSENT_AFTER.total_seconds())
    assert await world.ask(account) == 1
    assert await world.changes(invoice) == GIVEN_UP
    assert await world.told(invoice) == ["process_failed"]
    assert world.wire.placed == []


async def test_a_process_that_stood_still_asks_for_no_page_any_more(world: World, account: Account) -> None:
    async with world.platform.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE invoices IN SHARE MODE")
        creating = asyncio.create_task(world.create(account, service=WALLET))
        await world.until_waiting()
        world.move_clock(seconds=POLL_AFTER_BEGIN.total_seconds() + 1)
    with pytest.raises(ProviderSilent):
        await creating
    assert await world.changes((await only(world, account)).invoice) == STANDING
    assert world.wire.placed == []


async def test_a_request_that_still_travels_is_not_given_up(world: World, account: Account) -> None:
    world.wire.fault = Fault.HOLD
    creating = asyncio.create_task(world.create(account, service=WALLET))
    await world.wire.held.wait()
    world.move_clock(seconds=ABSENT_AFTER.total_seconds() - 5)
    await world.ask(account)
    assert (await only(world, account)).invoice.status == "created"
    world.wire.let_go.set()
    view, _ = await creating
    assert await world.changes(view.invoice) == OFFERED


async def test_a_repeat_after_the_stop_shows_the_intent_and_asks_for_nothing(world: World, account: Account) -> None:
    invoice = await intent(world, account)
    view, created = await world.create(account, service=WALLET, reference_id="one")
    assert (created, view.invoice, view.invoice.status) == (False, invoice, "created")
    assert world.wire.placed == []


# It stops while the answer is on its way


async def test_a_process_that_dies_after_asking_leaves_a_page_that_is_found(world: World, account: Account) -> None:
    world.wire.fault = Fault.HOLD_ANSWER
    invoice = (await cut_off(world, account)).invoice
    assert await world.changes(invoice) == STANDING
    assert await world.told(invoice) == []
    world.move_clock(seconds=POLL_AFTER_BEGIN.total_seconds() + 1)
    assert await world.ask(account) == 1
    assert await world.changes(invoice) == OFFERED
    assert await world.told(invoice) == ["process_pending"]
    await approve(world, invoice)
    assert (await world.changes(invoice)).status == "processed"
    assert await taken(world, (await world.view(invoice)).payment) == ["PURCHASE"]
    assert len(world.wire.placed) == 1


async def test_a_process_that_dies_before_the_bank_has_heard_leaves_nothing_to_pay(
    world: World, account: Account
) -> None:
    world.wire.fault = Fault.HOLD
    view = await cut_off(world, account)
    world.wire.fault = None
    world.move_clock(seconds=ABSENT_AFTER.total_seconds() + 1)
    await world.ask(account)
    assert await world.changes(view.invoice) == GIVEN_UP
    assert await taken(world, view.payment) == []


@pytest.mark.parametrize("fault, error", [(Fault.LOSE_ANSWER, ProviderSilent), (Fault.GARBLE, ProviderGarbled)])
async def test_an_answer_that_was_lost_is_found_by_asking_and_never_by_ordering_again(
    world: World, account: Account, fault: Fault, error: type[Exception]
) -> None:
    world.wire.fault = fault
    with pytest.raises(error):
        await world.create(account, service=WALLET, reference_id="one")
    invoice = (await only(world, account)).invoice
    assert await world.changes(invoice) == STANDING
    view, created = await world.create(account, service=WALLET, reference_id="one")
    assert (created, view.invoice.status) == (False, "created")
    world.move_clock(seconds=3)
    assert await world.ask(account) == 1
    assert await world.changes(invoice) == OFFERED
    assert len(world.wire.placed) == 1
    await approve(world, invoice)
    assert await world.told(invoice) == ["process_pending", "processed"]
    assert await taken(world, view.payment) == ["PURCHASE"]


async def test_what_never_reached_the_bank_is_given_up_only_when_it_can_no_longer_arrive(
    world: World, account: Account
) -> None:
    world.wire.fault = Fault.LOSE
    with pytest.raises(ProviderSilent):
        await world.create(account, service=WALLET)
    world.wire.fault = None
    view = await only(world, account)
    assert view.payment is not None
    asked = 0
    while world.platform.clock.now(test_mode=True) < view.payment.created_at + ABSENT_AFTER - timedelta(seconds=2):
        world.move_clock(seconds=2)
        asked += await world.ask(account)
        assert await world.changes(view.invoice) == STANDING
    assert asked >= 3
    world.move_clock(minutes=5)
    await world.ask(account)
    assert await world.changes(view.invoice) == GIVEN_UP
    assert await world.told(view.invoice) == ["process_failed"]


@pytest.mark.parametrize(
    "status, changes, told",
    [
        ("success", Changes(status="processed", resolution="ok", attempts=["processed"]), "processed"),
        ("fail", Changes(status="process_failed", resolution="declined", attempts=["invoke_failed"]), "process_failed"),
        (
            "pending",
            Changes(status="process_pending", resolution="ok", attempts=["process_pending"]),
            "process_pending",
        ),
    ],
)
async def test_a_test_whose_answer_was_lost_ends_as_its_status_says_all_the_same(
    world: World, account: Account, status: str, changes: Changes, told: str
) -> None:
    world.wire.fault = Fault.LOSE_ANSWER
    with pytest.raises(ProviderSilent):
        await world.create(account, service=TEST, service_fields={"status": status})
    view = await only(world, account)
    world.move_clock(seconds=3)
    assert await world.ask(account) == 1
    assert await world.changes(view.invoice) == changes
    assert await world.told(view.invoice) == [told]
    assert await taken(world, view.payment) == (["PURCHASE"] if status == "success" else [])


# Many at once


async def test_of_parallel_creations_of_one_name_one_asks_the_bank_and_the_losers_see_it_stand(
    world: World, account: Account
) -> None:
    results = await asyncio.gather(*(world.create(account, service=WALLET, reference_id="one") for _ in range(20)))
    assert [created for _, created in results].count(True) == 1
    assert len({view.invoice.invoice_id for view, _ in results}) == 1
    assert {view.invoice.status for view, _ in results} <= {"created", "process_pending"}
    assert len(world.wire.placed) == 1
    view = await only(world, account)
    assert await world.changes(view.invoice) == OFFERED
    assert await world.told(view.invoice) == ["process_pending"]


async def test_while_the_bank_is_being_asked_a_repeat_is_answered_at_once(world: World, account: Account) -> None:
    world.wire.fault = Fault.HOLD
    first = asyncio.create_task(world.create(account, service=WALLET, reference_id="one"))
    await world.wire.held.wait()
    view, created = await world.create(account, service=WALLET, reference_id="one")
    assert (created, view.invoice.status, view.payment and view.payment.status) == (False, "created", "invoke_pending")
    world.wire.let_go.set()
    offered, created = await first
    assert (created, offered.invoice.invoice_id, offered.invoice.status) == (
        True,
        view.invoice.invoice_id,
        "process_pending",
    )


async def test_twenty_payers_on_one_page_pay_once(world: World, account: Account) -> None:
    invoice = await world.invoice(account, service=WALLET)
    await asyncio.gather(*(approve(world, invoice) for _ in range(20)))
    assert (await world.changes(invoice)).status == "processed"
    assert await taken(world, (await world.view(invoice)).payment) == ["PURCHASE"]
    assert await world.told(invoice) == ["process_pending", "processed"]
