-- what a refund took from its invoice's reserve, so that it goes back there if the refund fails
-- depends: 0014_limits

-- migrate: apply

-- 0 for those that are there: what they took stays with the merchant if they fail, as it did when they began.
ALTER TABLE refunds ADD COLUMN reserve bigint NOT NULL DEFAULT 0 CHECK (reserve BETWEEN 0 AND amount);

-- migrate: rollback
