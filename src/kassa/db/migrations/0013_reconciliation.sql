-- reconciliation: when each provider account's books are compared next, and the differences found
-- depends: 0012_moderation

-- migrate: apply

-- The time to compare waits where what is compared is: at the provider account. What is new is due at once, and only
-- gets its first night then.
ALTER TABLE provider_accounts
    ADD COLUMN reconcile_at timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN reconcile_from timestamptz,
    ADD COLUMN reconciled_at timestamptz,
    ADD COLUMN reconcile_problem text;
CREATE INDEX provider_accounts_due ON provider_accounts (test_mode, account_id, reconcile_at);
CREATE INDEX provider_accounts_at_provider ON provider_accounts (provider, merchant_id, test_mode, created_at);

-- One row is one difference, from the run that saw it first to its end; rows are never deleted.
CREATE TABLE reconciliation_cases (
    account_id text NOT NULL,
    case_id text NOT NULL,
    provider_account_id text NOT NULL,
    test_mode boolean NOT NULL,
    kind text NOT NULL CHECK (kind IN ('missing_there', 'missing_here', 'status', 'amount', 'transaction')),
    movement text NOT NULL CHECK (movement IN ('purchase', 'refund', 'charge_back')),
    ref text NOT NULL,
    external_id text NOT NULL,
    payment_id text NOT NULL,
    ours jsonb,
    theirs jsonb,
    booked_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    resolved_at timestamptz,
    note text,
    PRIMARY KEY (account_id, case_id),
    FOREIGN KEY (account_id, provider_account_id) REFERENCES provider_accounts,
    CHECK ((kind = 'missing_there') = (theirs IS NULL)),
    CHECK ((kind = 'missing_here') = (ours IS NULL)),
    CHECK (note IS NULL OR resolved_at IS NOT NULL)
);
CREATE UNIQUE INDEX reconciliation_cases_open
    ON reconciliation_cases (account_id, provider_account_id, movement, ref, external_id) WHERE resolved_at IS NULL;
CREATE INDEX reconciliation_cases_of_movement
    ON reconciliation_cases (account_id, provider_account_id, movement, ref, external_id);
-- For the gauge, which asks for all accounts at once.
CREATE INDEX reconciliation_cases_counted ON reconciliation_cases (test_mode) WHERE resolved_at IS NULL;

GRANT SELECT, INSERT, UPDATE ON reconciliation_cases TO kassa_app;

ALTER TABLE reconciliation_cases ENABLE ROW LEVEL SECURITY;
ALTER TABLE reconciliation_cases FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON reconciliation_cases TO kassa_app USING (true) WITH CHECK (true);
CREATE POLICY owner ON reconciliation_cases TO CURRENT_USER USING (true) WITH CHECK (true);

-- migrate: rollback
