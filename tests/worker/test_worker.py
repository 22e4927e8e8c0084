"""How the worker shares itself out, on jobs in memory; its work on the database is shown in test_delivering."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import pytest

from kassa import worker as worker_module
from kassa.clock import Clock
from kassa.errors import DatabaseUnavailable
from kassa.platform import Platform
from kassa.worker import IN_FLIGHT_MAX, Pauses, Worker
from tests.support.waiting import until


@dataclass(frozen=True, kw_only=True)
class Piece:
    account_id: str
    number: int


@dataclass(kw_only=True)
class Pieces:
    """A job whose due work is a list; `doing` is what a piece does."""

    doing: Callable[[Piece], object] = lambda _: None
    name: str = "pieces"
    per_account: int = 4
    due: list[Piece] = field(default_factory=list)
    moments: dict[bool, datetime] = field(default_factory=dict)
    faults: list[Exception] = field(default_factory=list)
    rounds: Counter[bool] = field(default_factory=Counter)
    leased: bool = True
    """Whether what is taken is due no more; what has no lease is due until it was done."""
    idle: bool = False
    """Whether a run tells that it did nothing."""
    done: list[Piece] = field(default_factory=list)
    running: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    started: Counter[str] = field(default_factory=Counter)
    handed_back: list[Piece] = field(default_factory=list)

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        self.moments[test_mode] = now
        self.rounds[test_mode] += 1
        if self.faults:
            raise self.faults.pop()
        return [] if test_mode else list(dict.fromkeys(piece.account_id for piece in self.due))

    async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[Piece]:
        assert limit > 0
        taken = [piece for piece in self.due if piece.account_id == account_id][:limit]
        if self.leased:
            self.due = [piece for piece in self.due if piece not in taken]
        return taken

    async def run(self, claim: Piece) -> bool:
        self.started[claim.account_id] += 1
        self.running[claim.account_id] += 1
        self.most[claim.account_id] = max(self.most[claim.account_id], self.running[claim.account_id])
        try:
            waiting = self.doing(claim)
            if asyncio.iscoroutine(waiting):
                await waiting
        finally:
            self.running[claim.account_id] -= 1
        self.done.append(claim)
        return not self.idle

    async def hand_back(self, claims: list[Piece], now: datetime) -> None:
        self.handed_back += claims


def pieces(account_id: str, count: int) -> list[Piece]:
    return [Piece(account_id=account_id, number=number) for number in range(count)]


class Clocked:
    """As much of a platform as the worker itself needs."""

    def __init__(self) -> None:
        self.clock = Clock(timedelta(days=3))


@asynccontextmanager
async def working(job: Pieces) -> AsyncIterator[Worker]:
    worker = Worker(cast("Platform", Clocked()), [job])
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop()
        await running


async def test_all_due_work_is_done_once_and_an_account_never_has_more_than_its_share() -> None:
    job = Pieces(due=pieces("a", 30) + pieces("b", 3))
    async with working(job):
        await until(lambda: len(job.done) == 33)
    assert Counter(piece.account_id for piece in job.done) == {"a": 30, "b": 3}
    assert len(set(job.done)) == 33
    assert job.most["a"] <= 4


async def test_work_that_becomes_due_later_is_found() -> None:
    job = Pieces()
    async with working(job):
        await until(lambda: len(job.moments) == 2)
        job.due += pieces("a", 1)
        await until(lambda: len(job.done) == 1)


async def test_each_mode_is_asked_with_its_own_clock() -> None:
    job = Pieces()
    async with working(job):
        await until(lambda: len(job.moments) == 2)
    assert timedelta(days=3) - timedelta(minutes=1) < job.moments[True] - job.moments[False] < timedelta(days=4)


async def test_an_account_whose_work_hangs_does_not_hold_up_another() -> None:
    released = asyncio.Event()
    job = Pieces(doing=lambda piece: released.wait() if piece.account_id == "slow" else None)
    job.due = pieces("slow", 50) + pieces("quick", 50)
    async with working(job):
        await until(lambda: len(job.done) == 50)
        assert {piece.account_id for piece in job.done} == {"quick"}
        assert job.running["slow"] == 4
        released.set()
        await until(lambda: len(job.done) == 100)


async def test_many_accounts_whose_work_hangs_leave_room_for_the_rest() -> None:
    released = asyncio.Event()
    job = Pieces(doing=lambda piece: released.wait() if piece.account_id.startswith("slow") else None)
    slow = IN_FLIGHT_MAX // 4 + 20
    job.due = [piece for number in range(slow) for piece in pieces(f"slow{number}", 10)] + pieces("quick", 5)
    async with working(job):
        await until(lambda: len(job.done) == 5)
        assert sum(job.running.values()) < IN_FLIGHT_MAX
        released.set()
        await until(lambda: len(job.done) == 10 * slow + 5)


async def test_work_that_raises_leaves_the_rest_alone() -> None:
    def fail(piece: Piece) -> None:
        if piece.number % 2:
            raise ValueError(piece)

    job = Pieces(doing=fail, due=pieces("a", 10))
    async with working(job):
        await until(lambda: len(job.done) == 5 and not job.running["a"])
        job.due += pieces("b", 1)
        await until(lambda: len(job.done) == 6)


def fails(_: Piece) -> None:
    raise ValueError("a fault of ours")


@pytest.mark.parametrize(
    "job", [Pieces(doing=fails, leased=False, per_account=1), Pieces(idle=True, leased=False, per_account=1)]
)
async def test_work_without_a_lease_that_goes_wrong_or_does_nothing_is_left_alone_for_a_moment(job: Pieces) -> None:
    job.due = pieces("a", 1)
    async with working(job):
        await until(lambda: job.rounds[True] >= 8)  # the other mode has nothing to do: a round each 0.2 s
    assert 1 <= job.started["a"] <= 5


def test_the_pauses_grow_up_to_a_limit_and_end_with_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 100.0
    monkeypatch.setattr("kassa.worker.time.monotonic", lambda: moment)
    pauses, lengths = Pauses(), []
    for _ in range(8):
        pauses.begin("a")
        pauses.begin("a")
        began = moment
        while pauses.holds("a"):
            moment += 0.05
        lengths.append(round(moment - began, 1))
    assert lengths == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    pauses.begin("a")
    assert not pauses.holds("b")
    pauses.end("a")
    assert not pauses.holds("a")


async def test_an_account_whose_work_cannot_be_taken_holds_up_no_other() -> None:
    class Broken(Pieces):
        async def claim(self, account_id: str, now: datetime, *, test_mode: bool, limit: int) -> list[Piece]:
            if account_id == "broken":
                raise ValueError(account_id)
            return await super().claim(account_id, now, test_mode=test_mode, limit=limit)

    job = Broken(due=pieces("broken", 1) + pieces("quick", 20))
    async with working(job):
        await until(lambda: len(job.done) == 20, seconds=3)


async def test_each_of_many_slow_accounts_has_its_turn() -> None:
    """Each piece ends only when all accounts that wait have had theirs, or when the lane has no place left."""
    accounts, places = IN_FLIGHT_MAX + 100, asyncio.Semaphore(0)
    job = Pieces(doing=lambda _: places.acquire())
    job.due = [piece for number in range(accounts) for piece in pieces(f"slow{number:04}", 10)]
    async with working(job):
        for freed in range(0, 4 * accounts, 20):
            await until(lambda: sum(job.started.values()) >= IN_FLIGHT_MAX + freed)  # noqa: B023
            for _ in range(20):
                places.release()
        assert len(job.started) == accounts
        for _ in range(10 * accounts):
            places.release()
        await until(lambda: len(job.done) == 10 * accounts)


async def test_a_database_that_is_away_is_waited_for() -> None:
    job = Pieces(due=pieces("a", 1), faults=[DatabaseUnavailable() for _ in range(4)])
    async with working(job):
        await until(lambda: len(job.done) == 1)
    assert job.faults == []


async def test_a_round_that_fails_for_any_reason_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "PAUSE_SECONDS_MAX", 0.05)
    job = Pieces(due=pieces("a", 1), faults=[ValueError("a fault of ours")])
    async with working(job):
        await until(lambda: len(job.done) == 1)


async def test_stop_takes_nothing_more_and_waits_for_what_is_under_way() -> None:
    released = asyncio.Event()
    job = Pieces(doing=lambda _: released.wait(), due=pieces("a", 10))
    async with working(job) as worker:
        await until(lambda: job.running["a"] == 4)
        stopping = asyncio.create_task(worker.stop())
        released.set()
        await stopping
        assert (len(job.done), len(job.due), job.handed_back) == (4, 6, [])


async def test_what_does_not_finish_in_time_is_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "FINISH_SECONDS", 0.05)
    job = Pieces(doing=lambda _: asyncio.Event().wait(), due=pieces("a", 10))
    async with working(job) as worker:
        await until(lambda: job.running["a"] == 4)
        await worker.stop()
        assert sorted(piece.number for piece in job.handed_back) == [0, 1, 2, 3]
        assert (job.done, job.running["a"]) == ([], 0)


class Deaf(Pieces):
    """A job on a database that does not answer, not even when it is asked to let go."""

    def __init__(self, *, slow_round: bool) -> None:
        super().__init__(doing=lambda _: self.never_mind(), due=pieces("a", 10))
        self.let_go = asyncio.Event()
        self.slow_round = slow_round

    async def never_mind(self) -> None:
        while not self.let_go.is_set():
            with suppress(asyncio.CancelledError):
                await self.let_go.wait()

    async def due_accounts(self, now: datetime, *, test_mode: bool) -> list[str]:
        if self.slow_round and self.running["a"] and not test_mode:
            await self.never_mind()
        return await super().due_accounts(now, test_mode=test_mode)

    async def hand_back(self, claims: list[Piece], now: datetime) -> None:
        await self.never_mind()


@pytest.mark.parametrize("slow_round", [False, True])
async def test_stop_ends_in_time_whatever_the_database_does(
    monkeypatch: pytest.MonkeyPatch, *, slow_round: bool
) -> None:
    monkeypatch.setattr(worker_module, "FINISH_SECONDS", 0.1)
    monkeypatch.setattr(worker_module, "STOP_SECONDS", 0.3)
    job = Deaf(slow_round=slow_round)
    worker = Worker(cast("Platform", Clocked()), [job])
    running = asyncio.create_task(worker.run())
    await until(lambda: job.running["a"] == 4)
    begun = time.monotonic()
    await worker.stop()
    assert 0.25 < time.monotonic() - begun < 2
    assert not running.done()
    job.let_go.set()
    await running


async def test_what_is_left_comes_due_with_its_lease_when_the_clock_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "FINISH_SECONDS", 0.05)
    job = Pieces(doing=lambda _: asyncio.Event().wait(), due=pieces("a", 1))
    async with working(job) as worker:
        await until(lambda: job.running["a"] == 1)
        clock = worker._lanes[0]._clock
        clock.compare(clock.real() + timedelta(hours=1), clock.reading())
        await worker.stop()
    assert job.handed_back == []
