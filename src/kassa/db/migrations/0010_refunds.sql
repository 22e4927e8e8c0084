-- refunds, charge-backs, and what they cost
-- depends: 0009_reserve

-- migrate: apply

ALTER TABLE account_services ADD COLUMN refund_fee_fix bigint NOT NULL DEFAULT 0 CHECK (refund_fee_fix >= 0);
ALTER TABLE account_services ADD COLUMN charge_back_fee_fix bigint NOT NULL DEFAULT 0 CHECK (charge_back_fee_fix >= 0);

-- What the payer's bank has taken back in all, and when it last did.
ALTER TABLE invoices ADD COLUMN charged_back_amount bigint CHECK (charged_back_amount > 0);
ALTER TABLE invoices ADD COLUMN charged_back_at timestamptz;
ALTER TABLE invoices ADD CHECK ((charged_back_amount IS NULL) = (charged_back_at IS NULL));

CREATE TABLE refunds (
    account_id text NOT NULL,
    refund_id text NOT NULL,
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    test_mode boolean NOT NULL,
    reference_id text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    provider_amount bigint NOT NULL CHECK (provider_amount > 0),
    provider_currency text NOT NULL,
    fee bigint NOT NULL CHECK (fee >= 0),
    status text NOT NULL CHECK (status IN ('refund_pending', 'refunded', 'refund_failed', 'refund_error')),
    resolution text NOT NULL,
    description text,
    external_id text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL CHECK (updated_at >= created_at),
    due_at timestamptz,
    asks integer NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, refund_id),
    UNIQUE (account_id, test_mode, reference_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    FOREIGN KEY (account_id, payment_id) REFERENCES payments,
    CHECK (status <> 'refund_pending' OR due_at IS NOT NULL)
);
CREATE INDEX refunds_of_invoice ON refunds (account_id, invoice_id, created_at);
CREATE INDEX refunds_due ON refunds (test_mode, account_id, due_at) WHERE due_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE ON refunds TO kassa_app;
GRANT SELECT ON refunds TO kassa_view;
ALTER TABLE refunds ENABLE ROW LEVEL SECURITY;
ALTER TABLE refunds FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON refunds TO kassa_app USING (true) WITH CHECK (true);
CREATE POLICY owner ON refunds TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY account ON refunds FOR SELECT TO kassa_view
    USING (account_id = current_setting('kassa.account_id', true));

-- migrate: rollback
