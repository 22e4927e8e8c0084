"""The night's job: when it comes, what it does with a provider that says nothing or nonsense, what it leaves behind."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import structlog
from prometheus_client import generate_latest

from kassa.accounts.model import Account
from kassa.errors import ProviderGarbled
from kassa.observability.metrics import registry
from kassa.platform import Platform
from kassa.providers.protocol import Statement, StatementLine
from kassa.providers.test.verbs import TestProvider
from kassa.reconciliation.measuring import Measuring
from kassa.reconciliation.model import NIGHT_BEGINS, NIGHT_SECONDS, RETRY, next_night
from kassa.reconciliation.nightly import Reconciling
from kassa.reconciliation.turns import queries
from kassa.reconciliation.turns.queries import Schedule
from tests.support import ledger, working
from tests.support.reconciling import Telling, found, now, with_provider, write
from tests.support.waiting import until
from tests.support.world import World


def line(**changes: object) -> StatementLine:
    values = {
        "movement": "purchase",
        "ref": "pay_0000000000000000",
        "payment_id": "pay_0000000000000000",
        "external_id": "t",
        "amount": 1,
        "currency": "USD",
        "booked_at": datetime.fromisoformat("2026-01-01T00:00:00Z"),
    }
    return StatementLine(**{**values, **changes})  # type: ignore[arg-type]


async def turn(world: World, account: Account, *, platform: Platform | None = None) -> bool:
    """Do the account's turn if it is due; tell whether it was."""
    await ledger.number(world.platform.pool, account.account_id)
    job = Reconciling(platform or world.platform)
    if account.account_id not in await working.due(world.pool, job, now(world)):
        return False
    claims = await working.taken(world.pool, job, account.account_id, now(world))
    for claim in claims:
        await job.run(claim)
    return bool(claims)


async def schedule_of(world: World, account: Account) -> Schedule:
    (found,) = await queries.schedules(world.platform.pool, account_id=account.account_id)
    return found


async def met(world: World) -> Account:
    """Return an account that has its night."""
    account = await world.account()
    assert await turn(world, account)
    return account


async def paid(world: World, account: Account) -> str:
    """Return the payment of a paid invoice."""
    invoice = await world.invoice(account)
    await world.pay(invoice)
    return (await world.view(invoice)).invoice.payment_id or ""


def shown(name: str) -> float:
    """Return a number of test mode from the metrics."""
    lines = generate_latest(registry).decode().splitlines()
    return float(
        next(each.split()[-1] for each in lines if each.startswith(f'kassa_reconciliation_{name}{{mode="test"}}'))
    )


async def test_a_new_provider_account_only_gets_its_night(world: World) -> None:
    calls = len(world.wire.calls)
    account = await met(world)
    due_at = (await schedule_of(world, account)).reconcile_at
    midnight = due_at.replace(hour=0, minute=0, second=0, microsecond=0)
    assert now(world) < due_at <= now(world) + timedelta(days=1)
    assert timedelta() <= due_at - midnight - NIGHT_BEGINS < timedelta(seconds=NIGHT_SECONDS)
    assert (len(world.wire.calls), await turn(world, account)) == (calls, False)


async def test_every_night_compares_what_was_there_since_the_last(world: World) -> None:
    account = await met(world)
    first, second = await paid(world, account), await paid(world, account)
    write(world, "DELETE FROM purchases WHERE order_ref = ?", first)
    world.move_clock(days=1)
    assert await turn(world, account)
    assert [seen.ref for seen in await found(world, account)] == [first]
    after = await schedule_of(world, account)
    assert (after.reconciled_at is not None, after.reconcile_problem) == (True, None)
    assert now(world) < after.reconcile_at <= now(world) + timedelta(days=1)
    assert not await turn(world, account)
    write(world, "DELETE FROM purchases WHERE order_ref = ?", second)
    world.move_clock(days=1)
    assert await turn(world, account)
    assert {seen.ref for seen in await found(world, account)} == {first, second}
    world.move_clock(days=5)
    assert await turn(world, account)
    assert len(await found(world, account, open_only=False)) == 2


async def test_what_may_be_mended_soon_is_looked_at_again_soon(world: World) -> None:
    # From noon on, or the coming night could be sooner than the next try.
    world.move_clock(hours=(12 - now(world).hour) % 24)
    account = await met(world)
    invoice = await world.invoice(account)
    await world.pay(invoice, expiry="07/77")
    payment_id = (await world.view(invoice)).invoice.payment_id or ""
    await world.decide(payment_id, "approve")
    world.move_clock(days=1)
    assert await turn(world, account)
    assert (await schedule_of(world, account)).reconcile_at <= now(world) + RETRY
    assert await world.ask(account) == 1
    world.move_clock(seconds=RETRY.total_seconds() + 1)
    assert await turn(world, account)
    assert await found(world, account) == []
    after = await schedule_of(world, account)
    assert after.reconcile_at == next_night(after.provider_account_id, now(world))


async def test_a_provider_that_is_silent_is_asked_again_and_the_trouble_is_seen(world: World) -> None:
    account = await met(world)
    payment_id = await paid(world, account)
    write(world, "DELETE FROM purchases WHERE order_ref = ?", payment_id)
    world.move_clock(days=1)
    silent = with_provider(world, TestProvider("http://127.0.0.1:9", world.platform.outbound, answer_seconds=10.0))
    with structlog.testing.capture_logs() as logs:
        assert await turn(world, account, platform=silent)
    assert [each["log_level"] for each in logs if each["event"] == "the provider's statement cannot be read"] == [
        "error"
    ]
    after = await schedule_of(world, account)
    assert "did not answer" in (after.reconcile_problem or "")
    assert (after.reconciled_at, await found(world, account)) == (None, [])
    assert now(world) < after.reconcile_at <= now(world) + RETRY
    await Measuring(world.pool).measure()
    assert shown("problems") >= 1
    world.move_clock(seconds=RETRY.total_seconds() + 1)
    assert await turn(world, account)
    assert (await schedule_of(world, account)).reconcile_problem is None
    assert [seen.ref for seen in await found(world, account)] == [payment_id]


