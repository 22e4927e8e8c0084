"""Every statement over both books' comparison. Each names its account, but for the worker's and the operator's."""

from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec

from kassa.db.pool import Executor
from kassa.payments.model import PaymentStatus
from kassa.providers.protocol import Value
from kassa.reconciliation.model import BOOKED, Difference, Kind, Ours, Period

# Our books ------------------------------------------------------------------------------------------------------------

_RECIPES: Final = ", ".join(f"('{recipe}', '{movement}', '{suffix}')" for recipe, (movement, suffix) in BOOKED.items())

_OURS: Final = """
r.movement, p.payment_id || r.suffix AS ref, p.payment_id, p.provider_account_id, p.created_at AS asked_at, p.status,
CASE WHEN r.movement = 'purchase' THEN p.external_id END AS external_id
"""

_OF_PAYMENTS: Final = f"""
SELECT {_OURS}, sum(t.amount)::bigint AS amount, min(t.currency) AS currency, min(t.created_at) AS booked_at
FROM payments p
CROSS JOIN (VALUES {_RECIPES}) AS r (recipe, movement, suffix)
LEFT JOIN ledger_transfers t ON t.account_id = p.account_id AND t.entry_id = r.recipe || ':' || p.payment_id
    AND 'provider' IN (t.debit, t.credit)
WHERE p.account_id = $1 AND p.payment_id = ANY($2::text[])
GROUP BY p.account_id, p.payment_id, r.movement, r.suffix
"""


async def of_payments(connection: Executor, payment_ids: list[str], *, account_id: str) -> list[Ours]:
    """Return what we know of payments' movements, those of which no money is booked included."""
    return [_ours(row) for row in await connection.fetch(_OF_PAYMENTS, account_id, payment_ids)]


class Place(Value, frozen=True, kw_only=True):
    """How far the journal has been read."""

    created_at: datetime
    number: int


_BOOKED: Final = f"""
WITH entries AS MATERIALIZED (
    SELECT account_id, entry_id, created_at, number FROM ledger_journal
    WHERE account_id = $1 AND test_mode = $2 AND created_at >= $3 AND created_at < $4
      AND (created_at, number) > ($3, $5::bigint)
    ORDER BY created_at, number LIMIT $7
)
SELECT e.created_at AS read_until, e.number, {_OURS}, t.amount, t.currency, t.created_at AS booked_at
FROM entries e
JOIN ledger_transfers t ON t.account_id = e.account_id AND t.entry_id = e.entry_id
LEFT JOIN (VALUES {_RECIPES}) AS r (recipe, movement, suffix)
    ON r.recipe = t.recipe AND 'provider' IN (t.debit, t.credit)
LEFT JOIN payments p ON p.account_id = e.account_id AND p.payment_id = split_part(e.entry_id, ':', 2)
    AND p.provider_account_id = $6
ORDER BY e.created_at, e.number
"""


async def booked(
    connection: Executor,
    provider_account_id: str,
    period: Period,
    *,
    account_id: str,
    test_mode: bool,
    after: int,
    limit: int,
) -> tuple[list[Ours], Place | None]:
    """Return the movements among the next ``limit`` entries of a period in the journal, and the last entry's place.

    The next page's period begins at that place's moment, ``after`` its number.
    """
    rows: list[asyncpg.Record] = await connection.fetch(
        _BOOKED, account_id, test_mode, period.since, period.until, after, provider_account_id, limit
    )
    if not rows:
        return [], None
    place = Place(created_at=rows[-1]["read_until"], number=rows[-1]["number"])
    return [_ours(row) for row in rows if row["movement"] and row["payment_id"]], place


def _ours(row: asyncpg.Record) -> Ours:
    values = {name: row[name] for name in Ours.__struct_fields__}
    return Ours(**{**values, "status": PaymentStatus(values["status"])})


# Who else is known at the provider by the same merchant id ------------------------------------------------------------


class Merchant(Value, frozen=True, kw_only=True):
    """Whom a provider knows: one merchant there may stand behind several accounts here."""

    provider: str
    merchant_id: str
    test_mode: bool


_SHARING: Final = """
SELECT a.tag FROM accounts a JOIN provider_accounts p ON p.account_id = a.account_id
WHERE a.tag = ANY($4::text[]) AND p.provider = $1 AND p.merchant_id = $2 AND p.test_mode = $3
"""


async def sharing(connection: Executor, merchant: Merchant, tags: list[str]) -> set[str]:
    """Return the tags, out of these, of accounts that have the same merchant at the provider."""
    rows = await connection.fetch(_SHARING, merchant.provider, merchant.merchant_id, merchant.test_mode, tags)
    return {row["tag"] for row in rows}


_ELDEST: Final = """
SELECT provider_account_id FROM provider_accounts
WHERE provider = $1 AND merchant_id = $2 AND test_mode = $3
ORDER BY created_at, provider_account_id LIMIT 1
"""


async def eldest(connection: Executor, merchant: Merchant) -> str | None:
    """Return the provider account that had this merchant first: what belongs to nobody else is its own."""
    found: str | None = await connection.fetchval(_ELDEST, merchant.provider, merchant.merchant_id, merchant.test_mode)
    return found


# Cases ----------------------------------------------------------------------------------------------------------------


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


# Turns ----------------------------------------------------------------------------------------------------------------


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
