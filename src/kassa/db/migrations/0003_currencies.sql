-- currencies that ISO 4217 does not list, and the way from a currency to its services
-- depends: 0002_invoice_lists

-- migrate: apply

CREATE TABLE currencies (
    currency text PRIMARY KEY CHECK (currency ~ '^[A-Z0-9]{2,20}$'),
    exponent smallint NOT NULL CHECK (exponent BETWEEN 0 AND 12),
    name json NOT NULL,
    type text NOT NULL
);

-- An exponent is given once: amounts are kept in minor units, and another one would change what they are worth.
GRANT SELECT, INSERT, UPDATE (name, type) ON currencies TO kassa_app;
GRANT SELECT ON currencies TO kassa_view;

CREATE INDEX services_by_currency ON services (currency, service);

-- migrate: rollback
