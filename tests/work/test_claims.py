"""Claims on a table of the test's own: taken under a lease, renewed and released by whoever still holds it."""

from datetime import timedelta

import pytest

from kassa.clock import Clock
from kassa.work.claims import Claims
from tests.support import pieces
from tests.support.pieces import QUEUE, Pieces
from tests.support.postgres import Database

LEASE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)


@pytest.fixture
async def job(database: Database) -> Pieces:
    return await pieces.made(database)


def claims(job: Pieces, *, test_mode: bool = False) -> Claims:
    return Claims(job.database.pool, QUEUE, test_mode=test_mode)


async def row(job: Pieces) -> tuple[object, object]:
    found = await job.database.pool.fetchrow("SELECT due_at, asks FROM pieces")
    assert found is not None
    return found["due_at"], found["asks"]


async def test_a_claim_takes_the_account_the_mode_and_what_is_due_the_oldest_first(job: Pieces) -> None:
    now = Clock.real()
    await job.add("other", count=1)
    await job.add("tested", count=1, test_mode=True)
    await job.add("later", count=1, late=timedelta(days=-1))
    for number, late in enumerate((1, 3, 2)):
        await job.database.pool.execute("INSERT INTO pieces VALUES ('a', $1, false, $2)", number, now - late * SECOND)
    now = Clock.real()
    assert sorted(await claims(job).accounts(now)) == ["a", "other"]
    assert await claims(job, test_mode=True).accounts(now) == ["tested"]
    taken = await claims(job).claim("a", now, limit=2)
    assert sorted(lease.row["number"] for lease in taken) == [1, 2]
    assert [(lease.account_id, lease.until, lease.row["asks"]) for lease in taken] == [("a", now + LEASE, 1)] * 2
    assert [lease.row["number"] for lease in await claims(job).claim("a", now, limit=5)] == [0]
    assert await claims(job).claim("later", now, limit=5) == []
    assert await claims(job).accounts(now) == ["other"]


async def test_a_claim_is_due_again_when_its_lease_ends_and_not_before(job: Pieces) -> None:
    await job.add("a", count=1)
    now = Clock.real()
    assert len(await claims(job).claim("a", now, limit=1)) == 1
    assert await claims(job).claim("a", now + LEASE - SECOND, limit=1) == []
    (again,) = await claims(job).claim("a", now + LEASE, limit=1)
    assert again.row["asks"] == 2


async def test_what_is_released_is_due_at_once_and_its_claim_does_not_count(job: Pieces) -> None:
    await job.add("a", count=1)
    now = Clock.real()
    leases = await claims(job).claim("a", now, limit=1)
    await claims(job).release(leases, now + SECOND)
    assert await row(job) == (now + SECOND, 0)
    await claims(job).release(leases, now + 2 * SECOND)
    assert await row(job) == (now + SECOND, 0)


async def test_what_was_put_off_or_taken_by_another_is_neither_released_nor_renewed(job: Pieces) -> None:
    await job.add("a", count=1)
    now = Clock.real()
    (mine,) = await claims(job).claim("a", now, limit=1)
    (theirs,) = await claims(job).claim("a", now + LEASE, limit=1)
    await claims(job).release([mine], now + SECOND)
    assert await claims(job).renew(mine, now + SECOND) is None
    assert await row(job) == (theirs.until, 2)
    done = now + timedelta(days=300)
    await job.database.pool.execute("UPDATE pieces SET due_at = $1", done)
    await claims(job).release([theirs], now + SECOND)
    assert await row(job) == (done, 2)


async def test_a_renewed_lease_is_released_by_its_new_end_alone(job: Pieces) -> None:
    await job.add("a", count=1)
    now = Clock.real()
    (first,) = await claims(job).claim("a", now, limit=1)
    renewed = await claims(job).renew(first, now + LEASE / 2)
    assert renewed is not None
    assert await row(job) == (now + 1.5 * LEASE, 1)
    await claims(job).release([first], now)
    assert await row(job) == (now + 1.5 * LEASE, 1)
    await claims(job).release([renewed], now)
    assert await row(job) == (now, 0)
