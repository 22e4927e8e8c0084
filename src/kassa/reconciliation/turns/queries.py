"""Every statement over turns. Each names its account, but for the worker's question and the operator's numbers."""

from datetime import datetime
from typing import Final

from kassa.db.pool import Executor
from kassa.values import Value


class Turn(Value, frozen=True, kw_only=True):
    """A provider account whose books one worker compares. ``since`` is None before its first night."""

    account_id: str
    provider_account_id: str
    test_mode: bool
    since: datetime | None
    leased_until: datetime


async def schedule(connection: Executor, turn: Turn, *, account_id: str, due_at: datetime, since: datetime) -> None:
    """End a turn in which nothing was compared: say when the next one is, and from when on it compares."""
    await connection.execute(
        "UPDATE provider_accounts SET reconcile_at = $4, reconcile_from = coalesce(reconcile_from, $5)"
        " WHERE account_id = $1 AND provider_account_id = $2 AND reconcile_at = $3",
        account_id,
        turn.provider_account_id,
        turn.leased_until,
        due_at,
        since,
    )


async def finish(
    connection: Executor, turn: Turn, *, account_id: str, due_at: datetime, since: datetime, now: datetime
) -> None:
    """End a turn that compared all that it had to."""
    await connection.execute(
        "UPDATE provider_accounts SET reconcile_at = $4, reconcile_from = $5, reconciled_at = $6,"
        " reconcile_problem = NULL"
        " WHERE account_id = $1 AND provider_account_id = $2 AND reconcile_at = $3",
        account_id,
        turn.provider_account_id,
        turn.leased_until,
        due_at,
        since,
        now,
    )


async def put_off(connection: Executor, turn: Turn, *, account_id: str, due_at: datetime, problem: str) -> None:
    """End a turn that could not compare, and say why."""
    await connection.execute(
        "UPDATE provider_accounts SET reconcile_at = $4, reconcile_problem = $5"
        " WHERE account_id = $1 AND provider_account_id = $2 AND reconcile_at = $3",
        account_id,
        turn.provider_account_id,
        turn.leased_until,
        due_at,
        problem,
    )


class Schedule(Value, frozen=True, kw_only=True):
    """How far a provider account's books have been compared."""

    provider_account_id: str
    provider: str
    test_mode: bool
    reconcile_at: datetime
    reconciled_at: datetime | None
    reconcile_problem: str | None


async def schedules(connection: Executor, *, account_id: str) -> list[Schedule]:
    """Return how far each of an account's provider accounts has been compared."""
    rows = await connection.fetch(
        f"SELECT {', '.join(Schedule.__struct_fields__)} FROM provider_accounts"
        " WHERE account_id = $1 ORDER BY created_at, provider_account_id",
        account_id,
    )
    return [Schedule(**row) for row in rows]


class Measured(Value, frozen=True, kw_only=True):
    """All accounts' differences and turns of a mode, in numbers."""

    open_discrepancies: int
    problems: int
    reconciled_at: datetime | None
    """When the last turn that compared all it had to ended."""


_MEASURE: Final = """
SELECT (SELECT count(*) FROM discrepancies WHERE resolved_at IS NULL AND test_mode = $1) AS open_discrepancies,
    count(reconcile_problem) AS problems, max(reconciled_at) AS reconciled_at
FROM provider_accounts WHERE test_mode = $1
"""


async def measured(connection: Executor, *, test_mode: bool) -> Measured:
    """Return the numbers that the metrics show."""
    (row,) = await connection.fetch(_MEASURE, test_mode)
    return Measured(**row)
