"""What PostgreSQL rolls back because of another transaction is done again, whole; nothing else is."""

import asyncio
from collections.abc import Iterator
from itertools import repeat

import asyncpg
import pytest

from kassa.db.pool import AGAIN_SECONDS, Pool, transaction, unit_of_work
from kassa.errors import DatabaseUnavailable
from tests.support import ledger
from tests.support.postgres import Database

TRIES = 1 + len(AGAIN_SECONDS)


@pytest.fixture
async def rows(database: Database) -> Pool:
    """Two rows that count how often they were changed."""
    await ledger.tamper(
        database,
        "CREATE TABLE counted (name text PRIMARY KEY, times int NOT NULL)",
        "INSERT INTO counted VALUES ('a', 0), ('b', 0)",
        "GRANT SELECT, UPDATE ON counted TO kassa_app",
    )
    return database.pool


class Crossing:
    """Changes both rows, and waits between them for as long as it is told: once for the other, then never again."""

    def __init__(self, pool: Pool, names: str, meeting: asyncio.Barrier) -> None:
        self._pool = pool
        self._names = names
        self._meeting: Iterator[asyncio.Barrier | None] = iter([meeting, *repeat(None, TRIES)])
        self.tries = 0

    @unit_of_work
    async def change(self) -> str:
        self.tries += 1
        async with transaction(self._pool) as connection:
            for name in self._names:
                await connection.execute("UPDATE counted SET times = times + 1 WHERE name = $1", name)
                if meeting := next(self._meeting):
                    await meeting.wait()
        return self._names


async def test_of_two_that_cross_one_is_done_again_and_both_go_through(rows: Pool) -> None:
    meeting = asyncio.Barrier(2)
    crossing = [Crossing(rows, names, meeting) for names in ("ab", "ba")]
    assert await asyncio.gather(*(each.change() for each in crossing)) == ["ab", "ba"]
    assert sorted(each.tries for each in crossing) == [1, 2]
    assert [row["times"] for row in await rows.fetch("SELECT times FROM counted")] == [2, 2]


@pytest.mark.parametrize(
    "code, tries",
    [
        pytest.param("40P01", TRIES, id="deadlock_detected"),
        pytest.param("40001", TRIES, id="serialization_failure"),
        pytest.param("40003", 1, id="statement_completion_unknown"),
        pytest.param("55P03", 1, id="lock_not_available"),
        pytest.param("57014", 1, id="query_canceled"),
        pytest.param("57P01", 1, id="admin_shutdown"),
    ],
)
async def test_what_goes_on_failing_is_tried_four_times_at_most_and_all_else_once(
    rows: Pool, code: str, tries: int
) -> None:
    tried = 0

    @unit_of_work
    async def work() -> None:
        nonlocal tried
        tried += 1
        async with transaction(rows) as connection:
            await connection.execute("UPDATE counted SET times = times + 1")
            await connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'; END $$")

    with pytest.raises(DatabaseUnavailable) as caught:
        await work()
    assert isinstance(caught.value.__cause__, asyncpg.PostgresError)
    assert (caught.value.__cause__.sqlstate, tried) == (code, tries)
    assert await rows.fetchval("SELECT sum(times) FROM counted") == 0


async def test_a_statement_of_its_own_is_a_unit_of_work(database: Database, rows: Pool) -> None:
    await ledger.tamper(
        database,
        "CREATE SEQUENCE refusals",
        "GRANT USAGE ON refusals TO kassa_app",
        "CREATE FUNCTION refuse_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF nextval('refusals') <= 2 THEN RAISE EXCEPTION 'refused' USING ERRCODE = '40P01'; END IF;"
        " RETURN NEW; END $$",
        "CREATE TRIGGER refuse_twice BEFORE UPDATE ON counted FOR EACH ROW EXECUTE FUNCTION refuse_twice()",
    )
    change = "UPDATE counted SET times = times + 1 WHERE name = 'a' RETURNING times"
    assert await rows.fetchval(change) == 1
    await ledger.tamper(database, "ALTER SEQUENCE refusals RESTART")
    assert await rows.execute(change) == "UPDATE 1"
    await ledger.tamper(database, "ALTER SEQUENCE refusals RESTART")
    assert [row["times"] for row in await rows.fetch(change)] == [3]
    await ledger.tamper(database, "ALTER SEQUENCE refusals RESTART")
    row = await rows.fetchrow(change)
    assert row is not None
    assert tuple(row) == (4,)


async def test_a_mistake_is_made_once(rows: Pool) -> None:
    tried = 0

    @unit_of_work
    async def work() -> None:
        nonlocal tried
        tried += 1
        async with transaction(rows) as connection:
            await connection.execute("UPDATE counted SET nothing = 1")

    with pytest.raises(asyncpg.UndefinedColumnError):
        await work()
    assert tried == 1
