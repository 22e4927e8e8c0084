"""Our books beside the provider's, and who else is known at a provider by the same merchant id."""

from datetime import datetime
from typing import Final

import asyncpg

from kassa.db.pool import Executor
from kassa.invoices.rules.attempt import PaymentStatus
from kassa.invoices.rules.records import RefundStatus
from kassa.providers.protocol import StatementLine
from kassa.reconciliation.model import (
    BOOKED,
    INWARDS,
    OF_REFUNDS,
    Difference,
    Kind,
    Ours,
    Period,
)
from kassa.reconciliation.statements.queries import Books
from kassa.values import Value


def _listed(movements: frozenset[str]) -> str:
    return ", ".join(f"'{movement}'" for movement in sorted(movements))


_RECIPES: Final = ", ".join(f"('{recipe}', '{movement}')" for recipe, movement in BOOKED.items())

# Reads every movement of the payments that either side moved money of in a stretch of time, and pairs them. A pair is
# compared in the stretch in which the later side booked it, so each is compared once, and neither the statement nor our
# books are ever in memory. An entry that no recipe or payment explains goes by its own id, so no line is its pair.
#
# Payments and lines are looked up one by one, by their keys (``OFFSET 0``): whatever the planner believes of tables
# that grow by the hour, it never reads all of them.
#
# A chargeback's line belongs to the entry that ends with it, or else to the one whose sum it is a part of; an entry
# agrees where the last line of it (``reaches``) ends as the entry does.
_DIFFERENCES: Final = f"""
WITH entries AS MATERIALIZED (
    SELECT t.* FROM ledger_journal j
    JOIN ledger_transfers t ON t.account_id = j.account_id AND t.entry_id = j.entry_id
    WHERE j.account_id = $1 AND j.test_mode = $3
      AND j.created_at >= greatest($5::timestamptz, $7::timestamptz) AND j.created_at < $6
      AND 'provider' IN (t.debit, t.credit)
), touched AS MATERIALIZED (
    SELECT l.payment_id FROM provider_statement_lines l
    WHERE l.account_id = $1 AND l.provider_account_id = $2 AND l.seen_run >= $4
      AND l.booked_at >= $5 AND l.booked_at < $6
    UNION
    SELECT entries.payment_id FROM entries WHERE entries.payment_id IS NOT NULL
), known AS MATERIALIZED (
    SELECT p.payment_id, p.invoice_id FROM touched
    JOIN payments p ON p.account_id = $1 AND p.payment_id = touched.payment_id AND p.test_mode = $3
), moved AS (
    SELECT t.* FROM known
    JOIN ledger_transfers t ON t.account_id = $1 AND t.invoice_id = known.invoice_id
        AND t.payment_id = known.payment_id
    WHERE t.test_mode = $3 AND 'provider' IN (t.debit, t.credit)
    UNION ALL
    SELECT entries.* FROM entries WHERE NOT EXISTS (
        SELECT FROM payments p WHERE p.account_id = $1 AND p.payment_id = entries.payment_id AND p.test_mode = $3
            AND p.invoice_id = entries.invoice_id)
), named AS (
    SELECT coalesce(r.movement, CASE WHEN m.debit = 'provider' THEN 'purchase' ELSE 'refund' END) AS movement,
           coalesce(CASE WHEN r.movement = 'purchase' THEN m.payment_id
                         WHEN r.movement IN ({_listed(OF_REFUNDS)}) THEN m.refund_id
                         ELSE m.payment_id || ':' || m.charged_back_total END, m.entry_id) AS ref,
           m.payment_id, m.charged_back_total, m.debit, m.amount, m.currency, m.created_at
    FROM moved m LEFT JOIN (VALUES {_RECIPES}) AS r (recipe, movement) ON r.recipe = m.recipe
), booked AS MATERIALIZED (
    SELECT movement, ref, coalesce(payment_id, '') AS payment_id, min(charged_back_total) AS total, currency,
           sum(CASE WHEN (debit = 'provider') = (movement IN ({_listed(INWARDS)})) THEN amount ELSE -amount END)::bigint
               AS amount,
           max(created_at) AS booked_at
    FROM named GROUP BY movement, ref, payment_id, currency
), theirs AS (
    SELECT l.payment_id, l.movement, l.ref, l.external_id, l.charged_back_total AS total, l.amount, l.currency,
           l.booked_at,
           CASE WHEN l.movement = 'charge_back' THEN coalesce((
               SELECT b.ref FROM booked b
               WHERE b.movement = l.movement AND b.payment_id = l.payment_id AND (b.total = l.charged_back_total
                   OR b.total > l.charged_back_total AND b.total - b.amount < l.charged_back_total
                   OR b.total > b.total - b.amount AND b.total - b.amount = l.charged_back_total - l.amount)
               ORDER BY b.total <> l.charged_back_total, b.total LIMIT 1), l.ref) ELSE l.ref END AS booked_as
    FROM touched CROSS JOIN LATERAL (
        SELECT * FROM provider_statement_lines
        WHERE account_id = $1 AND provider_account_id = $2 AND payment_id = touched.payment_id AND seen_run >= $4
        OFFSET 0) AS l
), pairs AS (
    SELECT coalesce(l.movement, b.movement) AS movement, coalesce(l.payment_id, b.payment_id) AS payment_id,
           b.ref, b.total, b.amount, b.currency, b.booked_at,
           l.ref AS line_ref, l.total AS line_total, l.external_id AS line_external_id, l.amount AS line_amount,
           l.currency AS line_currency, l.booked_at AS line_booked_at,
           max(l.total) OVER (PARTITION BY b.payment_id, b.movement, b.ref, b.currency) AS reaches
    FROM booked b
    FULL JOIN theirs l ON l.payment_id = b.payment_id AND l.movement = b.movement AND l.booked_as = b.ref
), explained AS (
    SELECT pairs.*, coalesce(f.created_at, k.created_at, pairs.booked_at) AS asked_at,
           f.status AS refund_status, k.status AS payment_status,
           CASE WHEN pairs.movement = 'purchase' THEN k.external_id ELSE f.external_id END AS external_id,
           CASE WHEN pairs.ref IS NOT NULL AND pairs.line_ref IS NULL THEN 'missing_there'
                WHEN pairs.ref IS NULL AND (f.refund_id IS NOT NULL OR k.payment_id IS NOT NULL
                     AND pairs.movement NOT IN ({_listed(OF_REFUNDS)})) THEN 'status'
                WHEN pairs.ref IS NULL THEN 'missing_here'
                WHEN pairs.movement = 'purchase' AND k.external_id <> pairs.line_external_id
                     OR pairs.movement = 'refund' AND f.external_id <> pairs.line_external_id THEN 'transaction'
                WHEN pairs.currency <> pairs.line_currency THEN 'amount'
                WHEN pairs.movement = 'charge_back' THEN CASE
                     WHEN pairs.line_total > pairs.total THEN 'amount'
                     WHEN pairs.line_total < pairs.total AND pairs.line_total = pairs.reaches THEN 'amount' END
                WHEN pairs.amount <> pairs.line_amount THEN 'amount' END AS kind
    FROM pairs
    LEFT JOIN payments k ON k.account_id = $1 AND k.payment_id = pairs.payment_id AND k.test_mode = $3
    LEFT JOIN refunds f ON f.account_id = $1 AND f.payment_id = pairs.payment_id
        AND f.refund_id = coalesce(pairs.line_ref, pairs.ref) AND pairs.movement IN ({_listed(OF_REFUNDS)})
    WHERE k.provider_account_id = $2 OR k.payment_id IS NULL AND (pairs.line_ref IS NOT NULL OR $8::boolean)
)
SELECT explained.*, greatest(booked_at, line_booked_at) AS compared_at FROM explained
WHERE kind IS NOT NULL AND greatest(booked_at, line_booked_at) >= $5 AND greatest(booked_at, line_booked_at) < $6
  AND (line_ref IS NOT NULL OR booked_at >= $7)
ORDER BY compared_at, payment_id, movement, line_ref
"""


