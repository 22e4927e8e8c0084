"""Every statement over turns. Each names its account, but for the worker's question and the operator's numbers."""

from datetime import datetime
from typing import Final

from kassa.db.pool import Executor
from kassa.providers.protocol import Value


class Turn(Value, frozen=True, kw_only=True):
    """A provider account whose books one worker compares. ``since`` is None before its first night."""

    account_id: str
    provider_account_id: str
    test_mode: bool
    since: datetime | None
    leased_until: datetime


# Steps along the index from one account to the next, as for everything that is due.
_DUE_ACCOUNTS: Final = """
WITH RECURSIVE earliest AS (
    (SELECT account_id, reconcile_at FROM provider_accounts
     WHERE test_mode = $1
     ORDER BY account_id, reconcile_at LIMIT 1)
    UNION ALL
    SELECT following.account_id, following.reconcile_at
    FROM earliest CROSS JOIN LATERAL (
        SELECT account_id, reconcile_at FROM provider_accounts
        WHERE test_mode = $1 AND account_id > earliest.account_id
        ORDER BY account_id, reconcile_at LIMIT 1
    ) AS following
)
SELECT account_id FROM earliest WHERE reconcile_at <= $2
"""


async def due_accounts(connection: Executor, *, test_mode: bool, now: datetime) -> list[str]:
    """Return the accounts with a provider account whose turn it is."""
    return [row["account_id"] for row in await connection.fetch(_DUE_ACCOUNTS, test_mode, now)]


_CLAIM: Final = """
WITH due AS MATERIALIZED (
    SELECT provider_account_id FROM provider_accounts
    WHERE account_id = $1 AND test_mode = $2 AND reconcile_at <= $3
    ORDER BY reconcile_at LIMIT $5 FOR UPDATE SKIP LOCKED
)
UPDATE provider_accounts AS p SET reconcile_at = $4
FROM due WHERE p.account_id = $1 AND p.provider_account_id = due.provider_account_id
RETURNING p.account_id, p.provider_account_id, p.test_mode, p.reconcile_from AS since, p.reconcile_at AS leased_until
"""


async def claim(
    connection: Executor, *, account_id: str, test_mode: bool, now: datetime, until: datetime, limit: int
) -> list[Turn]:
    """Take turns of an account; they come again at ``until`` unless somebody ends them."""
    return [Turn(**row) for row in await connection.fetch(_CLAIM, account_id, test_mode, now, until, limit)]


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


async def hand_back(connection: Executor, turn: Turn, *, account_id: str, now: datetime) -> None:
    """Give a turn back undone, if it is still ours."""
    await connection.execute(
        "UPDATE provider_accounts SET reconcile_at = $4"
        " WHERE account_id = $1 AND provider_account_id = $2 AND reconcile_at = $3",
        account_id,
        turn.provider_account_id,
        turn.leased_until,
        now,
    )


class Standing(Value, frozen=True, kw_only=True):
    """How far a provider account's books have been compared."""

    provider_account_id: str
    provider: str
    test_mode: bool
    reconcile_at: datetime
    reconciled_at: datetime | None
    reconcile_problem: str | None


async def standings(connection: Executor, *, account_id: str) -> list[Standing]:
    """Return how an account's provider accounts stand."""
    rows = await connection.fetch(
        f"SELECT {', '.join(Standing.__struct_fields__)} FROM provider_accounts"
        " WHERE account_id = $1 ORDER BY created_at, provider_account_id",
        account_id,
    )
    return [Standing(**row) for row in rows]


class Measured(Value, frozen=True, kw_only=True):
    """All accounts' differences and turns of a mode, in numbers."""

    open_cases: int
    problems: int
    reconciled_at: datetime | None
    """When the last turn that compared all it had to ended."""


_MEASURE: Final = """
SELECT (SELECT count(*) FROM reconciliation_cases WHERE resolved_at IS NULL AND test_mode = $1) AS open_cases,
    count(reconcile_problem) AS problems, max(reconciled_at) AS reconciled_at
FROM provider_accounts WHERE test_mode = $1
"""


async def measured(connection: Executor, *, test_mode: bool) -> Measured:
    """Return the numbers that the metrics show."""
    (row,) = await connection.fetch(_MEASURE, test_mode)
    return Measured(**row)
