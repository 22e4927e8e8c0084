-- indexes that find due work account by account
-- depends: 0004_idempotency_keys

-- migrate: apply

-- The worker's question "whose work is due?" steps from one account to the next and reads the first row of each; what it
-- then takes are the next rows of the same index. Neither reads the backlog, however long it is.
DROP INDEX invoices_due;
CREATE INDEX invoices_due ON invoices (test_mode, account_id, due_at) WHERE due_at IS NOT NULL;
DROP INDEX payments_due;
CREATE INDEX payments_due ON payments (test_mode, account_id, due_at) WHERE due_at IS NOT NULL;
DROP INDEX callbacks_due;
CREATE INDEX callbacks_due ON callbacks (test_mode, account_id, due_at, logged_at) WHERE due_at IS NOT NULL;
DROP INDEX idempotency_keys_due;
CREATE INDEX idempotency_keys_due ON idempotency_keys (account_id, due_at);

-- migrate: rollback
