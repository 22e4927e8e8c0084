"""A row for each table in which one account's paid and refunded invoice leaves none."""

from typing import Final

import asyncpg

_ROWS: Final = """
INSERT INTO currencies (currency, exponent, name, type) VALUES ('DOGE', 8, '{"en": "Dogecoin"}', 'crypto');
INSERT INTO exchange_rates (source, valid_from, base, quote, rate, recorded_at)
    VALUES ('manual', '2026-01-01Z', 'EUR', 'USD', 1.1, '2026-01-01Z');
INSERT INTO customers (account_id, customer_id, test_mode, reference_id, name, created_at, updated_at)
    SELECT account_id, 'cus_' || tag || '000000000000', true, 'customer', 'Ann', created_at, created_at FROM accounts;
INSERT INTO moderation_rules (account_id, rule_id, terms, created_at)
    SELECT account_id, 'rule', '{"kind": "amount", "currency": "USD", "at_least": 100000000}', created_at FROM accounts;
INSERT INTO moderation_decisions (account_id, decision_id, invoice_id, payment_id, verdict, decided_by, decided_at)
    SELECT account_id, 'held', invoice_id, payment_id, 'held', 'rule', created_at FROM payments;
INSERT INTO disputes (account_id, dispute_id, invoice_id, payment_id, test_mode, position, status, reason, amount,
    currency, provider_amount, provider_currency, total, unexpected, fee, reserve, held, booked, opened_at, updated_at,
    closed_at)
    SELECT account_id, 'dis_1', invoice_id, payment_id, true, 1, 'won', 'fraud', 1, currency, 1, currency, 1, false, 0,
    0, 0, true, created_at, created_at, created_at FROM payments;
INSERT INTO callback_listeners (account_id, listener_id, test_mode, created_at, leased_until)
    SELECT account_id, 'listener', true, created_at, created_at FROM accounts;
INSERT INTO callback_copies (account_id, listener_id, callback_id, invoice_id, invoice_status, body)
    SELECT account_id, 'listener', callback_id, invoice_id, invoice_status, body FROM callbacks LIMIT 1;
INSERT INTO idempotency_keys (account_id, key, fingerprint, serial, status, body, leased_until, due_at)
    SELECT account_id, 'key', sha256('request'), 'serial', 200, '{}', created_at, created_at FROM accounts;
INSERT INTO provider_statement_lines (account_id, provider_account_id, payment_id, movement, ref, external_id,
    test_mode, amount, currency, booked_at, seen_run, seen_at)
    SELECT account_id, provider_account_id, payment_id, 'purchase', '', external_id, true, amount, currency, created_at,
    1, created_at FROM payments;
INSERT INTO discrepancies (account_id, discrepancy_id, provider_account_id, test_mode, kind, movement, ref, external_id,
    payment_id, ours, booked_at, opened_at, last_seen_at)
    SELECT account_id, 'discrepancy', provider_account_id, true, 'missing_there', 'purchase', '', external_id,
    payment_id, '{}', created_at, created_at, created_at FROM payments;
"""


async def add(url: str) -> None:
    """Add the rows, as the database's owner."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_ROWS)
    finally:
        await connection.close()
