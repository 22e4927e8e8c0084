-- accounts, catalogue, customers, invoices, payments, callbacks
-- depends:

-- migrate: apply

-- Roles: migrations run as the owner; hot paths and the worker run as kassa_app with a fixed set of statements; composed
-- statements run as kassa_view, behind row-level security. They are group roles: the login that Kassa connects with takes one.
DO $$ BEGIN CREATE ROLE kassa_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE kassa_view NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
GRANT kassa_app, kassa_view TO CURRENT_USER;

-- Reference data ------------------------------------------------------------------------------------------------------

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
    amount_max bigint NOT NULL CHECK (amount_max >= amount_min)
);

CREATE TABLE accounts (
    account_id text PRIMARY KEY CHECK (account_id ~ '^coma_[A-Za-z0-9]{16}$'),
    tag text NOT NULL UNIQUE CHECK (tag ~ '^[A-Za-z0-9]{4}$'),
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    icon text,
    website text,
    currency text NOT NULL,
    external_mid text NOT NULL,
    forbid_public_access boolean NOT NULL DEFAULT false,
    callback_url text,
    return_url text,
    merchant_url text,
    lifetime_minutes integer NOT NULL DEFAULT 30 CHECK (lifetime_minutes BETWEEN 1 AND 2880),
    attempts smallint NOT NULL DEFAULT 5 CHECK (attempts BETWEEN 1 AND 100),
    only_final_callbacks boolean NOT NULL DEFAULT false,
    ip_allow_list text[] NOT NULL DEFAULT '{}',
    late_success text NOT NULL DEFAULT 'book' CHECK (late_success IN ('book', 'refund')),
    callback_retries smallint NOT NULL DEFAULT 100 CHECK (callback_retries BETWEEN 0 AND 1000),
    created_at timestamptz NOT NULL,
    archived_at timestamptz
);

CREATE TABLE api_keys (
    account_id text NOT NULL REFERENCES accounts,
    key_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('api', 'public', 'private')),
    test_mode boolean,
    digest bytea NOT NULL UNIQUE,
    hint text NOT NULL,
    value text,
    sealed bytea,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (account_id, key_id),
    CHECK ((kind = 'api') = (test_mode IS NULL)),
    CHECK ((kind = 'public') = (value IS NOT NULL)),
    CHECK ((kind = 'private') = (sealed IS NOT NULL))
);

CREATE TABLE account_services (
    account_id text NOT NULL REFERENCES accounts,
    service text NOT NULL REFERENCES services,
    account_service_id text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    amount_min bigint NOT NULL CHECK (amount_min >= 0),
    amount_max bigint NOT NULL CHECK (amount_max >= amount_min),
    fee_rate numeric NOT NULL DEFAULT 0 CHECK (fee_rate BETWEEN 0 AND 100),
    fee_fix bigint NOT NULL DEFAULT 0 CHECK (fee_fix >= 0),
    fee_min bigint NOT NULL DEFAULT 0 CHECK (fee_min >= 0),
    fee_max bigint NOT NULL DEFAULT 0 CHECK (fee_max >= 0),
    reserve_rate numeric NOT NULL DEFAULT 0 CHECK (reserve_rate BETWEEN 0 AND 100),
    reserve_lifetime integer NOT NULL DEFAULT 0 CHECK (reserve_lifetime >= 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, service),
    UNIQUE (account_id, account_service_id)
);

CREATE TABLE provider_accounts (
    account_id text NOT NULL REFERENCES accounts,
    provider_account_id text NOT NULL,
    provider text NOT NULL,
    test_mode boolean NOT NULL,
    merchant_id text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    PRIMARY KEY (account_id, provider_account_id)
);

CREATE TABLE routes (
    account_id text NOT NULL,
    service text NOT NULL,
    provider_account_id text NOT NULL,
    position smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, service, provider_account_id),
    FOREIGN KEY (account_id, service) REFERENCES account_services,
    FOREIGN KEY (account_id, provider_account_id) REFERENCES provider_accounts
);

-- Merchant-owned data --------------------------------------------------------------------------------------------------

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
    PRIMARY KEY (account_id, customer_id),
    UNIQUE (account_id, test_mode, reference_id)
);

