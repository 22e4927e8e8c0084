-- customers, invoices, and the events of invoices
-- depends: 0002_accounts

-- migrate: apply

-- A customer's id is made from the account, the mode and the reference, so the primary key allows each reference once. A
-- second constraint would say the same, but an upsert waits at one key alone.
CREATE TABLE customers (
    account_id text NOT NULL REFERENCES accounts,
    customer_id text NOT NULL,
    test_mode boolean NOT NULL,
    reference_id text NOT NULL,
    name text,
    email text,
    phone text,
    date_of_birth text,
    individual_tax_id text,
    metadata json,
    address json,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, customer_id)
);
CREATE INDEX customers_by_reference ON customers (account_id, test_mode, reference_id);

-- Invoices -------------------------------------------------------------------------------------------------------------

CREATE TABLE invoices (
    account_id text NOT NULL REFERENCES accounts,
    invoice_id text NOT NULL,
    test_mode boolean NOT NULL,
    reference_id text NOT NULL,
    source text NOT NULL CHECK (source IN ('merchant_api', 'platform_public_api', 'merchant_dashboard')),
    version integer NOT NULL CHECK (version >= 1),
    status text NOT NULL CHECK (status IN (
        'created', 'process_pending', 'process_error', 'processed', 'partially_processed', 'process_failed', 'verified',
        'verify_failed', 'refunding', 'refund_pending', 'refund_error', 'partially_refunded', 'refunded',
        'refund_failed', 'charged_back', 'partially_charged_back')),
    resolution text NOT NULL,
    moderation_required boolean NOT NULL DEFAULT false,
    service text NOT NULL,
    service_method text NOT NULL,
    service_flow text NOT NULL,
    service_currency text NOT NULL,
    payment_flow text NOT NULL CHECK (payment_flow IN ('charge', 'verify')),
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    payment_amount bigint NOT NULL CHECK (payment_amount > 0),
    fee bigint NOT NULL CHECK (fee >= 0),
    deposit bigint NOT NULL,
    processed_amount bigint CHECK (processed_amount >= 0),
    processed_fee bigint CHECK (processed_fee >= 0),
    processed_deposit bigint,
    -- The rolling reserve. The terms are those of the invoice's creation. What was held stays to be read; what is left of
    -- it is what the purse "reserved" holds for the invoice. Its release is due as expiry is: by due_at.
    reserve_rate numeric NOT NULL DEFAULT 0 CHECK (reserve_rate BETWEEN 0 AND 100),
    reserve_lifetime integer NOT NULL DEFAULT 0 CHECK (reserve_lifetime >= 0),
    reserved_amount bigint CHECK (reserved_amount > 0),
    reserve_left bigint NOT NULL DEFAULT 0 CHECK (reserve_left >= 0),
    reserve_expires_at timestamptz,
    unreserved_at timestamptz,
    description text,
    descriptor text,
    metadata json NOT NULL,
    service_fields json,
    gateway_options json,
    customer_id text,
    callback_url text,
    return_url text,
    return_urls json,
    locale text,
    session_id text,
    token text,
    payment_id text,
    attempts smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    attempts_max smallint NOT NULL CHECK (attempts_max >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- 1 where the service takes the invoice's own currency.
    exchange_rate numeric NOT NULL DEFAULT 1 CHECK (exchange_rate > 0),
    processed_at timestamptz,
    failed_at timestamptz,
    due_at timestamptz,
    PRIMARY KEY (account_id, invoice_id),
    CONSTRAINT invoices_reference UNIQUE (account_id, test_mode, reference_id),
    UNIQUE (account_id, session_id),
    CONSTRAINT invoices_updated_after_creation CHECK (updated_at >= created_at),
    CONSTRAINT invoices_expire_after_creation CHECK (expires_at > created_at),
    CONSTRAINT invoices_processed_whole CHECK ((processed_amount IS NULL) = (processed_at IS NULL)),
    CONSTRAINT invoices_attempts_within_max CHECK (attempts <= attempts_max),
    CONSTRAINT invoices_reserved_of_deposit
        CHECK (reserved_amount IS NULL OR reserved_amount <= coalesce(processed_deposit, 0)),
    CONSTRAINT invoices_reserve_left_of_reserved CHECK (reserve_left <= coalesce(reserved_amount, 0)),
    CONSTRAINT invoices_reserve_expires CHECK ((reserved_amount IS NULL) = (reserve_expires_at IS NULL)),
    CONSTRAINT invoices_unreserved_whole
        CHECK (unreserved_at IS NULL OR (reserve_left = 0 AND unreserved_at >= reserve_expires_at)),
    CONSTRAINT invoices_rate_only_where_converted CHECK (currency <> service_currency OR exchange_rate = 1)
);

-- The worker's claim steps from one account to the next and reads the first row of each; what it then takes are the next
-- rows of the same index. Its poll asks each table for its earliest due moment, and for the accounts of what has been due
-- the longest. Neither reads the backlog, however long it is. So it is with every table that has a due_at.
CREATE INDEX invoices_due ON invoices (test_mode, account_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX invoices_due_at ON invoices (test_mode, due_at, account_id) WHERE due_at IS NOT NULL;

-- A list is walked in the order (created_at, invoice_id) from its cursor on, within one account and mode; a list of both
-- modes merges two such walks. So each filter that may hit few invoices among many has an index that ends in that order:
-- no page sorts, and none reads what it does not show. Filters together use the index of the rarer value.
CREATE INDEX invoices_listed ON invoices (account_id, test_mode, created_at, invoice_id);
CREATE INDEX invoices_listed_by_status ON invoices (account_id, test_mode, status, created_at, invoice_id);
CREATE INDEX invoices_listed_by_service ON invoices (account_id, test_mode, service, created_at, invoice_id);
CREATE INDEX invoices_listed_by_currency ON invoices (account_id, test_mode, currency, created_at, invoice_id);
-- Nearly all invoices are "ok" from the first, so a creation does not write here.
CREATE INDEX invoices_listed_by_resolution ON invoices (account_id, test_mode, resolution, created_at, invoice_id)
    WHERE resolution <> 'ok';
-- Finds what was updated in a range of time but created before it; the rest of such a list is walked as any other.
CREATE INDEX invoices_listed_by_update ON invoices (account_id, test_mode, updated_at, created_at);
-- What waits for a person: few among many.
CREATE INDEX invoices_moderated ON invoices (account_id, test_mode, created_at, invoice_id) WHERE moderation_required;
-- A rule on velocity counts what the same customer has paid in the last minutes.
CREATE INDEX invoices_of_customer ON invoices (account_id, test_mode, customer_id, created_at)
    WHERE customer_id IS NOT NULL;

-- An invoice's history, and the guard of its changes: of two that were decided on one version, one is written.
CREATE TABLE invoice_events (
    account_id text NOT NULL,
    invoice_id text NOT NULL,
    version integer NOT NULL CHECK (version >= 1),
    created_at timestamptz NOT NULL,
    status text NOT NULL,
    resolution text NOT NULL,
    kind text NOT NULL,
    made_by text NOT NULL,
    params json NOT NULL,
    PRIMARY KEY (account_id, invoice_id, version)
);

-- Rights ---------------------------------------------------------------------------------------------------------------

GRANT SELECT, INSERT, UPDATE ON customers, invoices TO kassa_app;
GRANT SELECT, INSERT ON invoice_events TO kassa_app;
GRANT SELECT ON customers, invoices, invoice_events TO kassa_view;

DO $$
DECLARE owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['customers', 'invoices', 'invoice_events'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', owned);
        EXECUTE format('CREATE POLICY app ON %I TO kassa_app USING (true) WITH CHECK (true)', owned);
        EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true) WITH CHECK (true)', owned);
        EXECUTE format(
            'CREATE POLICY account ON %I FOR SELECT TO kassa_view'
            ' USING (account_id = current_setting(''kassa.account_id'', true))', owned);
    END LOOP;
END $$;

-- migrate: rollback
