-- money that went back otherwise than asked, and what was charged back of money that is no merchant's
-- depends: 0016_returns

-- migrate: apply

ALTER TABLE refunds ADD COLUMN returned_amount bigint CHECK (returned_amount >= 0);
ALTER TABLE refunds ADD COLUMN returned_currency text;
ALTER TABLE refunds ADD COLUMN settled_amount bigint CHECK (settled_amount >= 0);
ALTER TABLE refunds ADD CHECK ((returned_amount IS NULL) = (returned_currency IS NULL));
ALTER TABLE refunds ADD CHECK (settled_amount IS NULL OR status = 'refunded' AND returned_amount IS NOT NULL);

ALTER TABLE payments ADD COLUMN returned_amount bigint CHECK (returned_amount >= 0);
ALTER TABLE payments ADD COLUMN returned_currency text;
-- What the payer's bank took back of money that nobody wanted; of a merchant's it is the invoice that tells.
ALTER TABLE payments ADD COLUMN charged_back_amount bigint NOT NULL DEFAULT 0 CHECK (charged_back_amount >= 0);
ALTER TABLE payments ADD CHECK ((returned_amount IS NULL) = (returned_currency IS NULL));

-- migrate: rollback
