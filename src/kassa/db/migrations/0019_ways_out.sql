-- where a payer finds the shop's help and terms, and the shop's logo
-- depends: 0018_callback_listeners

-- migrate: apply

ALTER TABLE accounts ADD COLUMN support_url text;
ALTER TABLE accounts ADD COLUMN support_email text;
ALTER TABLE accounts ADD COLUMN terms_url text;
-- A PNG or SVG file, served by us: the pages load nothing from elsewhere.
ALTER TABLE accounts ADD COLUMN logo bytea CHECK (octet_length(logo) BETWEEN 1 AND 16384);

-- migrate: rollback
