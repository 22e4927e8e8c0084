"""Every statement over discrepancies. Each names its account."""

from datetime import datetime
from typing import Any, Final

import msgspec

from kassa.db.pool import Executor
from kassa.reconciliation.model import Difference, Kind, Period
from kassa.reconciliation.statements.queries import Books
from kassa.values import Value


class Discrepancy(Value, frozen=True, kw_only=True):
    """One difference, from the run that saw it first to its end. ``ours`` and ``theirs`` are JSON."""

    account_id: str
    discrepancy_id: str
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
    """When the later of the two sides booked it."""
    opened_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    note: str | None
    """Why an operator closed it; None where a later run found the books agreeing."""


_COLUMNS: Final = ", ".join(Discrepancy.__struct_fields__)

# A discrepancy that an operator has closed is not opened again, unless there is more to it than there was.
_SEE: Final = """
INSERT INTO discrepancies (account_id, discrepancy_id, provider_account_id, test_mode, kind, movement, ref, external_id,
                                  payment_id, ours, theirs, booked_at, opened_at, last_seen_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11::jsonb, $12, $13, $13
WHERE NOT EXISTS (
    SELECT FROM discrepancies c
    WHERE c.account_id = $1 AND c.provider_account_id = $3 AND c.movement = $6 AND c.ref = $7 AND c.external_id = $8
      AND c.note IS NOT NULL AND c.kind = $5
      AND c.ours IS NOT DISTINCT FROM $10::jsonb AND c.theirs IS NOT DISTINCT FROM $11::jsonb)
ON CONFLICT (account_id, provider_account_id, movement, ref, external_id) WHERE resolved_at IS NULL
DO UPDATE SET kind = excluded.kind, ours = excluded.ours, theirs = excluded.theirs, booked_at = excluded.booked_at,
    last_seen_at = greatest(discrepancies.last_seen_at, excluded.last_seen_at)
RETURNING discrepancy_id
"""


async def see(
    connection: Executor,
    books: Books,
    difference: Difference,
    *,
    discrepancy_id: str,
    now: datetime,
) -> str | None:
    """Note a difference; return its discrepancy: ``discrepancy_id`` if it is new, None if an operator has closed it."""
    named, line, ours = difference.named, difference.line, difference.ours
    found: str | None = await connection.fetchval(
        _SEE,
        books.account_id,
        discrepancy_id,
        books.provider_account_id,
        books.test_mode,
        difference.kind,
        named.movement,
        named.ref,
        line.external_id if line else "",
        named.payment_id,
        _json(ours, "status", "external_id", "amount", "currency", "booked_at"),
        _json(line, "external_id", "amount", "currency", "booked_at"),
        difference.booked_at,
        now,
    )
    return found


_AGREED: Final = """
UPDATE discrepancies SET resolved_at = $6
WHERE account_id = $1 AND provider_account_id = $2 AND resolved_at IS NULL AND last_seen_at < $5
  AND booked_at >= $3 AND booked_at < $4
RETURNING discrepancy_id
"""


async def agreed(
    connection: Executor,
    books: Books,
    period: Period,
    *,
    begun_at: datetime,
    now: datetime,
) -> list[str]:
    """Close the open discrepancies of a period that a run which began then has not seen again; return them."""
    rows = await connection.fetch(
        _AGREED, books.account_id, books.provider_account_id, period.since, period.until, begun_at, now
    )
    return [row["discrepancy_id"] for row in rows]


async def close(connection: Executor, discrepancy_id: str, *, account_id: str, note: str, now: datetime) -> bool:
    """Close an open discrepancy with a note of an operator; False where there is none."""
    done: str = await connection.execute(
        "UPDATE discrepancies SET resolved_at = $4, note = $3"
        " WHERE account_id = $1 AND discrepancy_id = $2 AND resolved_at IS NULL",
        account_id,
        discrepancy_id,
        note,
        now,
    )
    return done == "UPDATE 1"


async def listed(connection: Executor, *, account_id: str, open_only: bool, limit: int) -> list[Discrepancy]:
    """Return an account's discrepancies, the newest first."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM discrepancies"
        " WHERE account_id = $1 AND (resolved_at IS NULL OR NOT $2::boolean)"
        " ORDER BY opened_at DESC, discrepancy_id LIMIT $3",
        account_id,
        open_only,
        limit,
    )
    return [Discrepancy(**{**row, "kind": Kind(row["kind"])}) for row in rows]


async def open_count(connection: Executor, *, account_id: str, provider_account_id: str) -> int:
    """Return how many discrepancies of a provider account are open."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM discrepancies WHERE account_id = $1 AND provider_account_id = $2 AND resolved_at IS NULL",
        account_id,
        provider_account_id,
    )
    return found


def _json(value: object, *names: str) -> str | None:
    if value is None:
        return None
    facts: dict[str, Any] = {name: getattr(value, name) for name in names if hasattr(value, name)}
    return msgspec.json.encode(facts).decode()
