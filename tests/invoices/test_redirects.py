"""Invoices whose payer goes to the provider's own page, and the test service, on a real database and bank."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest

from kassa.errors import Invalid, ProviderGarbled, ProviderSilent
from kassa.invoices.operations import pay as operations
from kassa.invoices.operations import polling
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import RECHECK_AFTER
from kassa.invoices.tables import payments
from kassa.invoices.tables import snapshots as queries
from kassa.providers.protocol import Accepted, Redirect
from tests.support.wire import Fault
from tests.support.world import Changes, World

WALLET = "applepay_usd_hpp"
FORM_WALLET = "qiwi_usd_hpp"
TEST = "test_usd_test"
SERVICES = (WALLET, FORM_WALLET, TEST)
NOBODY = "http://127.0.0.1:9/callbacks"

OFFERED = Changes(status="process_pending", resolution="ok", attempts=["invoked"])
STANDING = Changes(status="created", resolution="ok", attempts=["invoke_pending"])
PAID = Changes(status="processed", resolution="ok", attempts=["processed"])


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


async def payment_of(world: World, invoice: Invoice) -> Payment:
    payment = (await world.view(invoice)).payment
    assert payment is not None
    return payment


async def lines(world: World, payment: Payment) -> list[tuple[str, int]]:
    """Return what the bank has booked of an attempt."""
    return [(line["kind"], line["amount"]) for line in await world.statement() if line["order"] == payment.payment_id]


async def standing(world: World, reference_id: str) -> Invoice:
    """Return the invoice of a creation that was not answered."""
    row = await world.platform.pool.fetchrow(
        "SELECT account_id, invoice_id FROM invoices WHERE reference_id = $1", reference_id
    )
    assert row is not None
    found = await queries.by_id(world.platform.pool, row["invoice_id"], account_id=row["account_id"])
    assert found is not None
    return found.invoice


# The page


async def test_a_wallets_creation_comes_back_with_its_page_and_is_told_once(world: World) -> None:
    account = await world.account(services=SERVICES, callback_url=NOBODY)
    invoice = await world.invoice(account, service=WALLET)
    payment = await payment_of(world, invoice)
    assert await world.changes(invoice) == OFFERED
    assert (payment.action or "").startswith(f"{world.wire.url}/wallets/")
    assert (payment.action_method, payment.action_params, payment.card) == ("GET", {}, None)
    assert payment.external_id
    assert await world.told(invoice) == ["process_pending"]
    assert await lines(world, payment) == []


async def test_the_fields_that_were_asked_for_are_kept_and_the_form_is_the_banks(world: World) -> None:
    account = await world.account(services=SERVICES)
    invoice = await world.invoice(account, service=FORM_WALLET, service_fields={"phone": "+380987654321", "x": "y"})
    payment = await payment_of(world, invoice)
    assert invoice.service_fields == '{"phone":"+380987654321"}'
    assert (payment.action, payment.action_method) == (f"{world.wire.url}/wallets", "POST")
    assert sorted(payment.action_params or {}) == ["bill", "shop"]


@pytest.mark.parametrize(
    "decision, changes, told",
    [
        ("approve", PAID, "processed"),
        (
            "decline",
            Changes(status="process_failed", resolution="client_auth_failed", attempts=["process_failed"]),
            "process_failed",
        ),
    ],
)
async def test_what_the_payer_decides_there_ends_the_invoice(
    world: World, decision: str, changes: Changes, told: str
) -> None:
    account = await world.account(services=SERVICES, callback_url=NOBODY)
    invoice = await world.invoice(account, service=WALLET)
    payment = await payment_of(world, invoice)
    await world.press(payment.action or "", decision)
    await polling.poll(world.platform, payment, params={"transaction": "forged"})
    assert await world.changes(invoice) == changes
    assert await world.told(invoice) == ["process_pending", told]
    assert await lines(world, payment) == ([("PURCHASE", 10000)] if decision == "approve" else [])


async def test_coming_back_without_a_decision_leaves_everything_as_it_is(world: World) -> None:
    invoice = await world.invoice(await world.account(services=SERVICES, callback_url=NOBODY), service=WALLET)
    payment = await payment_of(world, invoice)
    await world.press(payment.action or "", "abandon")
    await polling.poll(world.platform, payment, params={"status": "success"})
    assert await world.changes(invoice) == OFFERED
    assert await world.told(invoice) == ["process_pending"]
    assert (await payment_of(world, invoice)).action == payment.action


async def test_a_wallet_that_refuses_at_once_ends_the_invoice_in_its_creation(world: World) -> None:
    account = await world.account(services=SERVICES, callback_url=NOBODY)
    invoice = await world.invoice(account, service=WALLET, amount=500_001)
    assert await world.changes(invoice) == Changes(
        status="process_failed", resolution="limit_violation", attempts=["invoke_failed"]
    )
    assert await world.told(invoice) == ["process_failed"]
    world.move_clock(seconds=RECHECK_AFTER.total_seconds() + 1)
    assert (await world.ask(account), await world.expire(account)) == (1, 0), "whether it was refused after all"
    world.move_clock(days=3)
    assert (await world.ask(account), await world.expire(account)) == (0, 0)
    assert await world.changes(invoice) == Changes(
        status="process_failed", resolution="limit_violation", attempts=["invoke_failed"]
    )
    assert await world.told(invoice) == ["process_failed"]


async def test_a_wallet_has_one_attempt_and_takes_no_card(world: World) -> None:
    invoice = await world.invoice(await world.account(services=SERVICES), service=WALLET)
    assert invoice.session_id is None
    assert (invoice.attempts, (await payment_of(world, invoice)).attempt_number) == (1, 1)


# Its end


@pytest.mark.parametrize("order", ["the bank is asked first", "the invoice expires first"])
async def test_a_page_that_nobody_visited_expires_with_its_invoice_whoever_sees_it_first(
    world: World, order: str
) -> None:
    account = await world.account(services=SERVICES, callback_url=NOBODY)
    invoice = await world.invoice(account, service=WALLET)
    world.move_clock(minutes=31)
    if order == "the bank is asked first":
        await world.ask(account)
    await world.expire(account)
    await world.ask(account)
    assert await world.changes(invoice) == Changes(
        status="process_failed", resolution="expired", attempts=["process_failed"]
    )
    assert await world.told(invoice) == ["process_pending", "process_failed"]


async def test_a_wallets_page_stays_open_for_as_long_as_its_invoice(world: World) -> None:
    now = world.platform.clock.now(test_mode=True)
    account = await world.account(services=SERVICES)
    invoice = await world.invoice(account, service=WALLET, expires=int((now + timedelta(days=2)).timestamp()))
    payment = await payment_of(world, invoice)
    world.move_clock(days=1, hours=23)
    await world.ask(account)
    await world.press(payment.action or "", "approve")
    await polling.poll(world.platform, payment)
    assert await world.changes(invoice) == PAID


@pytest.mark.parametrize(
    "wanted, dated, changes, booked",
    [
        ("book", True, PAID, [("PURCHASE", 10000)]),
        ("book", False, PAID, [("PURCHASE", 10000)]),
        ("refund", True, PAID, [("PURCHASE", 10000)]),
        (
            "refund",
            False,
            Changes(status="process_failed", resolution="expired", attempts=["refunded"]),
            [("PURCHASE", 10000), ("REFUND", 10000)],
        ),
    ],
)
async def test_what_a_wallet_took_in_the_last_second_is_never_lost(
    world: World, *, wanted: str, dated: bool, changes: Changes, booked: list[tuple[str, int]]
) -> None:
    """A provider that does not date what it took is heard too late for an account that wants nothing late."""
    account = await world.account(services=SERVICES, late_success=wanted)
    invoice = await world.invoice(account, service=WALLET)
    payment = await payment_of(world, invoice)
    world.move_clock(minutes=29)
    await world.press(payment.action or "", "approve")
    world.move_clock(minutes=10)
    await world.expire(account)
    if not dated:
        undated = Accepted(external_id=payment.external_id or "", amount=10_000, currency="USD")
        await operations.apply_result(world.platform, payment, undated)
    await world.ask(account)
    await world.ask(account)
    assert await world.changes(invoice) == changes
    assert await lines(world, payment) == booked


async def test_a_verification_that_succeeds_late_has_nothing_to_give_back(world: World) -> None:
    account = await world.account(late_success="refund", callback_url=NOBODY)
    invoice = await world.invoice(account, flow="verify")
    await world.pay(invoice, expiry="07/77")
    payment = await payment_of(world, invoice)
    world.move_clock(minutes=31)
    await world.expire(account)
    await world.decide(payment.payment_id, "approve")
    await polling.poll(world.platform, payment)
    assert await world.changes(invoice) == Changes(status="verified", resolution="ok", attempts=["processed"])
    assert await world.told(invoice) == ["process_pending", "verify_failed", "verified"]
    assert await lines(world, payment) == []


# The test service


@pytest.mark.parametrize(
    "status, changes, booked",
    [
        ("success", PAID, [("PURCHASE", 10000)]),
        ("pending", OFFERED, []),
        ("fail", Changes(status="process_failed", resolution="declined", attempts=["process_failed"]), []),
    ],
)
async def test_the_test_service_waits_first_and_then_goes_as_its_status_says(
    world: World, status: str, changes: Changes, booked: list[tuple[str, int]]
) -> None:
    account = await world.account(services=SERVICES, callback_url=NOBODY)
    invoice = await world.invoice(account, service=TEST, service_fields={"status": status})
    payment = await payment_of(world, invoice)
    assert await world.changes(invoice) == OFFERED
    assert payment.action == f"{world.platform.settings.base_url}/hpp/result/{invoice.invoice_id}/return"
    world.move_clock(seconds=3)
    assert await world.ask(account) == 1
    assert await world.changes(invoice) == changes
    assert await lines(world, payment) == booked
    assert await world.told(invoice) == ["process_pending", *([changes.status] if status != "pending" else [])]


@pytest.mark.parametrize("decision, status", [("approve", "processed"), ("decline", "process_failed")])
async def test_a_pending_test_is_settled_at_the_banks_desk(world: World, decision: str, status: str) -> None:
    account = await world.account(services=SERVICES)
    invoice = await world.invoice(account, service=TEST, service_fields={"status": "pending"})
    payment = await payment_of(world, invoice)
    await world.decide(payment.payment_id, decision)
    await polling.poll(world.platform, payment)
    assert (await world.changes(invoice)).status == status


@pytest.mark.parametrize(
    "given, message",
    [
        (None, "This value should not be blank."),
        ({}, "This value should not be blank."),
        ({"status": ""}, "This value should not be blank."),
        ({"status": "succ3ss"}, "This value is not valid."),
        ({"status": "success\n"}, "This value is not valid."),
        ({"status": "maybe"}, "The value you selected is not a valid choice."),
        ({"status": "Success"}, "The value you selected is not a valid choice."),
        ({"status": ["success"]}, "This value should be of type string."),
    ],
)
async def test_a_test_without_a_status_of_its_own_is_refused_before_anything_is_written(
    world: World, given: dict[str, object] | None, message: str
) -> None:
    account = await world.account(services=SERVICES)
    with pytest.raises(Invalid) as refused:
        await world.create(account, service=TEST, service_fields=given)
    assert refused.value.errors == {"service_fields.status": message}
    assert world.wire.placed == []
    written = await world.platform.pool.fetchval(
        "SELECT count(*) FROM invoices WHERE account_id = $1", account.account_id
    )
    assert written == 0


async def test_a_notice_that_overtakes_the_answer_does_not_decide_before_the_page_is_offered(world: World) -> None:
    account = await world.account(services=SERVICES, callback_url=NOBODY)
    world.wire.fault = Fault.HOLD_ANSWER
    creating = asyncio.create_task(
        world.create(account, reference_id="overtaken", service=TEST, service_fields={"status": "success"})
    )
    await world.wire.held.wait()
    invoice = await standing(world, "overtaken")
    payment = await payment_of(world, invoice)
    now = world.platform.clock.now(test_mode=True)
    await payments.wake(world.platform.pool, payment.payment_id, account_id=account.account_id, now=now)
    assert await world.ask(account) == 0
    world.wire.let_go.set()
    view, created = await creating
    assert (created, view.invoice.status) == (True, "process_pending")
    await payments.wake(world.platform.pool, payment.payment_id, account_id=account.account_id, now=now)
    assert await world.ask(account) == 1
    assert await world.changes(invoice) == PAID
    assert await world.told(invoice) == ["process_pending", "processed"]


# Nobody there


async def test_a_service_whose_provider_has_gone_is_refused_before_anything_is_written(world: World) -> None:
    account = await world.account(services=SERVICES)
    await world.platform.pool.execute(
        "UPDATE provider_accounts SET provider = 'gone' WHERE account_id = $1", account.account_id
    )
    with pytest.raises(Invalid) as refused:
        await world.create(account, service=WALLET)
    assert list(refused.value.errors) == ["service"]
    written = await world.platform.pool.fetchval(
        "SELECT count(*) FROM invoices WHERE account_id = $1", account.account_id
    )
    assert written == 0


async def test_a_bank_that_never_says_a_word_leaves_an_invoice_that_expires(world: World) -> None:
    account = await world.account(services=SERVICES, callback_url=NOBODY)
    world.wire.fault = Fault.LOSE_ANSWER
    with pytest.raises(ProviderSilent):
        await world.create(account, reference_id="mute", service=WALLET)
    invoice = await standing(world, "mute")
    assert await world.changes(invoice) == STANDING
    world.move_clock(minutes=31)
    await world.expire(account)
    assert await world.changes(invoice) == Changes(
        status="process_failed", resolution="expired", attempts=["invoke_pending"]
    )
    await world.ask(account)
    assert (await world.changes(invoice)).attempts == ["invoke_failed"]
    assert await world.told(invoice) == ["process_failed"]


async def test_a_page_that_comes_after_the_end_does_not_open_the_invoice_again(world: World) -> None:
    account = await world.account(services=SERVICES)
    world.wire.fault = Fault.GARBLE
    with pytest.raises(ProviderGarbled):
        await world.create(account, reference_id="late page", service=WALLET)
    invoice = await standing(world, "late page")
    payment = await payment_of(world, invoice)
    world.move_clock(minutes=31)
    await world.expire(account)
    page = Redirect(external_id=payment.external_id or "x", action=world.wire.url, method="GET", params={})
    await operations.apply_result(world.platform, payment, page)
    assert await world.changes(invoice) == Changes(status="process_failed", resolution="expired", attempts=["invoked"])
