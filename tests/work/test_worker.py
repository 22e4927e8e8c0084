"""How the worker shares itself out, on a table of the test's own; its work on Kassa's is shown in test_delivering."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs

from kassa.clock import Clock
from kassa.db.queries import Observed
from kassa.work import runner, worker
from kassa.work.worker import Worker
from tests.support import pieces, working
from tests.support.pieces import QUEUE, UNLEASED, Piece, Pieces
from tests.support.postgres import Database
from tests.support.waiting import until

MINUTE = timedelta(minutes=1)


class Polls:
    """Counts a worker's polls."""

    def __init__(self) -> None:
        self.count = 0

    async def observe(self, _: Observed) -> None:
        self.count += 1


@asynccontextmanager
async def at_work(*jobs: Pieces, clock: Clock | None = None, polls: Polls | None = None) -> AsyncIterator[Worker]:
    observe = polls.observe if polls else None
    async with working.started(Worker(jobs[0].database.pool, clock or Clock(), jobs, observe=observe)) as at_it:
        yield at_it


async def test_all_due_work_is_done_once_and_an_account_never_has_more_than_its_share(database: Database) -> None:
    job = await pieces.made(database)
    await job.add("a", count=30)
    await job.add("b", count=3)
    async with at_work(job):
        await until(lambda: len(job.done) == 33)
    assert Counter(piece.account_id for piece in job.done) == {"a": 30, "b": 3}
    assert len(set(job.done)) == 33
    assert job.most["a"] <= 4


async def test_work_that_another_process_makes_due_is_found(database: Database) -> None:
    job, polls = await pieces.made(database), Polls()
    async with at_work(job, polls=polls):
        await until(lambda: polls.count >= 2)
        await job.add("a", count=1)
        await until(lambda: len(job.done) == 1)


async def test_each_mode_goes_by_its_own_clock(database: Database) -> None:
    job, polls = await pieces.made(database), Polls()
    await job.add("live", count=1, late=timedelta(days=-2))
    await job.add("test", count=1, late=timedelta(days=-2), test_mode=True)
    async with at_work(job, clock=Clock(timedelta(days=3)), polls=polls):
        await until(lambda: polls.count >= 3)
    assert [piece.account_id for piece in job.done] == ["test"]


async def test_an_account_whose_work_hangs_does_not_hold_up_another(database: Database) -> None:
    released = asyncio.Event()
    job = await pieces.made(database, doing=lambda piece: released.wait() if piece.account_id == "slow" else None)
    await job.add("slow", "quick", count=50)
    async with at_work(job):
        await until(lambda: len(job.done) == 50)
        assert {piece.account_id for piece in job.done} == {"quick"}
        assert job.running["slow"] == 4
        released.set()
        await until(lambda: len(job.done) == 100)


FEW = msgspec.structs.replace(QUEUE, in_flight=32)
"""A queue with few places, so that they are soon taken."""


