-- an account's choice that the payer pays the fee
-- depends: 0005_ledger

-- migrate: apply

ALTER TABLE accounts ADD COLUMN payer_pays_fee boolean NOT NULL DEFAULT false;

-- migrate: rollback
