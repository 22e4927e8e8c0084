"""Two merchants with years behind them: 120,000 invoices, written by the database itself in a few seconds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from tests.support.postgres import Database

MERCHANT: Final = "coma_AAAA000000000000"
"""Has three invoices of four."""
OTHER: Final = "coma_BBBB000000000000"
COUNT: Final = 120_000
INTERVAL: Final = timedelta(seconds=10)
BEGAN_AT: Final = datetime(2026, 2, 1, tzinfo=UTC)
MIDDLE: Final = BEGAN_AT + COUNT // 2 * INTERVAL
LONG_AGO: Final = BEGAN_AT + COUNT // 50 * INTERVAL

_ACCOUNTS: Final = """
INSERT INTO accounts (account_id, tag, name, currency, external_mid, created_at)
SELECT 'coma_' || tag || '000000000000', tag, tag, 'EUR', 'org_' || tag, $1 FROM unnest(ARRAY['AAAA', 'BBBB']) AS tag
"""
_CUSTOMERS: Final = """
INSERT INTO customers (account_id, customer_id, test_mode, reference_id, created_at, updated_at)
SELECT 'coma_' || tag || '000000000000', 'cus_' || tag || lpad(n::text, 12, '0'), false, n::text, $1, $1
FROM unnest(ARRAY['AAAA', 'BBBB']) AS tag, generate_series(1, 20000) AS n
"""
# One of 501 is of test mode, one of 25,000 in pounds, one of 1,000 updated ten days later; the newest are all paid.
_INVOICES: Final = """
INSERT INTO invoices (account_id, invoice_id, test_mode, reference_id, source, version, status, resolution, service,
    service_method, service_flow, service_currency, payment_flow, currency, amount, payment_amount, fee, deposit,
    metadata, customer_id, session_id, payment_id, attempts_max, created_at, updated_at, expires_at)
SELECT 'coma_' || tag || '000000000000', 'cpi_' || tag || id, n % 501 = 0, 'order ' || n, 'merchant_api', 1, status,
    CASE WHEN status = 'processed' THEN 'ok' WHEN n % 20000 = 83 THEN 'provider_error' ELSE 'expired' END,
    'payment_card_' || lower(currency) || '_hpp', 'payment_card', 'hpp', currency, 'charge', currency, 1000, 1000, 0,
    1000, '{}', CASE WHEN n % 3 = 0 THEN 'cus_' || tag || lpad((n % 20000 + 1)::text, 12, '0') END, 'cgi_' || tag || id,
    CASE WHEN n % 50 = 0 THEN 'pay_' || tag || id END, 5, made_at,
    made_at + CASE WHEN n % 1000 = 5 THEN interval '10 days' ELSE n % 30 * interval '1 minute' END,
    made_at + interval '30 minutes'
FROM (
    SELECT n, substr(md5(n::text), 1, 12) AS id, CASE WHEN n % 4 = 0 THEN 'BBBB' ELSE 'AAAA' END AS tag,
        CASE WHEN n % 100 < 70 OR n > $3 - 2000 THEN 'processed' ELSE 'process_failed' END AS status,
        CASE WHEN n % 25000 = 3 THEN 'GBP' WHEN n % 3 = 0 THEN 'EUR' ELSE 'USD' END AS currency,
        $1::timestamptz + n * $2::interval AS made_at
    FROM generate_series(1, $3::integer) AS n
) AS drawn
"""
_PAYMENTS: Final = """
INSERT INTO payments (account_id, payment_id, invoice_id, attempt_number, test_mode, status, resolution, provider,
    provider_account_id, merchant_id, amount, currency, client_ip, created_at, updated_at)
SELECT account_id, payment_id, invoice_id, 1, test_mode, 'processed', 'ok', 'test', 'ma_0', 'merchant', amount,
    currency, '', created_at, updated_at
FROM invoices WHERE payment_id IS NOT NULL
"""
_CALLBACKS: Final = """
INSERT INTO callbacks (account_id, callback_id, invoice_id, test_mode, invoice_status, final, logged_at, url, body,
    status, created_at)
SELECT account_id, 'msg_' || substr(invoice_id, 5), invoice_id, test_mode, status, true,
    extract(epoch FROM created_at)::bigint, 'https://shop.example', ''::bytea, 'done', created_at
FROM invoices WHERE payment_id IS NOT NULL
"""


@asynccontextmanager
async def written(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Fill a database, and give a connection of its owner."""
    owner = await asyncpg.connect(database.url)
    try:
        await owner.execute("SET synchronous_commit = off")
        await owner.execute(_ACCOUNTS, BEGAN_AT)
        await owner.execute(_CUSTOMERS, BEGAN_AT)
        await owner.execute(_INVOICES, BEGAN_AT, INTERVAL, COUNT)
        await owner.execute(_PAYMENTS)
        await owner.execute(_CALLBACKS)
        await owner.execute("ANALYZE")
        yield owner
    finally:
        await owner.close()
