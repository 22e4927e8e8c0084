-- callbacks, those who listen to them for a while, and the names that merchants give to their requests
-- depends: 0004_payments

-- migrate: apply

CREATE TABLE callbacks (
    account_id text NOT NULL,
    callback_id text NOT NULL,
    invoice_id text NOT NULL,
    test_mode boolean NOT NULL,
    invoice_status text NOT NULL,
    final boolean NOT NULL,
    logged_at bigint NOT NULL,
    url text NOT NULL,
    body bytea NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'done', 'failed', 'dropped')),
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    created_at timestamptz NOT NULL,
    tried_at timestamptz,
    response_code smallint,
    failure text,
    -- Finer than "failure", and for operators alone.
    cause text,
    -- The beginning of the answer's body as text: printable, without card numbers and keys.
    answer text CHECK (octet_length(answer) <= 1024),
    milliseconds integer CHECK (milliseconds >= 0),
    due_at timestamptz,
    -- The trace that the worker goes on in; null where nothing is traced.
    traceparent text CHECK (length(traceparent) <= 55),
    PRIMARY KEY (account_id, callback_id),
    UNIQUE (account_id, invoice_id, logged_at),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    CONSTRAINT callbacks_pending_are_due CHECK ((status = 'pending') = (due_at IS NOT NULL))
);
CREATE INDEX callbacks_due ON callbacks (test_mode, account_id, due_at, logged_at) WHERE due_at IS NOT NULL;
CREATE INDEX callbacks_due_at ON callbacks (test_mode, due_at, account_id) WHERE due_at IS NOT NULL;
-- For those who watch: since when the oldest waits, by reading one entry.
CREATE INDEX callbacks_waiting ON callbacks (test_mode, created_at) WHERE due_at IS NOT NULL;

-- Leases of those who listen to an account's callbacks, and their copies of them.
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

-- Names that merchants give to their requests, and the answers that stand for them.
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
    CONSTRAINT idempotency_keys_answered_whole CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_keys_due ON idempotency_keys (account_id, due_at);
CREATE INDEX idempotency_keys_due_at ON idempotency_keys (due_at, account_id);

-- Rights: of these, composed statements read callbacks alone ------------------------------------------------------------

GRANT SELECT, INSERT, UPDATE ON callbacks TO kassa_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON callback_listeners, callback_copies, idempotency_keys TO kassa_app;
GRANT SELECT ON callbacks TO kassa_view;

DO $$
DECLARE owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['callbacks', 'callback_listeners', 'callback_copies', 'idempotency_keys'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', owned);
        EXECUTE format('CREATE POLICY app ON %I TO kassa_app USING (true) WITH CHECK (true)', owned);
        EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', owned);
    END LOOP;
END $$;
CREATE POLICY account ON callbacks FOR SELECT TO kassa_view
    USING (account_id = current_setting('kassa.account_id', true));

-- migrate: rollback
