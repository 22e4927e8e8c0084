-- money that went back otherwise than asked: what was really sent back, and what of an invoice that was
-- depends: 0016_returns

-- migrate: apply

ALTER TABLE refunds ADD COLUMN returned_amount bigint CHECK (returned_amount >= 0);
ALTER TABLE refunds ADD COLUMN returned_currency text;
ALTER TABLE refunds ADD COLUMN settled_amount bigint CHECK (settled_amount >= 0);
ALTER TABLE refunds ADD CHECK ((returned_amount IS NULL) = (returned_currency IS NULL));
ALTER TABLE refunds ADD CHECK (settled_amount IS NULL OR status = 'refunded' AND returned_amount IS NOT NULL);

ALTER TABLE payments ADD COLUMN returned_amount bigint CHECK (returned_amount >= 0);
ALTER TABLE payments ADD COLUMN returned_currency text;
ALTER TABLE payments ADD CHECK ((returned_amount IS NULL) = (returned_currency IS NULL));

-- migrate: rollback
