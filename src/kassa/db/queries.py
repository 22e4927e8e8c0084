"""SQL over what belongs to no merchant: the clock of test mode. One statement a function."""

from datetime import datetime, timedelta

from kassa.db.pool import Executor


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


async def setting(executor: Executor, name: str) -> str:
    """Return a setting of the server as this connection has it, such as ``fsync``."""
    found: str = await executor.fetchval("SELECT current_setting($1)", name)
    return found