@pytest.mark.parametrize(
    "tell",
    [
        lambda _: Statement(lines=(), next="again"),
        lambda _: Statement(lines=(line(ref="a\x00b"),), next=None),
        lambda _: Statement(lines=(line(payment_id="x" * 256),), next=None),
        lambda _: Statement(lines=(line(external_id=""),), next=None),
        lambda _: Statement(lines=(line(amount=-1),), next=None),
        lambda _: Statement(lines=(line(booked_at=datetime.fromisoformat("2026-01-01T00:00:00")),), next=None),
        lambda _: Statement(lines=(line(movement="charge_back"),), next=None),
        lambda _: Statement(lines=(line(movement="charge_back", ref="pay_0000000000000000:None"),), next=None),
        lambda _: Statement(lines=(line(movement="charge_back", ref="pay_0000000000000001:1"),), next=None),
        lambda _: Statement(lines=(line(movement="charge_back", ref="pay_0000000000000000:1", amount=2),), next=None),
    ],
)
async def test_nonsense_changes_nothing_and_is_told(world: World, tell: Callable[[str | None], Statement]) -> None:
    account = await met(world)
    payment_id = await paid(world, account)
    world.move_clock(days=1)
    assert await turn(world, account, platform=with_provider(world, Telling(world, tell)))
    assert (await schedule_of(world, account)).reconcile_problem
    assert await found(world, account) == []
    assert payment_id


@pytest.mark.parametrize(
    "change",
    [
        "currency = 'us'",
        "currency = 'USDT'",
        "order_ref = 'a b'",
        "updated_at = '2026-01-01T00:00:00'",
    ],
)
async def test_what_the_bank_cannot_mean_is_nonsense_to_its_provider(world: World, change: str) -> None:
    account = await world.account()
    payment_id = await paid(world, account)
    provider = TestProvider(world.bank_url, world.platform.outbound, answer_seconds=10.0)
    route = await world.platform.accounts.credentials(
        account.account_id, (await schedule_of(world, account)).provider_account_id
    )
    read = (route.credentials, datetime.fromisoformat("2025-12-31T00:00:00Z"), now(world) + timedelta(days=1), None)
    assert payment_id in {each.ref for each in (await provider.statement(*read)).lines}
    kept = "currency = 'USD', order_ref = ?1, updated_at = created_at"
    write(world, f"UPDATE purchases SET {change} WHERE order_ref = ?", payment_id)
    with pytest.raises(ProviderGarbled):
        await provider.statement(*read)
    write(world, f"UPDATE purchases SET {kept} WHERE order_ref IN (?1, 'a b')", payment_id)
    assert payment_id in {each.ref for each in (await provider.statement(*read)).lines}


async def test_a_provider_without_a_statement_is_left_alone(world: World) -> None:
    class Plain:
        code = "test"

    account = await met(world)
    world.move_clock(days=1)
    assert await turn(world, account, platform=with_provider(world, Plain()))
    after = await schedule_of(world, account)
    assert (after.reconciled_at, after.reconcile_problem) == (None, None)
    assert after.reconcile_at == next_night(after.provider_account_id, now(world))


async def test_a_turn_is_taken_once_and_can_be_given_back(world: World) -> None:
    account = await met(world)
    world.move_clock(days=1)
    job, taken_at = Reconciling(world.platform), now(world)
    claims = working.claims(world.pool, job)
    leases = await claims.claim(account.account_id, taken_at, limit=10)
    assert len(leases) == 1
    assert await claims.claim(account.account_id, taken_at, limit=10) == []
    await claims.release(leases, taken_at)
    (again,) = await claims.claim(account.account_id, taken_at, limit=10)
    late = job.read(again.row).leased_until + timedelta(seconds=1)
    (taken_over,) = await claims.claim(account.account_id, late, limit=10)
    await claims.release([again], taken_at)
    assert (await schedule_of(world, account)).reconcile_at == job.read(taken_over.row).leased_until


async def test_a_clock_that_went_back_stops_no_night(world: World) -> None:
    account = await met(world)
    world.move_clock(days=9)
    assert await turn(world, account)
    await paid(world, account)
    world.platform.clock.test_offset = timedelta(days=1)
    await world.platform.pool.execute(
        "UPDATE provider_accounts SET reconcile_at = $2 WHERE account_id = $1", account.account_id, now(world)
    )
    assert await turn(world, account)
    assert (await schedule_of(world, account)).reconciled_at is not None


async def test_the_worker_does_it_when_the_clock_of_test_mode_is_moved(world: World) -> None:
    account = await met(world)
    payment_id = await paid(world, account)
    await ledger.number(world.platform.pool, account.account_id)
    write(world, "UPDATE purchases SET amount = 7 WHERE order_ref = ?", payment_id)
    async with working.working(world.platform, Reconciling(world.platform)):
        world.move_clock(days=1)

        async def told() -> bool:
            return [(seen.kind, seen.ref) for seen in await found(world, account)] == [("amount", payment_id)]

        await until(told, what="the night's discrepancy")
    await Measuring(world.pool).measure()
    expected = await queries.measured(world.platform.pool, test_mode=True)
    assert shown("discrepancies_open") == expected.open_discrepancies >= 1
    assert expected.reconciled_at is not None
    assert shown("last_run_timestamp_seconds") == expected.reconciled_at.timestamp()
