-- merchants' accounts: settings, keys, services, provider accounts, routes, rules, and the history of all these
-- depends: 0001_roles_and_reference

-- migrate: apply

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
    payer_pays_fee boolean NOT NULL DEFAULT false,
    exchange_spread numeric NOT NULL DEFAULT 0 CHECK (exchange_spread BETWEEN 0 AND 50),
    moderation_by_api boolean NOT NULL DEFAULT false,
    -- Where a payer finds the shop's help and terms.
    support_url text,
    support_email text,
    terms_url text,
    -- A PNG or SVG file, served by us: the pages load nothing from elsewhere.
    logo bytea CHECK (octet_length(logo) BETWEEN 1 AND 16384),
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
    CONSTRAINT api_keys_mode CHECK ((kind = 'api') = (test_mode IS NULL)),
    CONSTRAINT api_keys_only_public_shown CHECK ((kind = 'public') = (value IS NOT NULL)),
    CONSTRAINT api_keys_only_private_sealed CHECK ((kind = 'private') = (sealed IS NOT NULL))
);

CREATE TABLE account_services (
    account_id text NOT NULL REFERENCES accounts,
    service text NOT NULL REFERENCES services,
    account_service_id text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    amount_min bigint NOT NULL CHECK (amount_min >= 0),
    amount_max bigint NOT NULL,
    fee_rate numeric NOT NULL DEFAULT 0 CHECK (fee_rate BETWEEN 0 AND 100),
    fee_fix bigint NOT NULL DEFAULT 0 CHECK (fee_fix >= 0),
    fee_min bigint NOT NULL DEFAULT 0 CHECK (fee_min >= 0),
    fee_max bigint NOT NULL DEFAULT 0 CHECK (fee_max >= 0),
    reserve_rate numeric NOT NULL DEFAULT 0 CHECK (reserve_rate BETWEEN 0 AND 100),
    reserve_lifetime integer NOT NULL DEFAULT 0 CHECK (reserve_lifetime >= 0),
    refund_fee_fix bigint NOT NULL DEFAULT 0 CHECK (refund_fee_fix >= 0),
    charge_back_fee_fix bigint NOT NULL DEFAULT 0 CHECK (charge_back_fee_fix >= 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, service),
    UNIQUE (account_id, account_service_id),
    CONSTRAINT account_services_amount_range CHECK (amount_max >= amount_min)
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
    -- The time to compare waits where what is compared is. What is new is due at once, and only gets its first night then.
    reconcile_at timestamptz NOT NULL DEFAULT 'epoch',
    reconcile_from timestamptz,
    reconciled_at timestamptz,
    reconcile_problem text,
    -- Each comparison has a number, greater than all before it.
    reconcile_run bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, provider_account_id)
);
-- A claim goes by the account; the worker's poll asks for what has been due the longest, over all accounts.
CREATE INDEX provider_accounts_due ON provider_accounts (test_mode, account_id, reconcile_at);
CREATE INDEX provider_accounts_due_at ON provider_accounts (test_mode, reconcile_at, account_id);
CREATE INDEX provider_accounts_at_provider ON provider_accounts (provider, merchant_id, test_mode, created_at);

CREATE TABLE routes (
    account_id text NOT NULL,
    service text NOT NULL,
    provider_account_id text NOT NULL,
    position smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, service, provider_account_id),
    FOREIGN KEY (account_id, service) REFERENCES account_services,
    FOREIGN KEY (account_id, provider_account_id) REFERENCES provider_accounts
);

-- Rules that hold a payment for a person.
CREATE TABLE moderation_rules (
    account_id text NOT NULL REFERENCES accounts,
    rule_id text NOT NULL,
    terms json NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, rule_id)
);

-- Written once, in the transaction of the change. No secret is in it: of a key there are the last four characters, of a
-- provider account's secrets the names of those that changed.
CREATE TABLE account_events (
    account_id text NOT NULL REFERENCES accounts,
    event_id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    -- The id of what was changed; of a service its code.
    subject_id text NOT NULL,
    -- The members that changed; null before something was made and after it was removed.
    before json,
    after json,
    changed_by text NOT NULL CHECK (length(changed_by) BETWEEN 1 AND 200),
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, event_id)
);

-- Rights ---------------------------------------------------------------------------------------------------------------

GRANT SELECT, INSERT, UPDATE ON accounts, api_keys, account_services, provider_accounts, routes TO kassa_app;
GRANT SELECT, INSERT, DELETE ON moderation_rules TO kassa_app;
GRANT SELECT, INSERT ON account_events TO kassa_app;
GRANT SELECT ON account_services TO kassa_view;

DO $$
DECLARE owned text;
BEGIN
    FOREACH owned IN ARRAY ARRAY['account_services', 'moderation_rules', 'account_events'] LOOP
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
