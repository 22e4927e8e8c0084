"""What waits, and since when, as the database tells it; and that telling it reads little."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from kassa.backlog import queries
from kassa.backlog.measuring import KEPT_SECONDS, Measuring
from kassa.moderation import operations as moderation
from kassa.moderation.model import AmountRule
from kassa.observability.metrics import registry
from tests.support.wire import Fault
from tests.support.world import GOOD_SECURE, World


@pytest.fixture(autouse=True)
def _time_is_real(world: World) -> Iterator[None]:
    yield
    world.platform.clock.test_offset = timedelta()
    world.wire.fault = world.wire.refund_fault = None


def gauge(name: str) -> float | None:
    return registry.get_sample_value(f"kassa_{name}", {"mode": "test"})


async def test_what_waits_is_counted_and_its_age_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kassa.backlog.measuring.KEPT_SECONDS", 0)
    measuring = Measuring(world.platform)
    await measuring.measure()
    assert (gauge("callbacks_waiting"), gauge("oldest_callback_age_seconds"), gauge("held_for_review")) == (0, 0, 0)
    account = await world.account(callback_url="http://127.0.0.1:9/")
    rule = AmountRule(currency="USD", at_least=10_000)
    await moderation.add_rule(world.pool, account.account_id, rule, now=account.created_at, by="ann")
    await world.pay(await world.invoice(account))
    await world.pay(await world.invoice(account, amount=5), card=GOOD_SECURE)
    refunded = await world.invoice(account, amount=5)
    await world.pay(refunded)
    world.wire.refund_fault = Fault.LOSE_ANSWER
    await world.refund(refunded)
    world.wire.refund_fault = None
    world.move_clock(minutes=3)
    await measuring.measure()
    assert (gauge("callbacks_waiting") or 0) >= 6
    assert (gauge("attempts_waiting"), gauge("refunds_waiting"), gauge("held_for_review")) == (1, 1, 1)
    assert gauge("unknown_outcomes") == 0
    assert (gauge("ledger_entries_waiting") or 0) >= 2
    for name in ("callback", "attempt", "refund", "ledger_entry"):
        assert 180 <= (gauge(f"oldest_{name}_age_seconds") or 0) < 240


async def test_an_attempt_whose_answer_was_lost_is_of_unknown_outcome(world: World) -> None:
    account = await world.account()
    before = (await queries.measured(world.pool, test_mode=True)).unknown
    world.wire.fault = Fault.LOSE_ANSWER
    await world.pay(await world.invoice(account))
    world.wire.fault = None
    found = await queries.measured(world.pool, test_mode=True)
    assert found.unknown == before + 1
    assert found.oldest_unknown is not None


async def test_the_database_is_asked_seldom_however_often_we_are(world: World) -> None:
    measuring = Measuring(world.platform)
    assert KEPT_SECONDS >= 1
    await measuring.measure()
    before = gauge("held_for_review")
    account = await world.account()
    invoice = await world.invoice(account)
    await world.pool.execute(
        "UPDATE invoices SET moderation_required = true WHERE account_id = $1 AND invoice_id = $2",
        account.account_id,
        invoice.invoice_id,
    )
    await measuring.measure()
    assert gauge("held_for_review") == before


async def test_the_oldest_is_found_by_an_index(world: World) -> None:
    async with world.pool.acquire() as connection, connection.transaction():
        # A table of a few rows is read whole, unless that is forbidden: what is asked is what an index can do.
        for name in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
            await connection.execute(f"SET LOCAL {name} = off")
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE measure (boolean, integer) AS {queries._MEASURE}")
        rows = await connection.fetch("EXPLAIN EXECUTE measure (true, 10000)")
        plan = "\n".join(row[0] for row in rows)
        await connection.execute("DEALLOCATE measure")
    for name in ("callbacks_waiting", "payments_waiting", "refunds_waiting", "invoices_moderated"):
        assert name in plan, plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan
