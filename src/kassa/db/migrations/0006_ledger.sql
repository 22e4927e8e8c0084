-- the ledger: transfers, their order and chain
-- depends: 0005_callbacks

-- migrate: apply

-- Rows of the books are written once. A transfer has both sides in one row, so the table cannot be out of balance.
CREATE TABLE ledger_transfers (
    account_id text NOT NULL REFERENCES accounts,
    entry_id text NOT NULL,
    line smallint NOT NULL CHECK (line >= 1),
    test_mode boolean NOT NULL,
    recipe text NOT NULL,
    invoice_id text,
    -- An entry is about at most one of each.
    payment_id text,
    refund_id text,
    dispute_id text,
    -- What was charged back of the payment in all, with this chargeback: statements know it by that.
    charged_back_total bigint CHECK (charged_back_total > 0),
    debit text NOT NULL CHECK (debit IN ('provider', 'active', 'pending', 'reserved', 'fees', 'exchange')),
    credit text NOT NULL CHECK (credit IN ('provider', 'active', 'pending', 'reserved', 'fees', 'exchange')),
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, entry_id, line),
    CONSTRAINT ledger_transfers_two_purses CHECK (debit <> credit)
);
CREATE INDEX ledger_transfers_of_invoice ON ledger_transfers (account_id, invoice_id);

-- Entries that have no place in the journal yet. Postings only insert here, so they never wait for each other. Rows come
-- and go all the time, so they are swept up often.
CREATE TABLE ledger_unnumbered (
    account_id text NOT NULL,
    test_mode boolean NOT NULL,
    created_at timestamptz NOT NULL,
    entry_id text NOT NULL,
    PRIMARY KEY (account_id, test_mode, created_at, entry_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- The order of an account's entries, the chain over them, and the balances after each.
CREATE TABLE ledger_journal (
    account_id text NOT NULL,
    test_mode boolean NOT NULL,
    number bigint NOT NULL CHECK (number >= 1),
    entry_id text NOT NULL,
    created_at timestamptz NOT NULL,
    hash bytea NOT NULL CHECK (length(hash) = 32),
    balances json NOT NULL,
    PRIMARY KEY (account_id, test_mode, number),
    UNIQUE (account_id, entry_id)
);
CREATE INDEX ledger_journal_by_creation ON ledger_journal (account_id, test_mode, created_at);

-- Rights ---------------------------------------------------------------------------------------------------------------

GRANT SELECT, INSERT ON ledger_transfers, ledger_journal TO kassa_app;
GRANT SELECT, INSERT, DELETE ON ledger_unnumbered TO kassa_app;
GRANT SELECT ON ledger_transfers, ledger_journal, ledger_unnumbered TO kassa_view;

DO $$
DECLARE owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['ledger_transfers', 'ledger_unnumbered', 'ledger_journal'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', owned);
        EXECUTE format('CREATE POLICY app ON %I TO kassa_app USING (true) WITH CHECK (true)', owned);
        EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', owned);
        EXECUTE format(
            'CREATE POLICY account ON %I FOR SELECT TO kassa_view'
            ' USING (account_id = current_setting(''kassa.account_id'', true))', owned);
    END LOOP;
END $$;

-- migrate: rollback
