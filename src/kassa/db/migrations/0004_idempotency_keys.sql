-- names that merchants give to their requests, and the answers that stand for them
-- depends: 0001_first_payment

-- migrate: apply

CREATE TABLE idempotency_keys (
    account_id text NOT NULL REFERENCES accounts,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    serial text NOT NULL,
    status smallint,
    body bytea,
    leased_until timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, key),
    CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_keys_due ON idempotency_keys (due_at, account_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO kassa_app;
ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON idempotency_keys TO kassa_app USING (true) WITH CHECK (true);
CREATE POLICY owner ON idempotency_keys TO CURRENT_USER USING (true) WITH CHECK (true);

-- migrate: rollback
