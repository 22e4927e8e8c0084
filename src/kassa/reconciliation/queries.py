"""Our books as they are compared, and who else is known at a provider by the same merchant id."""

from datetime import datetime
from typing import Final

import asyncpg

from kassa.db.pool import Executor
from kassa.payments.model import PaymentStatus
from kassa.providers.protocol import Value
from kassa.reconciliation.model import BOOKED, Ours, Period
from kassa.refunds.model import RefundStatus

_RECIPES: Final = ", ".join(
    f"('{recipe}', '{movement}', '{prefix}', '{suffix}')" for recipe, (movement, prefix, suffix) in BOOKED.items()
)


def _suffix(payments: str) -> str:
    """Return what is behind an entry's id in its ref, as ``Payment.return_id`` has it."""
    again = f"r.suffix <> '' AND {payments}.return_number > 1"
    return f"r.suffix || CASE WHEN {again} THEN '-' || {payments}.return_number ELSE '' END"


_OF_PAYMENTS: Final = f"""
WITH known AS (
    SELECT 'pay' AS prefix, payment_id AS id, payment_id, invoice_id, provider_account_id, created_at AS asked_at,
           status, external_id, return_number
    FROM payments WHERE account_id = $1 AND payment_id = ANY($2::text[])
    UNION ALL
    SELECT 'ref', f.refund_id, p.payment_id, p.invoice_id, p.provider_account_id, f.created_at, f.status,
           f.external_id, 1
    FROM payments p JOIN refunds f ON f.account_id = p.account_id AND f.invoice_id = p.invoice_id
        AND f.payment_id = p.payment_id
    WHERE p.account_id = $1 AND p.payment_id = ANY($2::text[])
)
SELECT r.movement, coalesce(substr(t.entry_id, length(t.recipe) + 2), k.id) || {_suffix("k")} AS ref, k.prefix,
       k.payment_id, k.provider_account_id, k.asked_at, k.status,
       CASE WHEN k.prefix = 'ref' OR r.movement = 'purchase' THEN k.external_id END AS external_id,
       sum(t.amount)::bigint AS amount, min(t.currency) AS currency, min(t.created_at) AS booked_at
FROM known k
JOIN (VALUES {_RECIPES}) AS r (recipe, movement, prefix, suffix) ON r.prefix = k.prefix
LEFT JOIN ledger_transfers t ON t.account_id = $1 AND t.invoice_id = k.invoice_id AND t.recipe = r.recipe
    AND split_part(t.entry_id, ':', 2) = k.id AND 'provider' IN (t.debit, t.credit)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
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
SELECT e.created_at AS read_until, e.number, r.movement,
       substr(e.entry_id, length(t.recipe) + 2) || {_suffix("p")} AS ref, r.prefix, p.payment_id, p.provider_account_id,
       coalesce(f.created_at, p.created_at) AS asked_at,
       coalesce(f.status, p.status) AS status,
       CASE WHEN r.movement = 'purchase' THEN p.external_id ELSE f.external_id END AS external_id,
       t.amount, t.currency, t.created_at AS booked_at
FROM entries e
JOIN ledger_transfers t ON t.account_id = e.account_id AND t.entry_id = e.entry_id
LEFT JOIN (VALUES {_RECIPES}) AS r (recipe, movement, prefix, suffix)
    ON r.recipe = t.recipe AND 'provider' IN (t.debit, t.credit)
LEFT JOIN refunds f ON f.account_id = e.account_id AND f.refund_id = split_part(e.entry_id, ':', 2)
LEFT JOIN payments p ON p.account_id = e.account_id AND p.provider_account_id = $6
    AND p.payment_id = coalesce(f.payment_id, split_part(e.entry_id, ':', 2))
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
    status = RefundStatus if row["prefix"] == "ref" else PaymentStatus
    return Ours(**{**values, "status": status(values["status"])})


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
