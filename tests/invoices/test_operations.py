"""What follows from each change of an invoice, on a real database and with the real bank."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import asyncpg
import pytest

from kassa.cardgate import charge
from kassa.errors import InvoiceNotPayable, NotFound
from kassa.invoices.operations import changing, expire, polling
from kassa.invoices.operations import pay as operations
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import ABSENT_AFTER, POLL_AFTER_BEGIN
from kassa.invoices.rules.snapshot import Snapshot
from kassa.invoices.tables import payments
from kassa.providers.protocol import Accepted, Card, Declined, Outcome, Pending, Redirect
from tests.support.wire import Fault
from tests.support.world import BAD, GOOD, GOOD_SECURE, Changes, World

CARD = Card(number=GOOD, expiry_month=12, expiry_year=2030, cvv="123")


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


# Creation -------------------------------------------------------------------------------------------------------------


async def test_of_parallel_creations_of_one_name_one_wins_and_the_losers_write_nothing(world: World) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/callbacks")
    results = await asyncio.gather(*(world.create(account, reference_id="one") for _ in range(20)))
    assert [created for _, created in results].count(True) == 1
    assert len({view.invoice.invoice_id for view, _ in results}) == 1
    (counts,) = await world.platform.pool.fetch(
        "SELECT (SELECT count(*) FROM invoices WHERE account_id = $1) AS invoices,"
        " (SELECT count(*) FROM callbacks WHERE account_id = $1) AS callbacks",
        account.account_id,
    )
    assert dict(counts) == {"invoices": 1, "callbacks": 1}


async def test_what_a_loser_of_the_race_is_shown_is_what_stands(world: World) -> None:
    account = await world.account()
    first, _ = await world.create(account, reference_id="one", amount=5)
    other, created = await world.create(account, reference_id="one", amount=6)
    assert (created, other) == (False, first)


# Begin ----------------------------------------------------------------------------------------------------------------


async def test_of_twenty_callers_with_one_attempt_number_exactly_one_begins(world: World) -> None:
    invoice = await world.invoice(await world.account())
    results = await asyncio.gather(*(world.begin(invoice) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(result, Payment) for result in results) == 1
    assert sum(isinstance(result, InvoiceNotPayable) for result in results) == 19
    assert (await world.changes(invoice)).attempts == ["process_pending"]


async def test_of_twenty_payers_with_one_form_the_bank_sees_exactly_one_purchase(world: World) -> None:
    invoice = await world.invoice(await world.account())
    before = len(await world.statement())
    await asyncio.gather(*(world.pay(invoice) for _ in range(20)))
    assert len(world.wire.placed) == 1
    (line,) = (await world.statement())[before:]
    assert (line["order"], line["amount"], line["currency"]) == (world.wire.placed[0], 10000, "USD")
    assert await world.changes(invoice) == Changes(status="processed", resolution="ok", attempts=["processed"])


async def test_while_an_attempt_is_undecided_no_other_begins(world: World) -> None:
    invoice = await world.invoice(await world.account())
    await world.pay(invoice, card=GOOD_SECURE)
    for number in (1, 2, 3):
        with pytest.raises(InvoiceNotPayable):
            await world.begin(invoice, number=number)
    await world.pay(invoice, number=2)
    assert len(world.wire.placed) == 1


@pytest.mark.parametrize("number", [-1, 0, 2, 99])
async def test_an_attempt_whose_turn_it_is_not_never_begins(world: World, number: int) -> None:
    invoice = await world.invoice(await world.account())
    with pytest.raises(InvoiceNotPayable):
        await world.begin(invoice, number=number)
    assert (await world.changes(invoice)).attempts == []


async def test_an_invoice_that_is_over_takes_no_attempt_before_the_worker_has_seen_it(world: World) -> None:
    invoice = await world.invoice(await world.account())
    world.move_clock(minutes=30)
    with pytest.raises(InvoiceNotPayable):
        await world.begin(invoice)


async def test_another_accounts_invoice_is_not_there(world: World) -> None:
    mine, theirs = await world.account(), await world.account()
    invoice = await world.invoice(theirs)
    stolen = Invoice(
        **{name: getattr(invoice, name) for name in invoice.__struct_fields__} | {"account_id": mine.account_id}
    )
    with pytest.raises(NotFound):
        await changing.change(world.platform, mine, invoice.invoice_id, lambda _: None)
    route = await world.platform.route(mine.account_id, invoice.service, test_mode=True)
    assert route is not None
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await operations.begin(
            world.platform,
            Snapshot(invoice=stolen, payment=None),
            attempt_number=1,
            card=None,
            client_ip="192.0.2.1",
            route=route,
        )
    for table in ("invoices", "invoice_events", "payments"):
        assert await world.fetch(f"SELECT FROM {table} WHERE account_id = $1", mine.account_id) == []
    with pytest.raises(NotFound):
        await expire.expire(world.platform, invoice.invoice_id, account_id=mine.account_id, test_mode=True)
    assert (await world.changes(invoice)).status == "process_pending"


# Settle ---------------------------------------------------------------------------------------------------------------


async def test_a_decline_leaves_the_invoice_open_for_the_next_try_which_succeeds(world: World) -> None:
    invoice = await world.invoice(await world.account(callback_url="http://127.0.0.1:9/"))
    await world.pay(invoice, card=BAD, expiry="05/29")
    assert await world.changes(invoice) == Changes(
        status="process_pending", resolution="ok", attempts=["process_failed"]
    )
    view = await world.view(invoice)
    assert view.payment is not None
    assert view.payment.resolution == "insufficient_funds"
    await world.pay(invoice, number=2)
    assert await world.changes(invoice) == Changes(
        status="processed", resolution="ok", attempts=["process_failed", "processed"]
    )
    paid = (await world.view(invoice)).invoice
    assert (paid.processed_amount, paid.processed_fee, paid.processed_deposit) == (10000, 0, 10000)
    assert await world.told(invoice) == ["process_pending", "processed"]


async def test_the_last_attempts_decline_ends_the_invoice(world: World) -> None:
    invoice = await world.invoice(await world.account(attempts="2", callback_url="http://127.0.0.1:9/"))
    for number in (1, 2):
        await world.pay(invoice, number=number, card=BAD, expiry="04/28")
    ended = Changes(status="process_failed", resolution="card_expired", attempts=["process_failed"] * 2)
    assert await world.changes(invoice) == ended
    await world.pay(invoice, number=3)
    assert await world.changes(invoice) == ended
    assert len(world.wire.placed) == 2
    assert await world.told(invoice) == ["process_pending", "process_failed"]


async def test_the_merchant_may_say_how_many_attempts_there_are_in_all(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account, gateway_options={"cardgate": {"retry_limit": 1}})
    await world.pay(invoice, card=BAD)
    assert (await world.changes(invoice)).status == "process_failed"


async def test_an_attempt_that_has_ended_hears_nothing_more(world: World) -> None:
    invoice = await world.invoice(await world.account())
    await world.pay(invoice)
    view = await world.view(invoice)
    assert view.payment is not None
    late: list[Outcome] = [
        Declined(external_id="x", resolution="issuer_decline"),
        Pending(),
        Redirect(external_id="x", action="http://bank.test", method="GET", params={}),
        Accepted(external_id="x", amount=1, currency="USD"),
    ]
    await asyncio.gather(*(operations.apply_result(world.platform, view.payment, outcome) for outcome in late))
    assert await world.view(invoice) == view


async def test_of_twenty_answers_to_one_attempt_one_is_booked_and_told(world: World) -> None:
    invoice = await world.invoice(await world.account(callback_url="http://127.0.0.1:9/"))
    payment = await world.begin(invoice)
    accepted = Accepted(external_id="tx", amount=payment.amount, currency=payment.currency)
    declined = Declined(external_id="tx", resolution="issuer_decline")
    outcomes: list[Outcome] = [accepted, Pending(), declined, accepted] * 5
    await asyncio.gather(*(operations.apply_result(world.platform, payment, outcome) for outcome in outcomes))
    changes = await world.changes(invoice)
    assert changes in (
        Changes(status="processed", resolution="ok", attempts=["processed"]),
        Changes(status="process_pending", resolution="ok", attempts=["process_failed"]),
    )
    expected = ["process_pending", "processed"] if changes.status == "processed" else ["process_pending"]
    assert await world.told(invoice) == expected


@pytest.mark.parametrize("amount,currency", [(9999, "USD"), (10001, "USD"), (10000, "EUR")])
async def test_what_was_taken_otherwise_than_asked_waits_for_a_person(world: World, amount: int, currency: str) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    payment = await world.begin(invoice)
    await operations.apply_result(world.platform, payment, Accepted(external_id="tx", amount=amount, currency=currency))
    assert await world.changes(invoice) == Changes(
        status="process_error", resolution="invalid_amount", attempts=["process_error"]
    )
    view = await world.view(invoice)
    assert view.invoice.moderation_required
    assert view.invoice.processed_amount is None
    world.move_clock(days=3)
    await world.expire(account)
    assert (await world.changes(invoice)).status == "process_error"
    with pytest.raises(InvoiceNotPayable):
        await world.begin(invoice, number=2)


# Unknown outcomes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.GARBLE])
@pytest.mark.parametrize("card,ended", [(GOOD, "processed"), (BAD, "process_pending")])
async def test_an_answer_that_was_lost_is_found_by_asking_and_never_by_charging_again(
    world: World, fault: Fault, card: str, ended: str
) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    before = len(await world.statement())
    world.wire.fault = fault
    await world.pay(invoice, card=card)
    assert (await world.changes(invoice)).attempts == ["process_pending"]
    world.wire.fault = None
    await world.pay(invoice, number=2)
    world.move_clock(seconds=3)
    assert await world.ask(account) == 1
    changes = await world.changes(invoice)
    assert changes.status == ended
    assert changes.attempts == ["processed" if card == GOOD else "process_failed"]
    assert len(world.wire.placed) == 1
    assert len(await world.statement()) - before == (1 if card == GOOD else 0)


async def test_what_never_reached_the_bank_fails_only_when_it_can_no_longer_arrive(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    world.wire.fault = Fault.LOSE
    await world.pay(invoice)
    world.wire.fault = None
    payment = (await world.view(invoice)).payment
    assert payment is not None
    asked = 0
    while world.platform.clock.now(test_mode=True) < payment.created_at + ABSENT_AFTER - timedelta(seconds=2):
        world.move_clock(seconds=2)
        asked += await world.ask(account)
        assert (await world.changes(invoice)).attempts == ["process_pending"]
    assert asked >= 3
    world.move_clock(minutes=5)
    await world.ask(account)
    view = await world.view(invoice)
    assert view.payment is not None
    assert (view.payment.status, view.payment.resolution) == ("process_failed", "provider_error")
    assert view.invoice.status == "process_pending"
    await world.pay(invoice, number=2)
    assert (await world.changes(invoice)).status == "processed"
    assert len(world.wire.placed) == 2


async def test_a_process_that_dies_between_begin_and_pay_leaves_an_attempt_that_fails_after_the_grace(
    world: World,
) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.begin(invoice)
    assert await world.ask(account) == 0
    world.move_clock(seconds=POLL_AFTER_BEGIN.total_seconds() + 1)
    assert await world.ask(account) == 1
    assert (await world.changes(invoice)).attempts == ["process_pending"]
    world.move_clock(seconds=ABSENT_AFTER.total_seconds())
    assert await world.ask(account) == 1
    assert await world.changes(invoice) == Changes(
        status="process_pending", resolution="ok", attempts=["process_failed"]
    )
    assert world.wire.placed == []


async def test_a_process_that_dies_after_pay_leaves_an_attempt_that_is_found_by_asking(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    world.wire.fault = Fault.HOLD_ANSWER
    paying = asyncio.create_task(world.pay(invoice))
    await world.wire.held.wait()
    paying.cancel()
    await asyncio.gather(paying, return_exceptions=True)
    assert (await world.changes(invoice)).attempts == ["process_pending"]
    world.move_clock(seconds=POLL_AFTER_BEGIN.total_seconds() + 1)
    await world.ask(account)
    assert await world.changes(invoice) == Changes(status="processed", resolution="ok", attempts=["processed"])


async def test_questions_come_at_growing_distances(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    distances: list[timedelta] = []
    last: datetime | None = None
    for _ in range(12):
        payment = (await world.view(invoice)).payment
        assert payment is not None
        assert payment.due_at is not None
        if last is not None:
            distances.append(payment.due_at - last)
        last = world.platform.clock.now(test_mode=True)
        world.move_clock(seconds=(payment.due_at - last).total_seconds() + 0.001)
        last = world.platform.clock.now(test_mode=True)
        assert await world.ask(account) == 1
    whole = [round(distance.total_seconds()) for distance in distances]
    assert whole == sorted(whole)
    assert whole[0] <= 4
    assert whole[-1] == 300


async def test_a_notice_wakes_the_question_and_what_it_claims_is_nothing(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    assert await world.ask(account) == 0
    payment = (await world.view(invoice)).payment
    assert payment is not None
    await world.decide(payment.payment_id, "approve")
    session = await world.open(invoice)
    await charge.come_back(world.platform, session, {"transaction": "forged", "status": "declined"})
    assert (await world.changes(invoice)).status == "processed"


# Expiry and what comes late -------------------------------------------------------------------------------------------


async def test_an_invoice_that_nobody_paid_expires_once_and_is_told(world: World) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    world.move_clock(minutes=29, seconds=58)
    assert await world.expire(account) == 0
    world.move_clock(seconds=3)
    assert await world.expire(account) == 1
    assert await world.changes(invoice) == Changes(status="process_failed", resolution="expired", attempts=[])
    assert await world.expire(account) == 0
    assert await world.told(invoice) == ["process_pending", "process_failed"]
    await world.pay(invoice)
    assert world.wire.placed == []


async def test_an_invoice_whose_time_is_not_over_does_not_end_whoever_says_so(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    before = await world.view(invoice)
    await expire.expire(world.platform, invoice.invoice_id, account_id=account.account_id, test_mode=True)
    assert await world.view(invoice) == before


async def late(world: World, invoice: Invoice) -> Payment:
    """Let an invoice expire while the bank has its purchase undecided, and the bank decide for it."""
    await world.pay(invoice, expiry="07/77")
    account = await world.platform.accounts.by_id(invoice.account_id)
    world.move_clock(minutes=31)
    await world.ask(account)
    await world.expire(account)
    assert await world.changes(invoice) == Changes(
        status="process_failed", resolution="expired", attempts=["process_pending"]
    )
    payment = (await world.view(invoice)).payment
    assert payment is not None
    await world.decide(payment.payment_id, "approve")
    world.move_clock(minutes=6)
    return payment


async def test_a_late_success_is_booked_where_the_account_wants_it(world: World) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    payment = await late(world, invoice)
    assert await world.ask(account) == 1
    assert await world.changes(invoice) == Changes(status="processed", resolution="ok", attempts=["processed"])
    lines = [line for line in await world.statement() if line["order"] == payment.payment_id]
    assert [line["kind"] for line in lines] == ["PURCHASE"]
    assert await world.told(invoice) == ["process_pending", "process_failed", "processed"]


async def test_a_late_success_goes_back_to_the_payer_where_the_account_wants_it(world: World) -> None:
    account = await world.account(late_success="refund")
    invoice = await world.invoice(account)
    payment = await late(world, invoice)
    await polling.poll(world.platform, payment)
    assert (await world.changes(invoice)).attempts == ["refund_pending"]
    assert await world.ask(account) == 1
    assert await world.changes(invoice) == Changes(status="process_failed", resolution="expired", attempts=["refunded"])
    lines = [line for line in await world.statement() if line["order"] == payment.payment_id]
    assert [(line["kind"], line["amount"]) for line in lines] == [("PURCHASE", 10000), ("REFUND", 10000)]
    assert await world.ask(account) == 1, "whether it was charged back meanwhile"
    assert await world.ask(account) == 0
    now = world.platform.clock.now(test_mode=True)
    await payments.wake(world.pool, payment.payment_id, account_id=account.account_id, now=now, dispute=True)
    assert await world.ask(account) == 1, "whether it was charged back meanwhile"
    assert await world.changes(invoice) == Changes(status="process_failed", resolution="expired", attempts=["refunded"])
    world.move_clock(days=1)
    assert await world.ask(account) == 0


async def test_a_late_decline_changes_nothing_that_the_merchant_sees(world: World) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    world.move_clock(minutes=31)
    await world.expire(account)
    payment = (await world.view(invoice)).payment
    assert payment is not None
    await world.decide(payment.payment_id, "decline")
    await world.ask(account)
    assert await world.changes(invoice) == Changes(
        status="process_failed", resolution="expired", attempts=["process_failed"]
    )
    assert await world.told(invoice) == ["process_pending", "process_failed"]


async def test_a_payer_who_never_came_back_from_3d_secure_is_given_up_by_bank_and_us(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice, card=GOOD_SECURE)
    world.move_clock(minutes=31)
    await world.ask(account)
    await world.expire(account)
    changes = await world.changes(invoice)
    assert (changes.status, changes.attempts) == ("process_failed", ["process_failed"])
    payment = (await world.view(invoice)).payment
    assert payment is not None
    assert payment.resolution == "transaction_expired"


async def test_success_and_expiry_at_one_moment_end_as_a_success(world: World) -> None:
    account = await world.account()
    for _ in range(10):
        invoice = await world.invoice(account)
        payment = await world.begin(invoice)
        world.move_clock(minutes=31)
        accepted = Accepted(external_id="tx", amount=payment.amount, currency=payment.currency)
        await asyncio.gather(
            operations.apply_result(world.platform, payment, accepted),
            expire.expire(world.platform, invoice.invoice_id, account_id=account.account_id, test_mode=True),
        )
        assert await world.changes(invoice) == Changes(status="processed", resolution="ok", attempts=["processed"])
        world.platform.clock.test_offset = timedelta()


# What a reader sees ---------------------------------------------------------------------------------------------------


async def test_each_change_of_status_moves_updated_by_a_second_at_least(world: World) -> None:
    account = await world.account(callback_url="http://127.0.0.1:9/")
    invoice = await world.invoice(account)
    await world.pay(invoice)
    rows = await world.platform.pool.fetch(
        "SELECT logged_at, convert_from(body, 'UTF8')::json #>> '{data,attributes,updated}' AS updated,"
        " convert_from(body, 'UTF8')::json #>> '{data,attributes,status}' AS status"
        " FROM callbacks WHERE account_id = $1 AND invoice_id = $2 ORDER BY logged_at",
        account.account_id,
        invoice.invoice_id,
    )
    assert [row["status"] for row in rows] == ["process_pending", "processed"]
    first, second = (int(row["updated"]) for row in rows)
    assert second >= first + 1
    assert rows[0]["logged_at"] < rows[1]["logged_at"]
    assert second == int((await world.view(invoice)).invoice.updated_at.timestamp())


async def test_updated_never_goes_back_though_the_clock_does(world: World) -> None:
    account = await world.account()
    world.move_clock(hours=1)
    invoice = await world.invoice(account)
    world.platform.clock.test_offset = timedelta()
    await world.pay(invoice)
    paid = (await world.view(invoice)).invoice
    assert paid.status == "processed"
    assert paid.updated_at >= invoice.updated_at + timedelta(seconds=1)


async def test_nothing_is_kept_of_a_card_but_what_may_be(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice)
    rows = await world.platform.pool.fetch("SELECT * FROM payments WHERE account_id = $1", account.account_id)
    kept = repr([dict(row) for row in rows])
    assert "551928" in kept
    assert GOOD not in kept
    assert GOOD[6:-4] not in kept
