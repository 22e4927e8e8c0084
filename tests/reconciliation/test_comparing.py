"""Every way in which the bank's books and ours can differ, made by hand in the bank's: seen, told once, and mended."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import structlog

from kassa.accounts.model import Account
from kassa.errors import Invalid
from kassa.invoices.operations import polling
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.patience import ABSENT_AFTER, RECHECK_AFTER
from kassa.reconciliation import comparing, operations
from tests.support import ledger
from tests.support.reconciling import (
    LATER,
    at_bank,
    compare,
    compare_later,
    found,
    now,
    proven,
    read,
    told,
    write,
)
from tests.support.waiting import until
from tests.support.wire import Fault
from tests.support.world import GOOD, World


async def paid(world: World, account: Account, **asked: Any) -> tuple[Invoice, Payment]:
    """Return a paid invoice."""
    invoice = await world.invoice(account, **asked)
    await world.pay(invoice)
    return invoice, await latest(world, invoice)


async def latest(world: World, invoice: Invoice) -> Payment:
    payment = (await world.view(invoice)).payment
    assert payment is not None
    return payment


async def given_up(world: World, account: Account) -> tuple[Invoice, Payment]:
    """Return an attempt that the bank took after we had asked for the last time."""
    invoice = await world.invoice(account)
    world.wire.held, world.wire.let_go = asyncio.Event(), asyncio.Event()
    world.wire.fault = Fault.HOLD
    paying = asyncio.create_task(world.pay(invoice, card=GOOD))
    await world.wire.held.wait()
    world.wire.fault = None
    for wait in (ABSENT_AFTER, RECHECK_AFTER):
        world.move_clock(seconds=wait.total_seconds() + 1)
        assert await world.ask(account) == 1
    paying.cancel()
    world.wire.let_go.set()
    payment = await latest(world, invoice)
    await until(
        lambda: read(world, "SELECT 1 FROM purchases WHERE order_ref = ? AND state = 'APPROVED'", payment.payment_id),
        what="the bank to have taken it",
    )
    return invoice, payment


async def test_books_that_agree_make_no_discrepancy(world: World) -> None:
    account = await world.account()
    for _ in range(3):
        await paid(world, account)
    result = await compare_later(world, account)
    assert (result.lines, result.entries, result.kinds, result.open) == (3, 3, {}, 0)
    assert await found(world, account, open_only=False) == []


async def test_what_the_bank_does_not_have_is_told_and_changes_nothing(world: World) -> None:
    account = await world.account()
    invoice, payment = await paid(world, account)
    kept = read(world, "SELECT * FROM purchases WHERE order_ref = ?", payment.payment_id)
    assert write(world, "DELETE FROM purchases WHERE order_ref = ?", payment.payment_id) == 1
    before = await ledger.balances(world.platform.pool, account.account_id)
    with structlog.testing.capture_logs() as logs:
        first, again = await compare_later(world, account), await compare(world, account)
    assert first.kinds == again.kinds == {"missing_there": 1}
    (seen,) = await found(world, account)
    assert (seen.ref, seen.external_id, told(seen)) == (
        payment.payment_id,
        "",
        (("processed", 10_000), None),
    )
    assert [line["log_level"] for line in logs if line.get("discrepancy_id") == seen.discrepancy_id] == ["error"]
    assert await world.ask(account) == 0
    assert (await world.changes(invoice)).attempts == ["processed"]
    assert await ledger.balances(world.platform.pool, account.account_id) == before
    write(world, f"INSERT INTO purchases VALUES ({', '.join('?' * len(kept[0]))})", *kept[0])
    result = await compare(world, account)
    assert (result.kinds, result.closed, result.open) == ({}, 1, 0)
    (closed,) = await found(world, account, open_only=False)
    assert (closed.discrepancy_id, closed.note, closed.resolved_at is None) == (seen.discrepancy_id, None, False)
    await proven(world, account)


@pytest.mark.parametrize(
    "change, kind",
    [
        ("amount = 9999", "amount"),
        ("currency = 'EUR'", "amount"),
        ("transaction_id = 'another'", "transaction"),
    ],
)
async def test_what_the_bank_booked_otherwise_is_told(world: World, change: str, kind: str) -> None:
    account = await world.account()
    _, payment = await paid(world, account)
    kept = read(world, "SELECT amount, currency, transaction_id FROM purchases WHERE order_ref = ?", payment.payment_id)
    write(world, f"UPDATE purchases SET {change} WHERE order_ref = ?", payment.payment_id)
    result = await compare_later(world, account)
    assert (result.kinds, result.open, result.asked) == ({kind: 1}, 1, 0)
    (seen,) = await found(world, account)
    assert told(seen) == (("processed", 10_000), 9999 if change == "amount = 9999" else 10_000)
    assert await world.ask(account) == 0
    write(
        world,
        "UPDATE purchases SET amount = ?, currency = ?, transaction_id = ? WHERE order_ref = ?",
        *kept[0],
        payment.payment_id,
    )
    assert (await compare(world, account)).closed == 1
    await proven(world, account)


async def test_a_payment_that_we_gave_up_and_the_bank_took_is_mended_by_asking(world: World) -> None:
    account = await world.account()
    invoice, payment = await given_up(world, account)
    assert payment.status == "process_failed"
    world.move_clock(minutes=31)
    assert await world.ask(account) == 0, "nobody would have asked any more"
    result = await compare(world, account)
    assert (result.kinds, result.asked) == ({"status": 1}, 1)
    (seen,) = await found(world, account)
    assert told(seen) == (("process_failed", None), 10_000)
    assert (await world.changes(invoice)).attempts == ["process_failed"]
    assert await world.ask(account) == 1
    assert (await world.changes(invoice)).attempts == ["processed"]
    result = await compare_later(world, account)
    assert (result.kinds, result.asked, result.closed) == ({}, 0, 1)
    balances = await ledger.balances(world.platform.pool, account.account_id)
    assert {ledger_account.value: amount for (ledger_account, _), amount in balances.items()} == {
        "provider": 10_000,
        "active": 10_000,
    }
    await proven(world, account)


async def test_a_payment_that_nobody_told_us_of_is_asked_about_at_once(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    payment = await latest(world, invoice)
    await world.decide(payment.payment_id, "approve")
    world.move_clock(minutes=20)
    await world.platform.pool.execute(
        "UPDATE payments SET due_at = $2 WHERE payment_id = $1", payment.payment_id, now(world) + timedelta(days=1)
    )
    assert (await compare(world, account)).asked == 1
    assert await world.ask(account) == 1
    assert (await world.changes(invoice)).attempts == ["processed"]
    result = await compare_later(world, account)
    assert (result.kinds, result.closed) == ({}, 1)
    await proven(world, account)


async def test_what_is_younger_than_both_books_need_is_not_compared_yet(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    await world.decide((await latest(world, invoice)).payment_id, "approve")
    _, gone = await paid(world, account)
    write(world, "DELETE FROM purchases WHERE order_ref = ?", gone.payment_id)
    result = await compare(world, account)
    assert (result.kinds, result.entries, result.open) == ({}, 0, 0)
    assert (await compare_later(world, account)).kinds == {"missing_there": 1, "status": 1}


async def test_money_that_went_back_late_is_compared_too(world: World) -> None:
    account = await world.account(late_success="refund")
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    world.move_clock(minutes=31)
    await world.expire(account)
    payment = await latest(world, invoice)
    await world.decide(payment.payment_id, "approve")
    await polling.poll(world.platform, payment)
    (back,) = (await world.view(invoice)).refunds
    assert (back.status, back.reason) == ("refund_pending", "late")
    await at_bank(
        world,
        f"/purchases/{payment.payment_id}/refunds/{back.refund_id}",
        {"amount": 10_000, "currency": "USD"},
    )
    result = await compare_later(world, account)
    assert (result.lines, result.entries, result.kinds) == (2, 1, {"status": 1})
    (seen,) = await found(world, account)
    assert (seen.movement, seen.ref, told(seen)) == (
        "refund",
        back.refund_id,
        (("refund_pending", None), 10_000),
    )
    assert await world.ask(account) == 1
    assert (await world.changes(invoice)).attempts == ["refunded"]
    result = await compare_later(world, account)
    assert (result.lines, result.entries, result.kinds, result.closed) == (2, 2, {}, 1)
    write(world, "UPDATE refunds SET amount = 1 WHERE order_ref = ?", payment.payment_id)
    assert (await compare(world, account)).kinds == {"amount": 1}
    write(world, "DELETE FROM refunds WHERE order_ref = ?", payment.payment_id)
    result = await compare(world, account)
    assert (result.kinds, result.open) == ({"missing_there": 1}, 1)
    await proven(world, account)


async def test_money_that_we_know_nothing_of_is_told_to_whose_it_is(world: World, eldest: Account) -> None:
    account, other = await world.account(), await world.account()
    _, payment = await paid(world, account)
    lost = f"pay_{account.tag}000000000000"
    await at_bank(world, f"/purchases/{lost}")
    await at_bank(world, "/purchases/by-hand")
    await at_bank(
        world, f"/purchases/{payment.payment_id}/refunds/by-hand", {"amount": 10, "currency": payment.currency}
    )
    result = await compare_later(world, account)
    assert (result.kinds, result.asked) == ({"missing_here": 2}, 0)
    assert {(seen.movement, seen.ref, seen.payment_id) for seen in await found(world, account)} == {
        ("purchase", lost, lost),
        ("refund", "by-hand", payment.payment_id),
    }
    assert (await compare(world, other)).lines == 0
    await compare(world, eldest)
    assert [seen.ref for seen in await found(world, eldest)] == ["by-hand"]
    assert await found(world, other) == []
    write(world, "DELETE FROM purchases WHERE order_ref = 'by-hand'")


async def test_one_merchants_statement_never_touches_another_account(world: World) -> None:
    mine, other = await world.account(), await world.account()
    await paid(world, mine)
    _, theirs = await paid(world, other)
    write(world, "DELETE FROM purchases WHERE order_ref = ?", theirs.payment_id)
    result = await compare_later(world, mine)
    assert (result.lines, result.entries, result.kinds) == (1, 1, {})
    assert await found(world, other) == []
    assert (await compare(world, other)).kinds == {"missing_there": 1}
    assert await found(world, mine) == []


async def test_what_the_two_sides_booked_at_different_times_is_the_same_movement(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    world.wire.fault = Fault.LOSE_ANSWER
    taken_at = now(world)
    await world.pay(invoice)
    world.wire.fault = None
    world.move_clock(hours=26)
    await world.ask(account)
    assert (await latest(world, invoice)).status == "processed"
    world.move_clock(minutes=31)
    ours = await compare(world, account, since=taken_at + timedelta(hours=25))
    theirs = await compare(world, account, since=taken_at - timedelta(hours=1), until=taken_at + timedelta(minutes=30))
    assert (ours.lines, ours.entries, ours.kinds) == (1, 1, {})
    assert (theirs.lines, theirs.entries, theirs.kinds) == (1, 0, {})
    write(world, "DELETE FROM purchases WHERE order_ref = ?", (await latest(world, invoice)).payment_id)
    assert (await compare(world, account, since=taken_at + timedelta(hours=25))).kinds == {"missing_there": 1}


async def test_a_discrepancy_of_another_time_stays_open(world: World) -> None:
    account = await world.account()
    _, payment = await paid(world, account)
    write(world, "DELETE FROM purchases WHERE order_ref = ?", payment.payment_id)
    assert (await compare_later(world, account)).open == 1
    world.move_clock(hours=8)
    result = await compare(world, account)
    assert (result.kinds, result.closed, result.open) == ({}, 0, 1)


async def test_long_statements_and_long_books_are_read_page_by_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "ENTRIES", 2)
    account = await world.account()
    payments = [(await paid(world, account))[1] for _ in range(5)]
    write(
        world,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 310)"
        " INSERT INTO purchases SELECT merchant_id, substr(order_ref, 1, 8) || printf('%012d', i), 't' || i, amount,"
        " currency, description, check_only, card_first, card_last, card_expiry, wallet, scenario, return_url,"
        " notify_url, state, issuer_code, response_code, page_id, page_until, printf('8%011d', i), approval_code,"
        " NULL, created_at, updated_at, locale, shop, reference, invoice FROM purchases, n WHERE order_ref = ?",
        payments[0].payment_id,
    )
    write(world, "DELETE FROM purchases WHERE order_ref = ?", payments[4].payment_id)
    calls = world.wire.calls.count("GET /statement")
    result = await compare_later(world, account)
    assert (result.lines, result.entries, result.kinds) == (314, 5, {"missing_here": 310, "missing_there": 1})
    assert world.wire.calls.count("GET /statement") - calls >= 3
    assert (await compare(world, account)).open == 311
    write(world, "DELETE FROM purchases WHERE rrn LIKE '8%'")


async def test_what_a_person_has_closed_is_opened_again_only_if_there_is_more_to_it(world: World) -> None:
    account = await world.account()
    _, payment = await paid(world, account)
    write(world, "UPDATE purchases SET amount = 1 WHERE order_ref = ?", payment.payment_id)
    await compare_later(world, account)
    (seen,) = await found(world, account)
    pool, account_id = world.platform.pool, account.account_id
    for note in ("", " ", "x" * 256, "a\nb"):
        with pytest.raises(Invalid):
            await operations.close(pool, seen.discrepancy_id, account_id=account_id, note=note, now=now(world))
    assert await found(world, account) == [seen]
    await operations.close(pool, seen.discrepancy_id, account_id=account_id, note="paid out by hand", now=now(world))
    result = await compare(world, account)
    assert (result.kinds, result.open) == ({"amount": 1}, 0)
    write(world, "UPDATE purchases SET amount = 2 WHERE order_ref = ?", payment.payment_id)
    assert (await compare(world, account)).open == 1
    assert [seen.note for seen in await found(world, account, open_only=False)] == [
        None,
        "paid out by hand",
    ]


async def test_two_comparisons_beside_each_other_open_one_discrepancy(world: World) -> None:
    account = await world.account()
    _, payment = await paid(world, account)
    write(world, "DELETE FROM purchases WHERE order_ref = ?", payment.payment_id)
    world.platform.clock.test_offset += LATER
    await compare(world, account)
    await asyncio.gather(*(compare(world, account) for _ in range(4)))
    assert len(await found(world, account, open_only=False)) == 1


async def test_a_verification_is_no_movement(world: World) -> None:
    account = await world.account()
    invoice = await world.invoice(account, flow="verify")
    await world.pay(invoice)
    result = await compare_later(world, account)
    assert (result.lines, result.entries, result.kinds) == (0, 0, {})
    write(world, "UPDATE purchases SET check_only = 0 WHERE order_ref = ?", (await latest(world, invoice)).payment_id)
    assert (await compare(world, account)).kinds == {"status": 1}


async def test_a_period_of_nothing_is_refused(world: World) -> None:
    account = await world.account()
    for since, end in ((now(world), None), (now(world) - timedelta(days=1), now(world) - timedelta(days=2))):
        with pytest.raises(Invalid):
            await compare(world, account, since=since, until=end)
