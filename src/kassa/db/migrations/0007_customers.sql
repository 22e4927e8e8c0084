-- customers have one key
-- depends: 0005_ledger

-- migrate: apply

-- A customer's id is made from the account, the mode and the reference, so the primary key already allows each once. The
-- second constraint said the same, but could be the one that a creation beside another ran into, and an upsert waits at
-- one key alone.
ALTER TABLE customers DROP CONSTRAINT customers_account_id_test_mode_reference_id_key;
CREATE INDEX customers_by_reference ON customers (account_id, test_mode, reference_id);

-- migrate: rollback