async def test_many_accounts_whose_work_hangs_leave_room_for_the_rest(database: Database) -> None:
    released = asyncio.Event()
    job = await pieces.made(
        database, queue=FEW, doing=lambda piece: released.wait() if piece.account_id.startswith("slow") else None
    )
    slow = [f"slow{number}" for number in range(FEW.in_flight // 4 + 10)]
    await job.add(*slow, count=10)
    await job.add("quick", count=5)
    async with at_work(job):
        await until(lambda: len(job.done) == 5)
        assert sum(job.running.values()) < FEW.in_flight
        released.set()
        await until(lambda: len(job.done) == 10 * len(slow) + 5)


async def test_each_of_many_slow_accounts_has_its_turn(database: Database) -> None:
    """Each piece ends only when all accounts that wait have had theirs, or when no place is left."""
    places = asyncio.Semaphore(0)
    job = await pieces.made(database, queue=FEW, doing=lambda _: places.acquire())
    accounts = [f"slow{number:04}" for number in range(FEW.in_flight + 12)]
    await job.add(*accounts, count=10)
    async with at_work(job):
        for freed in range(0, 4 * len(accounts), 4):
            await until(lambda: sum(job.started.values()) >= FEW.in_flight + freed)  # noqa: B023
            for _ in range(4):
                places.release()
        assert len(job.started) == len(accounts)
        for _ in range(10 * len(accounts)):
            places.release()
        await until(lambda: len(job.done) == 10 * len(accounts))


async def test_work_that_raises_leaves_the_rest_alone(database: Database) -> None:
    def fail(piece: Piece) -> None:
        if piece.number % 2:
            raise ValueError(piece)

    job = await pieces.made(database, doing=fail)
    await job.add("a", count=10)
    async with at_work(job):
        await until(lambda: len(job.done) == 5 and not job.running["a"])
        await job.add("b", count=1)
        await until(lambda: len(job.done) == 6)


def fails(_: Piece) -> None:
    raise ValueError("a fault of ours")


@pytest.mark.parametrize("changes", [{"doing": fails}, {"idle": True}])
async def test_work_without_a_lease_that_goes_wrong_or_does_nothing_is_left_alone_for_a_moment(
    database: Database, changes: dict[str, object]
) -> None:
    job, polls = await pieces.made(database, queue=UNLEASED, **changes), Polls()
    await job.add("a", count=1)
    begun = time.monotonic()
    async with at_work(job, polls=polls):
        await until(lambda: polls.count >= 9)
    assert 1 <= job.started["a"] <= working.tries_max(time.monotonic() - begun)


async def test_work_without_a_lease_goes_on_until_it_is_done(database: Database) -> None:
    job = await pieces.made(database, queue=UNLEASED)
    await job.add("a", "b", count=1)
    async with at_work(job):
        await until(lambda: len(job.done) == 2)
    assert await job.left() == []


BROKEN = "ALTER TABLE pieces ADD CHECK (account_id <> 'broken') NOT VALID"
UNAVAILABLE = """
CREATE FUNCTION answered(account_id text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    IF account_id = 'broken' THEN RAISE SQLSTATE '57014' USING MESSAGE = 'takes too long'; END IF;
    RETURN true;
END $$;
ALTER TABLE pieces ADD CHECK (answered(account_id)) NOT VALID
"""


@pytest.mark.parametrize("fault", [BROKEN, UNAVAILABLE], ids=["fails", "takes too long"])
async def test_an_account_whose_work_cannot_be_taken_holds_up_no_other(database: Database, fault: str) -> None:
    job = await pieces.made(database)
    await job.add("broken", count=1)
    await pieces.tamper(database, fault)
    await job.add("after", "before", count=20)
    with capture_logs() as lines:
        async with at_work(job):
            await until(lambda: len(job.done) == 40)
            await until(lambda: any(line["event"] == "work not taken" for line in lines))
    assert {line["account_id"] for line in lines if line["event"] == "work not taken"} == {"broken"}
    assert [line for line in lines if line["event"] == "no work taken"] == []


async def test_a_table_that_cannot_be_read_holds_up_no_other(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PAUSE_SECONDS_MAX", 0.2)
    job = await pieces.made(database)
    broken = Pieces(database=database, queue=msgspec.structs.replace(QUEUE, table="nowhere"))
    await job.add("a", count=10)
    with capture_logs():
        async with at_work(broken, job):
            await until(lambda: len(job.done) == 10)


async def test_a_database_that_is_away_is_waited_for(database: Database) -> None:
    job = await pieces.made(database)
    await job.add("a", count=1)
    owner = await asyncpg.connect(database.url)
    with capture_logs() as lines:
        async with at_work(job):
            async with owner.transaction():
                await owner.execute("LOCK TABLE test_clock, pieces IN ACCESS EXCLUSIVE MODE")
                await until(lambda: any(line["event"] == "worker waits for the database" for line in lines))
                assert job.done == []
            await until(lambda: len(job.done) == 1)
    await owner.close()


async def test_a_poll_that_fails_for_any_reason_is_not_the_last(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PAUSE_SECONDS_MAX", 0.2)
    job = await pieces.made(database)
    await job.add("a", count=1)
    await pieces.tamper(database, "ALTER TABLE pieces RENAME TO away")
    with capture_logs() as lines:
        async with at_work(job):
            await until(lambda: any(line["event"] == "poll failed" for line in lines))
            await pieces.tamper(database, "ALTER TABLE away RENAME TO pieces")
            await until(lambda: len(job.done) == 1)


async def test_stop_takes_nothing_more_and_waits_for_what_is_under_way(database: Database) -> None:
    released = asyncio.Event()
    job = await pieces.made(database, doing=lambda _: released.wait())
    await job.add("a", count=10)
    async with at_work(job) as at_it:
        await until(lambda: job.running["a"] == 4)
        stopping = asyncio.create_task(at_it.stop())
        released.set()
        await stopping
    assert len(job.done) == 4
    assert await job.left() == [(number, 0) for number in range(10) if number not in {each.number for each in job.done}]


async def test_what_does_not_finish_in_time_is_released_and_its_claim_does_not_count(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "FINISH_SECONDS", 0.05)
    job = await pieces.made(database, doing=lambda _: asyncio.Event().wait())
    await job.add("a", count=4)
    async with at_work(job) as at_it:
        await until(lambda: job.running["a"] == 4)
        assert await job.left() == []
        await at_it.stop()
    assert await job.left() == [(0, 0), (1, 0), (2, 0), (3, 0)]
    assert (job.done, job.running["a"]) == ([], 0)


@pytest.mark.parametrize("slow_round", [False, True])
async def test_stop_ends_in_time_whatever_the_database_does(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, slow_round: bool
) -> None:
    monkeypatch.setattr(runner, "FINISH_SECONDS", 0.1)
    monkeypatch.setattr(worker, "STOP_SECONDS", 0.3)
    let_go = asyncio.Event()

    async def never_mind() -> None:
        while not let_go.is_set():
            with suppress(asyncio.CancelledError):
                await let_go.wait()

    job = await pieces.made(database, doing=lambda _: never_mind())
    await job.add("a", count=10)
    owner = await asyncpg.connect(database.url)
    at_it = Worker(database.pool, Clock(), [job])
    running = asyncio.create_task(at_it.run())
    await until(lambda: job.running["a"] == 4)
    async with owner.transaction():
        await owner.execute("LOCK TABLE pieces IN ACCESS EXCLUSIVE MODE")
        if slow_round:
            at_it._runners[0].look()
        await at_it.stop()
        assert not running.done()
        assert job.done == []
    let_go.set()
    await running
    await owner.close()


async def test_what_is_left_comes_due_with_its_lease_when_the_clock_is_wrong(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "FINISH_SECONDS", 0.05)
    job, clock = await pieces.made(database, doing=lambda _: asyncio.Event().wait()), Clock()
    await job.add("a", count=1)
    async with at_work(job, clock=clock) as at_it:
        await until(lambda: job.running["a"] == 1)
        at_it._stopping.set()
        clock.compare(clock.real() + timedelta(hours=1), clock.reading())
        await at_it.stop()
    assert await job.left() == []
