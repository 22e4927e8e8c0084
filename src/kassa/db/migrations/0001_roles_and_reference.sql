-- roles, the test clock, and reference data: methods, services, currencies, exchange rates
-- depends:

-- migrate: apply

-- Roles: migrations run as the owner; hot paths and the worker run as kassa_app with a fixed set of statements; composed
-- statements run as kassa_view, behind row-level security. They are group roles: the login that Kassa connects with takes one.
DO $$ BEGIN CREATE ROLE kassa_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE kassa_view NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
GRANT kassa_app, kassa_view TO CURRENT_USER;

CREATE TABLE test_clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    test_offset interval NOT NULL DEFAULT '0'
);
INSERT INTO test_clock DEFAULT VALUES;

CREATE TABLE methods (
    method text PRIMARY KEY,
    category text NOT NULL,
    description text NOT NULL DEFAULT '',
    name json NOT NULL,
    logo text NOT NULL,
    icon text NOT NULL,
    metadata json,
    position integer,
    hide boolean
);

CREATE TABLE services (
    service text PRIMARY KEY,
    method text NOT NULL REFERENCES methods,
    flow text NOT NULL,
    currency text NOT NULL,
    fields json NOT NULL DEFAULT '[]',
    amount_min bigint NOT NULL CHECK (amount_min >= 0),
    amount_max bigint NOT NULL,
    CONSTRAINT services_amount_range CHECK (amount_max >= amount_min)
);
CREATE INDEX services_by_currency ON services (currency, service);

-- Currencies that ISO 4217 does not list.
CREATE TABLE currencies (
    currency text PRIMARY KEY CHECK (currency ~ '^[A-Z0-9]{2,20}$'),
    exponent smallint NOT NULL CHECK (exponent BETWEEN 0 AND 12),
    name json NOT NULL,
    type text NOT NULL
);

-- What sources have told. A bank's rates in force are those of its latest day, so the key begins with it.
CREATE TABLE exchange_rates (
    source text NOT NULL CHECK (source IN ('manual', 'ecb', 'nbu', 'cbr')),
    valid_from timestamptz NOT NULL,
    base text NOT NULL,
    quote text NOT NULL,
    rate numeric NOT NULL CHECK (rate > 0),
    valid_until timestamptz,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (source, valid_from, base, quote),
    CONSTRAINT exchange_rates_two_currencies CHECK (base <> quote),
    CONSTRAINT exchange_rates_only_manual_end CHECK (valid_until IS NULL OR source = 'manual')
);
-- What a person has set, as long as it may still count.
CREATE INDEX exchange_rates_manual ON exchange_rates (base, quote, valid_from) WHERE source = 'manual';

-- Rights: this data is nobody's, so it is without row-level security.
GRANT SELECT, UPDATE ON test_clock TO kassa_app;
GRANT SELECT, INSERT, UPDATE ON methods, services, exchange_rates TO kassa_app;
-- An exponent is given once: amounts are kept in minor units, and another one would change what they are worth.
GRANT SELECT, INSERT, UPDATE (name, type) ON currencies TO kassa_app;
GRANT SELECT ON methods, services, currencies TO kassa_view;

-- migrate: rollback
