-- payments, their refunds and disputes, and what persons decided on them
-- depends: 0003_invoices

-- migrate: apply

CREATE TABLE payments (
    account_id text NOT NULL,
    payment_id text NOT NULL,
    invoice_id text NOT NULL,
    attempt_number smallint NOT NULL CHECK (attempt_number >= 1),
    test_mode boolean NOT NULL,
    status text NOT NULL CHECK (status IN (
        'invoke_pending', 'invoke_failed', 'invoked', 'process_pending', 'process_failed', 'process_error',
        'processed')),
    resolution text NOT NULL,
    provider text NOT NULL,
    provider_account_id text NOT NULL,
    merchant_id text NOT NULL,
    external_id text,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    processed_amount bigint CHECK (processed_amount >= 0),
    processed_currency text,
    -- Why the money is not the merchant's, where it is not.
    unexpected text CHECK (unexpected IN ('late', 'duplicate', 'rejected')),
    card_first text CHECK (card_first ~ '^[0-9]{6}$'),
    card_last text CHECK (card_last ~ '^[0-9]{4}$'),
    card_length smallint,
    card_brand text,
    card_holder text,
    card_expiry_month smallint CHECK (card_expiry_month BETWEEN 1 AND 12),
    card_expiry_year smallint,
    card_fingerprint bytea,
    card_issuer_name text,
    card_issuer_country text,
    client_ip text NOT NULL,
    -- Whose attempt it was: the network of the payer's address, null where only the merchant's server is known.
    payer_network text,
    -- Made while the account was under attack: why it failed is told to the merchant alone.
    reason_hidden boolean NOT NULL DEFAULT false,
    action text,
    action_method text,
    action_params json,
    rrn text,
    approval_code text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    due_at timestamptz,
    polls integer NOT NULL DEFAULT 0,
    -- The W3C traceparent under which it was made, so that the worker goes on in the same trace; null where nothing is
    -- traced.
    traceparent text CHECK (length(traceparent) <= 55),
    PRIMARY KEY (account_id, payment_id),
    CONSTRAINT payments_attempt UNIQUE (account_id, invoice_id, attempt_number),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
-- A payment that is held has been taken: beside it another may still be under way, whose money then goes back.
CREATE UNIQUE INDEX payments_one_live ON payments (account_id, invoice_id)
    WHERE status IN ('invoke_pending', 'invoked', 'process_pending');
CREATE UNIQUE INDEX payments_one_success ON payments (account_id, invoice_id)
    WHERE status = 'processed' AND unexpected IS NULL;
CREATE INDEX payments_due ON payments (test_mode, account_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payments_due_at ON payments (test_mode, due_at, account_id) WHERE due_at IS NOT NULL;
-- For those who watch: since when the oldest waits, by reading one entry.
CREATE INDEX payments_waiting ON payments (test_mode, created_at)
    WHERE status IN ('invoke_pending', 'invoked', 'process_pending');
-- A rule on velocity counts what the same card or address has paid in its last minutes.
CREATE INDEX payments_of_card ON payments (account_id, test_mode, card_fingerprint, created_at)
    WHERE card_fingerprint IS NOT NULL;
CREATE INDEX payments_of_client_ip ON payments (account_id, test_mode, client_ip, created_at);
-- What a card that is sent is judged by: the newest rows of each, never all of them.
CREATE INDEX payments_declined_payer ON payments (account_id, test_mode, payer_network, created_at)
    WHERE status = 'process_failed' AND payer_network IS NOT NULL;
CREATE INDEX payments_declined_card ON payments (account_id, test_mode, card_fingerprint, created_at)
    WHERE status = 'process_failed' AND card_fingerprint IS NOT NULL;
CREATE INDEX payments_cards ON payments (account_id, test_mode, created_at) WHERE card_fingerprint IS NOT NULL;

-- Refunds and disputes -------------------------------------------------------------------------------------------------

CREATE TABLE refunds (
    account_id text NOT NULL,
    refund_id text NOT NULL,
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    test_mode boolean NOT NULL,
    reason text NOT NULL CHECK (reason IN ('requested', 'late', 'duplicate', 'rejected')),
    reference_id text,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    provider_amount bigint NOT NULL CHECK (provider_amount > 0),
    provider_currency text NOT NULL,
    fee bigint NOT NULL CHECK (fee >= 0),
    -- What it took from its invoice's reserve: that goes back there if the refund fails.
    reserve bigint NOT NULL DEFAULT 0,
    status text NOT NULL CHECK (status IN ('refund_pending', 'refunded', 'refund_failed', 'refund_error')),
    resolution text NOT NULL,
    description text,
    external_id text,
    -- What went back, where that is not what was asked for.
    returned_amount bigint CHECK (returned_amount >= 0),
    returned_currency text,
    settled_amount bigint CHECK (settled_amount >= 0),
    -- When it failed after it had succeeded.
    reversed_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    due_at timestamptz,
    polls integer NOT NULL DEFAULT 0,
    traceparent text CHECK (length(traceparent) <= 55),
    PRIMARY KEY (account_id, refund_id),
    CONSTRAINT refunds_reference UNIQUE (account_id, test_mode, reference_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, payment_id) REFERENCES payments,
    CONSTRAINT refunds_updated_after_creation CHECK (updated_at >= created_at),
    CONSTRAINT refunds_pending_are_due CHECK (status <> 'refund_pending' OR due_at IS NOT NULL),
    CONSTRAINT refunds_reserve_of_amount CHECK (reserve BETWEEN 0 AND greatest(amount, settled_amount)),
    CONSTRAINT refunds_returned_whole CHECK ((returned_amount IS NULL) = (returned_currency IS NULL)),
    CONSTRAINT refunds_settled_after_return
        CHECK (settled_amount IS NULL OR status = 'refunded' AND returned_amount IS NOT NULL),
    CONSTRAINT refunds_requested_by_reference CHECK ((reason = 'requested') = (reference_id IS NOT NULL))
);
-- Money that is not the merchant's goes back once: another refund may only begin where the one before has failed.
CREATE UNIQUE INDEX refunds_one_unexpected ON refunds (account_id, payment_id)
    WHERE reason <> 'requested' AND status = 'refund_pending';
CREATE INDEX refunds_of_invoice ON refunds (account_id, invoice_id, created_at);
CREATE INDEX refunds_due ON refunds (test_mode, account_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX refunds_due_at ON refunds (test_mode, due_at, account_id) WHERE due_at IS NOT NULL;
CREATE INDEX refunds_waiting ON refunds (test_mode, created_at) WHERE status = 'refund_pending';

CREATE TABLE disputes (
    account_id text NOT NULL,
    dispute_id text NOT NULL,
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    test_mode boolean NOT NULL,
    position smallint NOT NULL CHECK (position >= 1),
    external_id text,
    status text NOT NULL CHECK (status IN ('open', 'won', 'lost')),
    reason text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    provider_amount bigint NOT NULL CHECK (provider_amount > 0),
    provider_currency text NOT NULL,
    total bigint NOT NULL,
    unexpected boolean NOT NULL,
    fee bigint NOT NULL CHECK (fee >= 0),
    reserve bigint NOT NULL,
    held bigint NOT NULL,
    -- False while the money is held for review or on its way back.
    booked boolean NOT NULL,
    deadline timestamptz,
    opened_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    closed_at timestamptz,
    PRIMARY KEY (account_id, dispute_id),
    UNIQUE (account_id, payment_id, position),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, payment_id) REFERENCES payments,
    CONSTRAINT disputes_total_holds_amount CHECK (total >= provider_amount),
    CONSTRAINT disputes_reserve_of_amount CHECK (reserve BETWEEN 0 AND amount),
    CONSTRAINT disputes_held_of_amount CHECK (held BETWEEN 0 AND amount)
);
CREATE INDEX disputes_of_invoice ON disputes (account_id, invoice_id, opened_at);
CREATE INDEX disputes_listed ON disputes (account_id, opened_at, dispute_id);

-- Review ---------------------------------------------------------------------------------------------------------------

-- Written once: why a payment was held, and who decided what on it. A payment is decided on once.
CREATE TABLE moderation_decisions (
    account_id text NOT NULL,
    decision_id text NOT NULL,
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('held', 'approved', 'rejected', 'returned', 'settled')),
    decided_by text NOT NULL,
    note text,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, decision_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, payment_id) REFERENCES payments
);
CREATE UNIQUE INDEX moderation_decided_once ON moderation_decisions (account_id, payment_id)
    WHERE verdict IN ('approved', 'rejected');
CREATE INDEX moderation_decisions_of_invoice ON moderation_decisions (account_id, invoice_id, decided_at);

-- Rights ---------------------------------------------------------------------------------------------------------------

GRANT SELECT, INSERT, UPDATE ON payments, refunds, disputes TO kassa_app;
GRANT SELECT, INSERT ON moderation_decisions TO kassa_app;
GRANT SELECT ON payments, refunds, disputes, moderation_decisions TO kassa_view;

DO $$
DECLARE owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['payments', 'refunds', 'disputes', 'moderation_decisions'] LOOP
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