async def differences(
    connection: Executor, books: Books, period: Period, *, entries_since: datetime
) -> list[Difference]:
    """Return the movements of a period that our books and the lines of a run show differently.

    Entries older than ``entries_since`` are only looked at as pairs of lines: their own lines may not have been read.
    """
    rows = await connection.fetch(
        _DIFFERENCES,
        books.account_id,
        books.provider_account_id,
        books.test_mode,
        books.run,
        period.since,
        period.until,
        entries_since,
        books.takes_unknown,
    )
    return [_difference(row) for row in rows]


def _difference(row: asyncpg.Record) -> Difference:
    kind = Kind(row["kind"])
    return Difference(
        kind=kind,
        ours=None if kind is Kind.MISSING_HERE else _ours(row),
        line=None if row["line_ref"] is None else _line(row),
        booked_at=row["compared_at"],
    )


def _ours(row: asyncpg.Record) -> Ours:
    of_refund, of_payment = row["refund_status"], row["payment_status"]
    status = RefundStatus(of_refund) if of_refund else PaymentStatus(of_payment) if of_payment else None
    return Ours(
        movement=row["movement"],
        ref=row["ref"] or row["line_ref"],
        payment_id=row["payment_id"],
        asked_at=row["asked_at"],
        status=status,
        external_id=row["external_id"],
        amount=row["amount"],
        currency=row["currency"],
        booked_at=row["booked_at"],
    )