CREATE TABLE invoices (
    account_id text NOT NULL REFERENCES accounts,
    invoice_id text NOT NULL,
    test_mode boolean NOT NULL,
    reference_id text NOT NULL,
    source text NOT NULL CHECK (source IN ('merchant_api', 'platform_public_api', 'merchant_dashboard')),
    status text NOT NULL CHECK (status IN (
        'created', 'expired', 'terminated', 'processing', 'process_pending', 'process_error', 'processed',
        'partially_processed', 'process_failed', 'verified', 'verify_failed', 'refunding', 'refund_pending',
        'refund_error', 'partially_refunded', 'refunded', 'refund_failed', 'charged_back', 'partially_charged_back')),
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
    payment_id text,
    attempts smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    attempts_max smallint NOT NULL CHECK (attempts_max >= 1),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL CHECK (updated_at >= created_at),
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    processed_at timestamptz,
    failed_at timestamptz,
    due_at timestamptz,
    PRIMARY KEY (account_id, invoice_id),
    UNIQUE (account_id, test_mode, reference_id),
    UNIQUE (account_id, session_id),
    CHECK ((processed_amount IS NULL) = (processed_at IS NULL)),
    CHECK (attempts <= attempts_max)
);
CREATE INDEX invoices_due ON invoices (test_mode, due_at, account_id) WHERE due_at IS NOT NULL;

CREATE TABLE payments (
    account_id text NOT NULL,
    payment_id text NOT NULL,
    invoice_id text NOT NULL,
    number smallint NOT NULL CHECK (number >= 1),
    test_mode boolean NOT NULL,
    status text NOT NULL CHECK (status IN (
        'created', 'invoke_pending', 'invoke_failed', 'invoked', 'process_pending', 'process_failed', 'process_error',
        'processed', 'refund_pending', 'refund_failed', 'refund_error', 'refunded', 'charged_back')),
    resolution text NOT NULL,
    provider text NOT NULL,
    provider_account_id text NOT NULL,
    merchant_id text NOT NULL,
    external_id text,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    processed_amount bigint CHECK (processed_amount >= 0),
    processed_currency text,
    card_first text CHECK (card_first ~ '^[0-9]{6}$'),
    card_last text CHECK (card_last ~ '^[0-9]{4}$'),
    card_length smallint,
    card_brand text,
    card_holder text,
    card_expiry_month smallint CHECK (card_expiry_month BETWEEN 1 AND 12),
    card_expiry_year smallint,
    card_fingerprint bytea,
    card_issuer_name text,
    card_issuer_country text,
    client_ip text NOT NULL,
    action text,
    action_method text,
    action_params json,
    rrn text,
    approval_code text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    due_at timestamptz,
    asks integer NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, payment_id),
    UNIQUE (account_id, invoice_id, number),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices
);
CREATE UNIQUE INDEX payments_one_live ON payments (account_id, invoice_id)
    WHERE status IN ('created', 'invoke_pending', 'invoked', 'process_pending', 'process_error');
CREATE UNIQUE INDEX payments_one_success ON payments (account_id, invoice_id) WHERE status = 'processed';
CREATE INDEX payments_due ON payments (test_mode, due_at, account_id) WHERE due_at IS NOT NULL;

CREATE TABLE callbacks (
    account_id text NOT NULL,
    callback_id text NOT NULL,
    invoice_id text NOT NULL,
    test_mode boolean NOT NULL,
    invoice_status text NOT NULL,
    final boolean NOT NULL,
    logged_at bigint NOT NULL,
    url text NOT NULL,
    body bytea NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'done', 'failed', 'dropped')),
    tries integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    created_at timestamptz NOT NULL,
    tried_at timestamptz,
    response_code smallint,
    failure text,
    due_at timestamptz,
    PRIMARY KEY (account_id, callback_id),
    UNIQUE (account_id, invoice_id, logged_at),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoices,
    CHECK ((status = 'pending') = (due_at IS NOT NULL))
);
CREATE INDEX callbacks_due ON callbacks (test_mode, due_at, account_id) WHERE due_at IS NOT NULL;

-- Rights ---------------------------------------------------------------------------------------------------------------

GRANT SELECT ON test_clock, methods, services, accounts, api_keys, account_services, provider_accounts, routes TO kassa_app;
GRANT UPDATE ON test_clock TO kassa_app;
GRANT INSERT, UPDATE ON methods, services, accounts, api_keys, account_services, provider_accounts, routes TO kassa_app;
GRANT SELECT, INSERT, UPDATE ON customers, invoices, payments, callbacks TO kassa_app;
GRANT SELECT ON methods, services, account_services, customers, invoices, payments, callbacks TO kassa_view;

DO $$
DECLARE owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['account_services', 'customers', 'invoices', 'payments', 'callbacks'] LOOP
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
