-- exchange rates, an account's spread on them, and the rate that an invoice keeps
-- depends: 0010_refunds

-- migrate: apply

-- Reference data: what sources have told. A bank's rates in force are those of its latest day, so the key begins with it.
CREATE TABLE exchange_rates (
    source text NOT NULL CHECK (source IN ('manual', 'ecb', 'nbu', 'cbr')),
    valid_from timestamptz NOT NULL,
    base text NOT NULL,
    quote text NOT NULL,
    rate numeric NOT NULL CHECK (rate > 0),
    valid_until timestamptz,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (source, valid_from, base, quote),
    CHECK (base <> quote),
    CHECK (valid_until IS NULL OR source = 'manual')
);
-- What a person has set, as long as it may still count.
CREATE INDEX exchange_rates_manual ON exchange_rates (base, quote, valid_from) WHERE source = 'manual';

GRANT SELECT, INSERT, UPDATE ON exchange_rates TO kassa_app;

ALTER TABLE accounts ADD COLUMN exchange_spread numeric NOT NULL DEFAULT 0 CHECK (exchange_spread BETWEEN 0 AND 50);

-- 1 where the service takes the invoice's own currency.
ALTER TABLE invoices ADD COLUMN exchange_rate numeric NOT NULL DEFAULT 1 CHECK (exchange_rate > 0);
ALTER TABLE invoices ADD CONSTRAINT invoices_rate_only_where_converted
    CHECK (currency <> service_currency OR exchange_rate = 1) NOT VALID;

-- What the payer's bank has taken back in all, in the service's currency.
ALTER TABLE invoices ADD COLUMN charged_back_service_amount bigint CHECK (charged_back_service_amount > 0);
UPDATE invoices SET charged_back_service_amount = charged_back_amount WHERE charged_back_amount IS NOT NULL;
ALTER TABLE invoices ADD CONSTRAINT invoices_charged_back_in_both_currencies
    CHECK ((charged_back_service_amount IS NULL) = (charged_back_amount IS NULL));

-- migrate: rollback