def _line(row: asyncpg.Record) -> StatementLine:
    return StatementLine(
        movement=row["movement"],
        ref=row["line_ref"],
        payment_id=row["payment_id"],
        external_id=row["line_external_id"],
        amount=row["line_amount"],
        currency=row["line_currency"],
        booked_at=row["line_booked_at"],
    )


_ENTRIES: Final = """
SELECT count(*) FROM ledger_journal j
JOIN ledger_transfers t ON t.account_id = j.account_id AND t.entry_id = j.entry_id
LEFT JOIN payments p ON p.account_id = $1 AND p.payment_id = t.payment_id AND p.test_mode = $3
WHERE j.account_id = $1 AND j.test_mode = $3 AND j.created_at >= $4 AND j.created_at < $5
  AND 'provider' IN (t.debit, t.credit) AND (p.provider_account_id = $2 OR p.payment_id IS NULL AND $6::boolean)
"""


async def entries(connection: Executor, books: Books, period: Period) -> int:
    """Return how many movements our books have of a period."""
    found: int = await connection.fetchval(
        _ENTRIES,
        books.account_id,
        books.provider_account_id,
        books.test_mode,
        period.since,
        period.until,
        books.takes_unknown,
    )
    return found


_STRETCH: Final = """
SELECT min(moment) FROM (
    (SELECT l.booked_at AS moment FROM provider_statement_lines l
     WHERE l.account_id = $1 AND l.provider_account_id = $2 AND l.booked_at > $4 AND l.booked_at < $5
     ORDER BY l.booked_at OFFSET $7 LIMIT 1)
    UNION ALL
    (SELECT j.created_at FROM ledger_journal j
     WHERE j.account_id = $1 AND j.test_mode = $3 AND j.created_at < $5
       AND j.created_at > greatest($4::timestamptz, $6::timestamptz)
     ORDER BY j.created_at OFFSET $7 LIMIT 1)
) AS sides
"""


async def stretch(
    connection: Executor, books: Books, period: Period, *, entries_since: datetime, movements: int
) -> Period:
    """Return the beginning of a period in which neither side booked much more than a number of movements."""
    until: datetime | None = await connection.fetchval(
        _STRETCH,
        books.account_id,
        books.provider_account_id,
        books.test_mode,
        period.since,
        period.until,
        entries_since,
        movements,
    )
    return Period(since=period.since, until=until or period.until)


class Merchant(Value, frozen=True, kw_only=True):
    """A merchant as a provider knows them: one there may have several accounts here."""

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
    """Return the provider account that had this merchant first: what is no one else's is its own."""
    found: str | None = await connection.fetchval(_ELDEST, merchant.provider, merchant.merchant_id, merchant.test_mode)
    return found
