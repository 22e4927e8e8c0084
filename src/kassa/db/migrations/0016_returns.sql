-- money that a provider would not send back: sent once more, or settled by hand
-- depends: 0015_refund_reserve

-- migrate: apply

-- Which return of its money is asked for: the next has another name at the provider.
ALTER TABLE payments ADD COLUMN return_number integer NOT NULL DEFAULT 1 CHECK (return_number > 0);

ALTER TABLE moderation_decisions DROP CONSTRAINT moderation_decisions_verdict_check;
ALTER TABLE moderation_decisions
    ADD CONSTRAINT moderation_decisions_verdict_check
    CHECK (verdict IN ('held', 'approved', 'rejected', 'returned', 'settled'));
DROP INDEX moderation_decided_once;
CREATE UNIQUE INDEX moderation_decided_once ON moderation_decisions (account_id, payment_id)
    WHERE verdict IN ('approved', 'rejected');

-- migrate: rollback
