-- leases of those who listen to an account's callbacks for a while, and their copies of them
-- depends: 0017_otherwise

-- migrate: apply

CREATE TABLE callback_listeners (
    account_id text NOT NULL REFERENCES accounts,
    listener_id text NOT NULL,
    test_mode boolean NOT NULL,
    created_at timestamptz NOT NULL,
    -- In real time: a lease is about processes that live, not about invoices.
    leased_until timestamptz NOT NULL,
    PRIMARY KEY (account_id, listener_id)
);
CREATE INDEX callback_listeners_due ON callback_listeners (leased_until, account_id);

CREATE TABLE callback_copies (
    account_id text NOT NULL,
    listener_id text NOT NULL,
    callback_id text NOT NULL,
    invoice_id text NOT NULL,
    invoice_status text NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, listener_id, callback_id),
    FOREIGN KEY (account_id, listener_id) REFERENCES callback_listeners ON DELETE CASCADE
);
CREATE INDEX callback_copies_order ON callback_copies (account_id, listener_id, created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON callback_listeners, callback_copies TO kassa_app;

DO $$
DECLARE owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['callback_listeners', 'callback_copies'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', owned);
        EXECUTE format('CREATE POLICY app ON %I TO kassa_app USING (true) WITH CHECK (true)', owned);
        EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', owned);
    END LOOP;
END $$;

-- migrate: rollback
