-- declines counted by payer, card and account
-- depends: 0013_reconciliation

-- migrate: apply

-- Whose attempt it was: the network of the payer's address, null where only the merchant's server is known.
ALTER TABLE payments ADD COLUMN payer_network text;
-- Made while the account was under attack: why it failed is told to the merchant alone.
ALTER TABLE payments ADD COLUMN hushed boolean NOT NULL DEFAULT false;

-- What a card that is sent is judged by: the newest rows of each, never all of them.
CREATE INDEX payments_declined_payer ON payments (account_id, test_mode, payer_network, created_at)
    WHERE status = 'process_failed' AND payer_network IS NOT NULL;
CREATE INDEX payments_declined_card ON payments (account_id, test_mode, card_fingerprint, created_at)
    WHERE status = 'process_failed' AND card_fingerprint IS NOT NULL;
CREATE INDEX payments_cards ON payments (account_id, test_mode, created_at) WHERE card_fingerprint IS NOT NULL;

-- migrate: rollback
