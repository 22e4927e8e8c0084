"""Every statement over cases. Each names its account."""

from datetime import datetime
from typing import Any, Final

import msgspec

from kassa.db.pool import Executor
from kassa.providers.protocol import Value
from kassa.reconciliation.model import Difference, Kind, Period


class Case(Value, frozen=True, kw_only=True):
    """One difference, from the run that saw it first to its end. ``ours`` and ``theirs`` are JSON."""

    account_id: str
    case_id: str
    provider_account_id: str
    test_mode: bool
    kind: Kind
    movement: str
    ref: str
    external_id: str
    payment_id: str
    ours: str | None
    theirs: str | None
    booked_at: datetime
    """When the money moved: by the statement, or by our books where it is not on the statement."""
    opened_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    note: str | None
    """Why a person closed it; None where a later run found the books agreeing."""


_CASE: Final = ", ".join(Case.__struct_fields__)

# A case that a person has closed is not opened again, unless there is more to it than there was.
_SEE: Final = """
INSERT INTO reconciliation_cases (account_id, case_id, provider_account_id, test_mode, kind, movement, ref, external_id,
                                  payment_id, ours, theirs, booked_at, opened_at, last_seen_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11::jsonb, $12, $13, $13
WHERE NOT EXISTS (
    SELECT FROM reconciliation_cases c
    WHERE c.account_id = $1 AND c.provider_account_id = $3 AND c.movement = $6 AND c.ref = $7 AND c.external_id = $8
      AND c.note IS NOT NULL AND c.kind = $5
      AND c.ours IS NOT DISTINCT FROM $10::jsonb AND c.theirs IS NOT DISTINCT FROM $11::jsonb)
ON CONFLICT (account_id, provider_account_id, movement, ref, external_id) WHERE resolved_at IS NULL
DO UPDATE SET kind = excluded.kind, ours = excluded.ours, theirs = excluded.theirs,
    last_seen_at = greatest(reconciliation_cases.last_seen_at, excluded.last_seen_at)
RETURNING case_id
"""


async def see(
    connection: Executor,
    difference: Difference,
    *,
    account_id: str,
    case_id: str,
    provider_account_id: str,
    test_mode: bool,
    now: datetime,
) -> str | None:
    """Note a difference; return its case: ``case_id`` if this is the first time, None if a person has closed it."""
    named, line, ours = difference.named, difference.line, difference.ours
    found: str | None = await connection.fetchval(
        _SEE,
        account_id,
        case_id,
        provider_account_id,
        test_mode,
        difference.kind,
        named.movement,
        named.ref,
        line.external_id if line else "",
        named.payment_id,
        _json(ours, "status", "external_id", "amount", "currency", "booked_at"),
        _json(line, "external_id", "amount", "currency", "booked_at"),
        named.booked_at,
        now,
    )
    return found


_AGREED: Final = """
UPDATE reconciliation_cases SET resolved_at = $6
WHERE account_id = $1 AND provider_account_id = $2 AND resolved_at IS NULL AND last_seen_at < $5
  AND booked_at >= $3 AND booked_at < $4
RETURNING case_id
"""


async def agreed(
    connection: Executor,
    provider_account_id: str,
    period: Period,
    *,
    account_id: str,
    begun_at: datetime,
    now: datetime,
) -> list[str]:
    """Close the open cases of a period that a run which began then has not seen again; return them."""
    rows = await connection.fetch(_AGREED, account_id, provider_account_id, period.since, period.until, begun_at, now)
    return [row["case_id"] for row in rows]


async def close(connection: Executor, case_id: str, *, account_id: str, note: str, now: datetime) -> bool:
    """Close an open case with a person's word; False where there is none."""
    done: str = await connection.execute(
        "UPDATE reconciliation_cases SET resolved_at = $4, note = $3"
        " WHERE account_id = $1 AND case_id = $2 AND resolved_at IS NULL",
        account_id,
        case_id,
        note,
        now,
    )
    return done == "UPDATE 1"


async def cases(connection: Executor, *, account_id: str, open_only: bool, limit: int) -> list[Case]:
    """Return an account's cases, the newest first."""
    rows = await connection.fetch(
        f"SELECT {_CASE} FROM reconciliation_cases"
        " WHERE account_id = $1 AND (resolved_at IS NULL OR NOT $2::boolean)"
        " ORDER BY opened_at DESC, case_id LIMIT $3",
        account_id,
        open_only,
        limit,
    )
    return [Case(**{**row, "kind": Kind(row["kind"])}) for row in rows]


async def open_count(connection: Executor, *, account_id: str, provider_account_id: str) -> int:
    """Return how many cases of a provider account are open."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM reconciliation_cases"
        " WHERE account_id = $1 AND provider_account_id = $2 AND resolved_at IS NULL",
        account_id,
        provider_account_id,
    )
    return found


def _json(value: object, *names: str) -> str | None:
    if value is None:
        return None
    facts: dict[str, Any] = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return msgspec.json.encode(facts).decode()
