-- the rolling reserve
-- depends: 0008_due_work

-- migrate: apply

-- The terms are those of the invoice's creation. What was held stays to be read; what is left of it is what the purse
-- "reserved" holds for the invoice. Its release is due as expiry is: by due_at.
ALTER TABLE invoices
    ADD COLUMN reserve_rate numeric NOT NULL DEFAULT 0 CHECK (reserve_rate BETWEEN 0 AND 100),
    ADD COLUMN reserve_lifetime integer NOT NULL DEFAULT 0 CHECK (reserve_lifetime >= 0),
    ADD COLUMN reserved_amount bigint CHECK (reserved_amount > 0),
    ADD COLUMN reserve_left bigint NOT NULL DEFAULT 0 CHECK (reserve_left >= 0),
    ADD COLUMN reserve_expires_at timestamptz,
    ADD COLUMN unreserved_at timestamptz,
    ADD CHECK (reserved_amount IS NULL OR reserved_amount <= coalesce(processed_deposit, 0)),
    ADD CHECK (reserve_left <= coalesce(reserved_amount, 0)),
    ADD CHECK ((reserved_amount IS NULL) = (reserve_expires_at IS NULL)),
    ADD CHECK (unreserved_at IS NULL OR (reserve_left = 0 AND unreserved_at >= reserve_expires_at));

-- migrate: rollback
