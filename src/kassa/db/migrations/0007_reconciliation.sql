-- reconciliation: what providers' statements show, and where the books differ from them
-- depends: 0006_ledger

-- migrate: apply

-- What a provider's statement shows, as the latest comparison has read it. One that is read twice is kept once.
CREATE TABLE provider_statement_lines (
    account_id text NOT NULL,
    provider_account_id text NOT NULL,
    payment_id text NOT NULL,
    movement text NOT NULL
        CHECK (movement IN ('purchase', 'refund', 'refund_reversal', 'charge_back', 'chargeback_reversal')),
    ref text NOT NULL,
    external_id text NOT NULL,
    test_mode boolean NOT NULL,
    charged_back_total bigint,
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL,
    booked_at timestamptz NOT NULL,
    seen_run bigint NOT NULL,
    -- On the clock of live mode, which no one moves.
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, provider_account_id, payment_id, movement, ref, external_id),
    FOREIGN KEY (account_id, provider_account_id) REFERENCES provider_accounts
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX provider_statement_lines_booked
    ON provider_statement_lines (account_id, provider_account_id, booked_at);

-- One row is one difference, from the run that saw it first to its end; rows are never deleted.
CREATE TABLE discrepancies (
    account_id text NOT NULL,
    discrepancy_id text NOT NULL,
    provider_account_id text NOT NULL,
    test_mode boolean NOT NULL,
    kind text NOT NULL CHECK (kind IN ('missing_there', 'missing_here', 'status', 'amount', 'transaction')),
    movement text NOT NULL
        CHECK (movement IN ('purchase', 'refund', 'refund_reversal', 'charge_back', 'chargeback_reversal')),
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
    PRIMARY KEY (account_id, discrepancy_id),
    FOREIGN KEY (account_id, provider_account_id) REFERENCES provider_accounts,
    CONSTRAINT discrepancies_theirs_unless_missing_there CHECK ((kind = 'missing_there') = (theirs IS NULL)),
    CONSTRAINT discrepancies_ours_unless_missing_here CHECK ((kind = 'missing_here') = (ours IS NULL)),
    CONSTRAINT discrepancies_note_at_the_end CHECK (note IS NULL OR resolved_at IS NOT NULL)
);
CREATE UNIQUE INDEX discrepancies_open
    ON discrepancies (account_id, provider_account_id, movement, ref, external_id) WHERE resolved_at IS NULL;
CREATE INDEX discrepancies_of_movement
    ON discrepancies (account_id, provider_account_id, movement, ref, external_id);
-- For the gauge, which asks for all accounts at once.
CREATE INDEX discrepancies_counted ON discrepancies (test_mode) WHERE resolved_at IS NULL;

-- Rights: composed statements read none of these ------------------------------------------------------------------------

GRANT SELECT, INSERT, UPDATE, DELETE ON provider_statement_lines TO kassa_app;
GRANT SELECT, INSERT, UPDATE ON discrepancies TO kassa_app;

DO $$
DECLARE owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['provider_statement_lines', 'discrepancies'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', owned);
        EXECUTE format('CREATE POLICY app ON %I TO kassa_app USING (true) WITH CHECK (true)', owned);
        EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', owned);
    END LOOP;
END $$;

-- migrate: rollback
