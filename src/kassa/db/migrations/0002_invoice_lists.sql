-- indexes that keep the invoice list flat
-- depends: 0001_first_payment

-- migrate: apply

-- A list is walked in the order (created_at, invoice_id) from its cursor on, within one account and mode; a list of both
-- modes merges two such walks. So each filter that may hit few invoices among many has an index that ends in that order:
-- no page sorts, and none reads what it does not show. Filters together use the index of the rarer value.
CREATE INDEX invoices_listed ON invoices (account_id, test_mode, created_at, invoice_id);
CREATE INDEX invoices_listed_by_status ON invoices (account_id, test_mode, status, created_at, invoice_id);
CREATE INDEX invoices_listed_by_service ON invoices (account_id, test_mode, service, created_at, invoice_id);
CREATE INDEX invoices_listed_by_currency ON invoices (account_id, test_mode, currency, created_at, invoice_id);

-- Nearly all invoices are "ok" from the first, so a creation does not write here.
CREATE INDEX invoices_listed_by_resolution ON invoices (account_id, test_mode, resolution, created_at, invoice_id)
    WHERE resolution <> 'ok';

-- Finds what was updated in a range of time but created before it; the rest of such a list is walked as any other.
CREATE INDEX invoices_listed_by_update ON invoices (account_id, test_mode, updated_at, created_at);

-- migrate: rollback
