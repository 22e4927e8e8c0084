"""SQL over what belongs to no merchant: the clock of test mode. One statement a function."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from kassa.db.pool import Executor, Row

OBSERVED: Final = """(SELECT test_offset FROM test_clock) AS test_offset, clock_timestamp() AS database_now,
    (SELECT count(*) FROM currencies) AS currencies"""
"""The columns of an ``Observed``, for a statement that has more to ask."""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator or the database changes beside a process, at one moment."""

    test_offset: timedelta
    database_now: datetime
    currencies: int
    """How many the catalogue has: none ever leaves it or changes its exponent."""

    @classmethod
    def of(cls, record: Row) -> "Observed":
        """Read a row that has the columns ``OBSERVED``."""
        return cls(**{name: record[name] for name in cls.__struct_fields__})


async def observed(executor: Executor) -> Observed:
    """Return what changes beside us, as it is now."""
    record = await executor.fetchrow(f"SELECT {OBSERVED}")
    assert record is not None  # noqa: S101 - a SELECT without FROM has one row
    return Observed.of(record)


async def test_offset(executor: Executor) -> timedelta:
    """Return how far test mode's clock is ahead of real time."""
    found: timedelta = await executor.fetchval("SELECT test_offset FROM test_clock")
    return found


async def save_test_offset(executor: Executor, *, test_offset: timedelta) -> None:
    """Set how far test mode's clock is ahead of real time."""
    await executor.execute("UPDATE test_clock SET test_offset = $1", test_offset)


async def advance_test_offset(executor: Executor, *, step: timedelta, test_offset_max: timedelta) -> timedelta | None:
    """Move test mode's clock on and return how far ahead it is then; None, and no move, past the maximum."""
    found: timedelta | None = await executor.fetchval(
        "UPDATE test_clock SET test_offset = test_offset + $1 WHERE test_offset + $1 <= $2 RETURNING test_offset",
        step,
        test_offset_max,
    )
    return found


async def database_now(executor: Executor) -> datetime:
    """Return the database's own clock, which is for nothing but seeing whether it agrees with ours."""
    found: datetime = await executor.fetchval("SELECT clock_timestamp()")
    return found


async def connections_max(executor: Executor) -> int:
    """Return how many connections the server takes from those who are no superusers."""
    found: int = await executor.fetchval(
        "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        " - coalesce(current_setting('reserved_connections', true)::int, 0)"
    )
    return found


async def setting(executor: Executor, name: str) -> str:
    """Return a setting of the server as this connection has it, such as ``fsync``."""
    found: str = await executor.fetchval("SELECT current_setting($1)", name)
    return found
