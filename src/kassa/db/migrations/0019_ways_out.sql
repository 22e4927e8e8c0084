-- where a payer finds the shop's help and terms
-- depends: 0017_otherwise

-- migrate: apply

ALTER TABLE accounts ADD COLUMN support_url text;
ALTER TABLE accounts ADD COLUMN support_email text;
ALTER TABLE accounts ADD COLUMN terms_url text;

-- migrate: rollback
