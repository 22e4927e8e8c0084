-- rules that hold a payment for a person, what persons decided, and the indexes that count a payer's payments
-- depends: 0010_refunds

-- migrate: apply

ALTER TABLE accounts ADD COLUMN moderation_by_api boolean NOT NULL DEFAULT false;

CREATE TABLE moderation_rules (
    account_id text NOT NULL REFERENCES accounts,
    rule_id text NOT NULL,
    terms json NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, rule_id)
);

-- Written once: why a payment was held, and who decided what on it. A payment is decided on once.
CREATE TABLE moderation_decisions (
    account_id text NOT NULL,
    decision_id text NOT NULL,
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('held', 'approved', 'rejected')),
    decided_by text NOT NULL,
    note text,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, decision_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, payment_id) REFERENCES payments
);
CREATE UNIQUE INDEX moderation_decided_once ON moderation_decisions (account_id, payment_id) WHERE verdict <> 'held';
CREATE INDEX moderation_decisions_of_invoice ON moderation_decisions (account_id, invoice_id, decided_at);

-- What waits for a person: few among many.
CREATE INDEX invoices_moderated ON invoices (account_id, test_mode, created_at, invoice_id) WHERE moderation_required;

-- A rule on velocity counts what the same card, address or customer has paid in its last minutes.
CREATE INDEX payments_of_card ON payments (account_id, test_mode, card_fingerprint, created_at)
    WHERE card_fingerprint IS NOT NULL;
CREATE INDEX payments_of_client_ip ON payments (account_id, test_mode, client_ip, created_at);
CREATE INDEX invoices_of_customer ON invoices (account_id, test_mode, customer_id, created_at)
    WHERE customer_id IS NOT NULL;

-- A payment that is held has been taken: beside it another may still be under way, whose money then goes back.
DROP INDEX payments_one_live;
CREATE UNIQUE INDEX payments_one_live ON payments (account_id, invoice_id)
    WHERE status IN ('created', 'invoke_pending', 'invoked', 'process_pending');

GRANT SELECT, INSERT, DELETE ON moderation_rules TO kassa_app;
GRANT SELECT, INSERT ON moderation_decisions TO kassa_app;
GRANT SELECT ON moderation_decisions TO kassa_view;

DO $$
DECLARE owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['moderation_rules', 'moderation_decisions'] LOOP
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
