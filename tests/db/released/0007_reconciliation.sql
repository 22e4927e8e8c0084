SET statement_timeout = 0;

SET lock_timeout = 0;

SET idle_in_transaction_session_timeout = 0;

SET transaction_timeout = 0;

SET client_encoding = 'UTF8';

SET standard_conforming_strings = on;

SELECT pg_catalog.set_config('search_path', '', false);

SET check_function_bodies = false;

SET xmloption = content;

SET client_min_messages = warning;

SET row_security = on;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public._pogo_migration (
    migration_hash character varying(64) NOT NULL,
    migration_id character varying(255),
    applied timestamp with time zone,
    schema_name character varying(64) NOT NULL
);

CREATE TABLE public._pogo_version (
    version integer NOT NULL,
    installed timestamp with time zone
);

CREATE TABLE public.account_events (
    account_id text NOT NULL,
    event_id bigint NOT NULL,
    kind text NOT NULL,
    subject_id text NOT NULL,
    before json,
    after json,
    changed_by text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    CONSTRAINT account_events_changed_by_check CHECK (((length(changed_by) >= 1) AND (length(changed_by) <= 200)))
);

ALTER TABLE ONLY public.account_events FORCE ROW LEVEL SECURITY;

ALTER TABLE public.account_events ALTER COLUMN event_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.account_events_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.account_services (
    account_id text NOT NULL,
    service text NOT NULL,
    account_service_id text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    amount_min bigint NOT NULL,
    amount_max bigint NOT NULL,
    fee_rate numeric DEFAULT 0 NOT NULL,
    fee_fix bigint DEFAULT 0 NOT NULL,
    fee_min bigint DEFAULT 0 NOT NULL,
    fee_max bigint DEFAULT 0 NOT NULL,
    reserve_rate numeric DEFAULT 0 NOT NULL,
    reserve_lifetime integer DEFAULT 0 NOT NULL,
    refund_fee_fix bigint DEFAULT 0 NOT NULL,
    charge_back_fee_fix bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT account_services_amount_min_check CHECK ((amount_min >= 0)),
    CONSTRAINT account_services_amount_range CHECK ((amount_max >= amount_min)),
    CONSTRAINT account_services_charge_back_fee_fix_check CHECK ((charge_back_fee_fix >= 0)),
    CONSTRAINT account_services_fee_fix_check CHECK ((fee_fix >= 0)),
    CONSTRAINT account_services_fee_max_check CHECK ((fee_max >= 0)),
    CONSTRAINT account_services_fee_min_check CHECK ((fee_min >= 0)),
    CONSTRAINT account_services_fee_rate_check CHECK (((fee_rate >= (0)::numeric) AND (fee_rate <= (100)::numeric))),
    CONSTRAINT account_services_refund_fee_fix_check CHECK ((refund_fee_fix >= 0)),
    CONSTRAINT account_services_reserve_lifetime_check CHECK ((reserve_lifetime >= 0)),
    CONSTRAINT account_services_reserve_rate_check CHECK (((reserve_rate >= (0)::numeric) AND (reserve_rate <= (100)::numeric)))
);

ALTER TABLE ONLY public.account_services FORCE ROW LEVEL SECURITY;

CREATE TABLE public.accounts (
    account_id text NOT NULL,
    tag text NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    icon text,
    website text,
    currency text NOT NULL,
    external_mid text NOT NULL,
    forbid_public_access boolean DEFAULT false NOT NULL,
    callback_url text,
    return_url text,
    merchant_url text,
    lifetime_minutes integer DEFAULT 30 NOT NULL,
    attempts smallint DEFAULT 5 NOT NULL,
    only_final_callbacks boolean DEFAULT false NOT NULL,
    ip_allow_list text[] DEFAULT '{}'::text[] NOT NULL,
    late_success text DEFAULT 'book'::text NOT NULL,
    callback_retries smallint DEFAULT 100 NOT NULL,
    payer_pays_fee boolean DEFAULT false NOT NULL,
    exchange_spread numeric DEFAULT 0 NOT NULL,
    moderation_by_api boolean DEFAULT false NOT NULL,
    support_url text,
    support_email text,
    terms_url text,
    logo bytea,
    created_at timestamp with time zone NOT NULL,
    archived_at timestamp with time zone,
    CONSTRAINT accounts_account_id_check CHECK ((account_id ~ '^coma_[A-Za-z0-9]{16}$'::text)),
    CONSTRAINT accounts_attempts_check CHECK (((attempts >= 1) AND (attempts <= 100))),
    CONSTRAINT accounts_callback_retries_check CHECK (((callback_retries >= 0) AND (callback_retries <= 1000))),
    CONSTRAINT accounts_exchange_spread_check CHECK (((exchange_spread >= (0)::numeric) AND (exchange_spread <= (50)::numeric))),
    CONSTRAINT accounts_late_success_check CHECK ((late_success = ANY (ARRAY['book'::text, 'refund'::text]))),
    CONSTRAINT accounts_lifetime_minutes_check CHECK (((lifetime_minutes >= 1) AND (lifetime_minutes <= 2880))),
    CONSTRAINT accounts_logo_check CHECK (((octet_length(logo) >= 1) AND (octet_length(logo) <= 16384))),
    CONSTRAINT accounts_tag_check CHECK ((tag ~ '^[A-Za-z0-9]{4}$'::text))
);

CREATE TABLE public.api_keys (
    account_id text NOT NULL,
    key_id text NOT NULL,
    kind text NOT NULL,
    test_mode boolean,
    digest bytea NOT NULL,
    hint text NOT NULL,
    value text,
    sealed bytea,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_kind_check CHECK ((kind = ANY (ARRAY['api'::text, 'public'::text, 'private'::text]))),
    CONSTRAINT api_keys_mode CHECK (((kind = 'api'::text) = (test_mode IS NULL))),
    CONSTRAINT api_keys_only_private_sealed CHECK (((kind = 'private'::text) = (sealed IS NOT NULL))),
    CONSTRAINT api_keys_only_public_shown CHECK (((kind = 'public'::text) = (value IS NOT NULL)))
);

CREATE TABLE public.callback_copies (
    account_id text NOT NULL,
    listener_id text NOT NULL,
    callback_id text NOT NULL,
    invoice_id text NOT NULL,
    invoice_status text NOT NULL,
    body bytea NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE ONLY public.callback_copies FORCE ROW LEVEL SECURITY;

CREATE TABLE public.callback_listeners (
    account_id text NOT NULL,
    listener_id text NOT NULL,
    test_mode boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    leased_until timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.callback_listeners FORCE ROW LEVEL SECURITY;

CREATE TABLE public.callbacks (
    account_id text NOT NULL,
    callback_id text NOT NULL,
    invoice_id text NOT NULL,
    test_mode boolean NOT NULL,
    invoice_status text NOT NULL,
    final boolean NOT NULL,
    logged_at bigint NOT NULL,
    url text NOT NULL,
    body bytea NOT NULL,
    status text NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    tried_at timestamp with time zone,
    response_code smallint,
    failure text,
    cause text,
    answer text,
    milliseconds integer,
    due_at timestamp with time zone,
    traceparent text,
    CONSTRAINT callbacks_answer_check CHECK ((octet_length(answer) <= 1024)),
    CONSTRAINT callbacks_milliseconds_check CHECK ((milliseconds >= 0)),
    CONSTRAINT callbacks_pending_are_due CHECK (((status = 'pending'::text) = (due_at IS NOT NULL))),
    CONSTRAINT callbacks_status_check CHECK ((status = ANY (ARRAY['pending'::text, 'done'::text, 'failed'::text, 'dropped'::text]))),
    CONSTRAINT callbacks_traceparent_check CHECK ((length(traceparent) <= 55)),
    CONSTRAINT callbacks_tries_check CHECK ((tries >= 0))
);

ALTER TABLE ONLY public.callbacks FORCE ROW LEVEL SECURITY;

CREATE TABLE public.currencies (
    currency text NOT NULL,
    exponent smallint NOT NULL,
    name json NOT NULL,
    type text NOT NULL,
    CONSTRAINT currencies_currency_check CHECK ((currency ~ '^[A-Z0-9]{2,20}$'::text)),
    CONSTRAINT currencies_exponent_check CHECK (((exponent >= 0) AND (exponent <= 12)))
);

CREATE TABLE public.customers (
    account_id text NOT NULL,
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
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.customers FORCE ROW LEVEL SECURITY;

CREATE TABLE public.discrepancies (
    account_id text NOT NULL,
    discrepancy_id text NOT NULL,
    provider_account_id text NOT NULL,
    test_mode boolean NOT NULL,
    kind text NOT NULL,
    movement text NOT NULL,
    ref text NOT NULL,
    external_id text NOT NULL,
    payment_id text NOT NULL,
    ours jsonb,
    theirs jsonb,
    booked_at timestamp with time zone NOT NULL,
    opened_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    note text,
    CONSTRAINT discrepancies_kind_check CHECK ((kind = ANY (ARRAY['missing_there'::text, 'missing_here'::text, 'status'::text, 'amount'::text, 'transaction'::text]))),
    CONSTRAINT discrepancies_movement_check CHECK ((movement = ANY (ARRAY['purchase'::text, 'refund'::text, 'refund_reversal'::text, 'charge_back'::text, 'chargeback_reversal'::text]))),
    CONSTRAINT discrepancies_note_at_the_end CHECK (((note IS NULL) OR (resolved_at IS NOT NULL))),
    CONSTRAINT discrepancies_ours_unless_missing_here CHECK (((kind = 'missing_here'::text) = (ours IS NULL))),
    CONSTRAINT discrepancies_theirs_unless_missing_there CHECK (((kind = 'missing_there'::text) = (theirs IS NULL)))
);

ALTER TABLE ONLY public.discrepancies FORCE ROW LEVEL SECURITY;

CREATE TABLE public.disputes (
    account_id text NOT NULL,
    dispute_id text NOT NULL,
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    test_mode boolean NOT NULL,
    "position" smallint NOT NULL,
    external_id text,
    status text NOT NULL,
    reason text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    provider_amount bigint NOT NULL,
    provider_currency text NOT NULL,
    total bigint NOT NULL,
    unexpected boolean NOT NULL,
    fee bigint NOT NULL,
    reserve bigint NOT NULL,
    held bigint NOT NULL,
    booked boolean NOT NULL,
    deadline timestamp with time zone,
    opened_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    CONSTRAINT disputes_amount_check CHECK ((amount > 0)),
    CONSTRAINT disputes_fee_check CHECK ((fee >= 0)),
    CONSTRAINT disputes_held_of_amount CHECK (((held >= 0) AND (held <= amount))),
    CONSTRAINT disputes_position_check CHECK (("position" >= 1)),
    CONSTRAINT disputes_provider_amount_check CHECK ((provider_amount > 0)),
    CONSTRAINT disputes_reserve_of_amount CHECK (((reserve >= 0) AND (reserve <= amount))),
    CONSTRAINT disputes_status_check CHECK ((status = ANY (ARRAY['open'::text, 'won'::text, 'lost'::text]))),
    CONSTRAINT disputes_total_holds_amount CHECK ((total >= provider_amount))
);

ALTER TABLE ONLY public.disputes FORCE ROW LEVEL SECURITY;

CREATE TABLE public.exchange_rates (
    source text NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    base text NOT NULL,
    quote text NOT NULL,
    rate numeric NOT NULL,
    valid_until timestamp with time zone,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT exchange_rates_only_manual_end CHECK (((valid_until IS NULL) OR (source = 'manual'::text))),
    CONSTRAINT exchange_rates_rate_check CHECK ((rate > (0)::numeric)),
    CONSTRAINT exchange_rates_source_check CHECK ((source = ANY (ARRAY['manual'::text, 'ecb'::text, 'nbu'::text, 'cbr'::text]))),
    CONSTRAINT exchange_rates_two_currencies CHECK ((base <> quote))
);

CREATE TABLE public.idempotency_keys (
    account_id text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    serial text NOT NULL,
    status smallint,
    body bytea,
    leased_until timestamp with time zone NOT NULL,
    due_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_keys_answered_whole CHECK (((status IS NULL) = (body IS NULL))),
    CONSTRAINT idempotency_keys_fingerprint_check CHECK ((length(fingerprint) = 32)),
    CONSTRAINT idempotency_keys_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255)))
);

ALTER TABLE ONLY public.idempotency_keys FORCE ROW LEVEL SECURITY;

CREATE TABLE public.invoice_events (
    account_id text NOT NULL,
    invoice_id text NOT NULL,
    version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    status text NOT NULL,
    resolution text NOT NULL,
    kind text NOT NULL,
    made_by text NOT NULL,
    params json NOT NULL,
    CONSTRAINT invoice_events_version_check CHECK ((version >= 1))
);

ALTER TABLE ONLY public.invoice_events FORCE ROW LEVEL SECURITY;

CREATE TABLE public.invoices (
    account_id text NOT NULL,
    invoice_id text NOT NULL,
    test_mode boolean NOT NULL,
    reference_id text NOT NULL,
    source text NOT NULL,
    version integer NOT NULL,
    status text NOT NULL,
    resolution text NOT NULL,
    moderation_required boolean DEFAULT false NOT NULL,
    service text NOT NULL,
    service_method text NOT NULL,
    service_flow text NOT NULL,
    service_currency text NOT NULL,
    payment_flow text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    payment_amount bigint NOT NULL,
    fee bigint NOT NULL,
    deposit bigint NOT NULL,
    processed_amount bigint,
    processed_fee bigint,
    processed_deposit bigint,
    reserve_rate numeric DEFAULT 0 NOT NULL,
    reserve_lifetime integer DEFAULT 0 NOT NULL,
    reserved_amount bigint,
    reserve_left bigint DEFAULT 0 NOT NULL,
    reserve_expires_at timestamp with time zone,
    unreserved_at timestamp with time zone,
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
    attempts smallint DEFAULT 0 NOT NULL,
    attempts_max smallint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    exchange_rate numeric DEFAULT 1 NOT NULL,
    processed_at timestamp with time zone,
    failed_at timestamp with time zone,
    due_at timestamp with time zone,
    CONSTRAINT invoices_amount_check CHECK ((amount > 0)),
    CONSTRAINT invoices_attempts_check CHECK ((attempts >= 0)),
    CONSTRAINT invoices_attempts_max_check CHECK ((attempts_max >= 1)),
    CONSTRAINT invoices_attempts_within_max CHECK ((attempts <= attempts_max)),
    CONSTRAINT invoices_exchange_rate_check CHECK ((exchange_rate > (0)::numeric)),
    CONSTRAINT invoices_expire_after_creation CHECK ((expires_at > created_at)),
    CONSTRAINT invoices_fee_check CHECK ((fee >= 0)),
    CONSTRAINT invoices_payment_amount_check CHECK ((payment_amount > 0)),
    CONSTRAINT invoices_payment_flow_check CHECK ((payment_flow = ANY (ARRAY['charge'::text, 'verify'::text]))),
    CONSTRAINT invoices_processed_amount_check CHECK ((processed_amount >= 0)),
    CONSTRAINT invoices_processed_fee_check CHECK ((processed_fee >= 0)),
    CONSTRAINT invoices_processed_whole CHECK (((processed_amount IS NULL) = (processed_at IS NULL))),
    CONSTRAINT invoices_rate_only_where_converted CHECK (((currency <> service_currency) OR (exchange_rate = (1)::numeric))),
    CONSTRAINT invoices_reserve_expires CHECK (((reserved_amount IS NULL) = (reserve_expires_at IS NULL))),
    CONSTRAINT invoices_reserve_left_check CHECK ((reserve_left >= 0)),
    CONSTRAINT invoices_reserve_left_of_reserved CHECK ((reserve_left <= COALESCE(reserved_amount, (0)::bigint))),
    CONSTRAINT invoices_reserve_lifetime_check CHECK ((reserve_lifetime >= 0)),
    CONSTRAINT invoices_reserve_rate_check CHECK (((reserve_rate >= (0)::numeric) AND (reserve_rate <= (100)::numeric))),
    CONSTRAINT invoices_reserved_amount_check CHECK ((reserved_amount > 0)),
    CONSTRAINT invoices_reserved_of_deposit CHECK (((reserved_amount IS NULL) OR (reserved_amount <= COALESCE(processed_deposit, (0)::bigint)))),
    CONSTRAINT invoices_source_check CHECK ((source = ANY (ARRAY['merchant_api'::text, 'platform_public_api'::text, 'merchant_dashboard'::text]))),
    CONSTRAINT invoices_status_check CHECK ((status = ANY (ARRAY['created'::text, 'process_pending'::text, 'process_error'::text, 'processed'::text, 'partially_processed'::text, 'process_failed'::text, 'verified'::text, 'verify_failed'::text, 'refunding'::text, 'refund_pending'::text, 'refund_error'::text, 'partially_refunded'::text, 'refunded'::text, 'refund_failed'::text, 'charged_back'::text, 'partially_charged_back'::text]))),
    CONSTRAINT invoices_unreserved_whole CHECK (((unreserved_at IS NULL) OR ((reserve_left = 0) AND (unreserved_at >= reserve_expires_at)))),
    CONSTRAINT invoices_updated_after_creation CHECK ((updated_at >= created_at)),
    CONSTRAINT invoices_version_check CHECK ((version >= 1))
);

ALTER TABLE ONLY public.invoices FORCE ROW LEVEL SECURITY;

CREATE TABLE public.ledger_journal (
    account_id text NOT NULL,
    test_mode boolean NOT NULL,
    number bigint NOT NULL,
    entry_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    hash bytea NOT NULL,
    balances json NOT NULL,
    CONSTRAINT ledger_journal_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT ledger_journal_number_check CHECK ((number >= 1))
);

ALTER TABLE ONLY public.ledger_journal FORCE ROW LEVEL SECURITY;

CREATE TABLE public.ledger_transfers (
    account_id text NOT NULL,
    entry_id text NOT NULL,
    line smallint NOT NULL,
    test_mode boolean NOT NULL,
    recipe text NOT NULL,
    invoice_id text,
    payment_id text,
    refund_id text,
    dispute_id text,
    charged_back_total bigint,
    debit text NOT NULL,
    credit text NOT NULL,
    amount bigint NOT NULL,
    currency text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ledger_transfers_amount_check CHECK ((amount > 0)),
    CONSTRAINT ledger_transfers_charged_back_total_check CHECK ((charged_back_total > 0)),
    CONSTRAINT ledger_transfers_credit_check CHECK ((credit = ANY (ARRAY['provider'::text, 'active'::text, 'pending'::text, 'reserved'::text, 'fees'::text, 'exchange'::text]))),
    CONSTRAINT ledger_transfers_debit_check CHECK ((debit = ANY (ARRAY['provider'::text, 'active'::text, 'pending'::text, 'reserved'::text, 'fees'::text, 'exchange'::text]))),
    CONSTRAINT ledger_transfers_line_check CHECK ((line >= 1)),
    CONSTRAINT ledger_transfers_two_purses CHECK ((debit <> credit))
);

ALTER TABLE ONLY public.ledger_transfers FORCE ROW LEVEL SECURITY;

CREATE TABLE public.ledger_unnumbered (
    account_id text NOT NULL,
    test_mode boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    entry_id text NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');

ALTER TABLE ONLY public.ledger_unnumbered FORCE ROW LEVEL SECURITY;

CREATE TABLE public.methods (
    method text NOT NULL,
    category text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    name json NOT NULL,
    logo text NOT NULL,
    icon text NOT NULL,
    metadata json,
    "position" integer,
    hide boolean
);

CREATE TABLE public.moderation_decisions (
    account_id text NOT NULL,
    decision_id text NOT NULL,
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    verdict text NOT NULL,
    decided_by text NOT NULL,
    note text,
    decided_at timestamp with time zone NOT NULL,
    CONSTRAINT moderation_decisions_verdict_check CHECK ((verdict = ANY (ARRAY['held'::text, 'approved'::text, 'rejected'::text, 'returned'::text, 'settled'::text])))
);

ALTER TABLE ONLY public.moderation_decisions FORCE ROW LEVEL SECURITY;

CREATE TABLE public.moderation_rules (
    account_id text NOT NULL,
    rule_id text NOT NULL,
    terms json NOT NULL,
    created_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY public.moderation_rules FORCE ROW LEVEL SECURITY;

CREATE TABLE public.payments (
    account_id text NOT NULL,
    payment_id text NOT NULL,
    invoice_id text NOT NULL,
    attempt_number smallint NOT NULL,
    test_mode boolean NOT NULL,
    status text NOT NULL,
    resolution text NOT NULL,
    provider text NOT NULL,
    provider_account_id text NOT NULL,
    merchant_id text NOT NULL,
    external_id text,
    amount bigint NOT NULL,
    currency text NOT NULL,
    processed_amount bigint,
    processed_currency text,
    unexpected text,
    card_first text,
    card_last text,
    card_length smallint,
    card_brand text,
    card_holder text,
    card_expiry_month smallint,
    card_expiry_year smallint,
    card_fingerprint bytea,
    card_issuer_name text,
    card_issuer_country text,
    client_ip text NOT NULL,
    payer_network text,
    reason_hidden boolean DEFAULT false NOT NULL,
    action text,
    action_method text,
    action_params json,
    rrn text,
    approval_code text,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    polls integer DEFAULT 0 NOT NULL,
    traceparent text,
    CONSTRAINT payments_amount_check CHECK ((amount > 0)),
    CONSTRAINT payments_attempt_number_check CHECK ((attempt_number >= 1)),
    CONSTRAINT payments_card_expiry_month_check CHECK (((card_expiry_month >= 1) AND (card_expiry_month <= 12))),
    CONSTRAINT payments_card_first_check CHECK ((card_first ~ '^[0-9]{6}$'::text)),
    CONSTRAINT payments_card_last_check CHECK ((card_last ~ '^[0-9]{4}$'::text)),
    CONSTRAINT payments_processed_amount_check CHECK ((processed_amount >= 0)),
    CONSTRAINT payments_status_check CHECK ((status = ANY (ARRAY['invoke_pending'::text, 'invoke_failed'::text, 'invoked'::text, 'process_pending'::text, 'process_failed'::text, 'process_error'::text, 'processed'::text]))),
    CONSTRAINT payments_traceparent_check CHECK ((length(traceparent) <= 55)),
    CONSTRAINT payments_unexpected_check CHECK ((unexpected = ANY (ARRAY['late'::text, 'duplicate'::text, 'rejected'::text])))
);

ALTER TABLE ONLY public.payments FORCE ROW LEVEL SECURITY;

CREATE TABLE public.provider_accounts (
    account_id text NOT NULL,
    provider_account_id text NOT NULL,
    provider text NOT NULL,
    test_mode boolean NOT NULL,
    merchant_id text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    archived_at timestamp with time zone,
    reconcile_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    reconcile_from timestamp with time zone,
    reconciled_at timestamp with time zone,
    reconcile_problem text,
    reconcile_run bigint DEFAULT 0 NOT NULL
);

CREATE TABLE public.provider_statement_lines (
    account_id text NOT NULL,
    provider_account_id text NOT NULL,
    payment_id text NOT NULL,
    movement text NOT NULL,
    ref text NOT NULL,
    external_id text NOT NULL,
    test_mode boolean NOT NULL,
    charged_back_total bigint,
    amount bigint NOT NULL,
    currency text NOT NULL,
    booked_at timestamp with time zone NOT NULL,
    seen_run bigint NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT provider_statement_lines_amount_check CHECK ((amount >= 0)),
    CONSTRAINT provider_statement_lines_movement_check CHECK ((movement = ANY (ARRAY['purchase'::text, 'refund'::text, 'refund_reversal'::text, 'charge_back'::text, 'chargeback_reversal'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.02');

ALTER TABLE ONLY public.provider_statement_lines FORCE ROW LEVEL SECURITY;

CREATE TABLE public.refunds (
    account_id text NOT NULL,
    refund_id text NOT NULL,
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    test_mode boolean NOT NULL,
    reason text NOT NULL,
    reference_id text,
    amount bigint NOT NULL,
    currency text NOT NULL,
    provider_amount bigint NOT NULL,
    provider_currency text NOT NULL,
    fee bigint NOT NULL,
    reserve bigint DEFAULT 0 NOT NULL,
    status text NOT NULL,
    resolution text NOT NULL,
    description text,
    external_id text,
    returned_amount bigint,
    returned_currency text,
    settled_amount bigint,
    reversed_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    polls integer DEFAULT 0 NOT NULL,
    traceparent text,
    CONSTRAINT refunds_amount_check CHECK ((amount > 0)),
    CONSTRAINT refunds_fee_check CHECK ((fee >= 0)),
    CONSTRAINT refunds_pending_are_due CHECK (((status <> 'refund_pending'::text) OR (due_at IS NOT NULL))),
    CONSTRAINT refunds_provider_amount_check CHECK ((provider_amount > 0)),
    CONSTRAINT refunds_reason_check CHECK ((reason = ANY (ARRAY['requested'::text, 'late'::text, 'duplicate'::text, 'rejected'::text]))),
    CONSTRAINT refunds_requested_by_reference CHECK (((reason = 'requested'::text) = (reference_id IS NOT NULL))),
    CONSTRAINT refunds_reserve_of_amount CHECK (((reserve >= 0) AND (reserve <= GREATEST(amount, settled_amount)))),
    CONSTRAINT refunds_returned_amount_check CHECK ((returned_amount >= 0)),
    CONSTRAINT refunds_returned_whole CHECK (((returned_amount IS NULL) = (returned_currency IS NULL))),
    CONSTRAINT refunds_settled_after_return CHECK (((settled_amount IS NULL) OR ((status = 'refunded'::text) AND (returned_amount IS NOT NULL)))),
    CONSTRAINT refunds_settled_amount_check CHECK ((settled_amount >= 0)),
    CONSTRAINT refunds_status_check CHECK ((status = ANY (ARRAY['refund_pending'::text, 'refunded'::text, 'refund_failed'::text, 'refund_error'::text]))),
    CONSTRAINT refunds_traceparent_check CHECK ((length(traceparent) <= 55)),
    CONSTRAINT refunds_updated_after_creation CHECK ((updated_at >= created_at))
);

ALTER TABLE ONLY public.refunds FORCE ROW LEVEL SECURITY;

CREATE TABLE public.routes (
    account_id text NOT NULL,
    service text NOT NULL,
    provider_account_id text NOT NULL,
    "position" smallint DEFAULT 0 NOT NULL
);

CREATE TABLE public.services (
    service text NOT NULL,
    method text NOT NULL,
    flow text NOT NULL,
    currency text NOT NULL,
    fields json DEFAULT '[]'::json NOT NULL,
    amount_min bigint NOT NULL,
    amount_max bigint NOT NULL,
    CONSTRAINT services_amount_min_check CHECK ((amount_min >= 0)),
    CONSTRAINT services_amount_range CHECK ((amount_max >= amount_min))
);

CREATE TABLE public.test_clock (
    only_row boolean DEFAULT true NOT NULL,
    test_offset interval DEFAULT '00:00:00'::interval NOT NULL,
    CONSTRAINT test_clock_only_row_check CHECK (only_row)
);

INSERT INTO public._pogo_migration VALUES
	('9518b1b97615fb0e7e7fde77f35d40cbdad22f423321b933e4c63077ce5e1901', '0001_roles_and_reference', '2026-11-25 03:51:54.407945+00', 'public'),
	('2a71da438cf4258aa4441f8d7eb5bd583ca73b65e0dee9b45650def5599e9525', '0002_accounts', '2026-11-25 03:51:54.506372+00', 'public'),
	('4609205e50d295908abc4586e87af10d575202f1f4e3ed04bdd91d6838c15ed7', '0003_invoices', '2026-11-25 03:51:54.54759+00', 'public'),
	('9f061a964f246849d0ce2895d75f46e3131e46cdad4ed68e2fca63b6a3d02429', '0004_payments', '2026-11-25 03:51:54.596714+00', 'public'),
	('bb7be19584e2f07279aaf4d42ccdc0ca98cc6fb38cc13c8213ee666e43cce8ea', '0005_callbacks', '2026-11-25 03:51:54.647812+00', 'public'),
	('e7e3bd80ccb156392bda1b57bff141f13cbb8050d297a16b0c14eeb7474c77ef', '0006_ledger', '2026-11-25 03:51:54.665059+00', 'public'),
	('370122f48877e528ecd454741bdaac794bb1fa19dd6cedc659694f207d2891b4', '0007_reconciliation', '2026-11-25 03:51:54.680788+00', 'public');

INSERT INTO public._pogo_version VALUES
	(0, '2026-11-25 03:51:54.301151+00'),
	(1, '2026-11-25 03:51:54.311461+00');

INSERT INTO public.account_events OVERRIDING SYSTEM VALUE VALUES
	('coma_GlRglPpGBm1xsWyF', 1, 'account.created', 'coma_GlRglPpGBm1xsWyF', NULL, '{"name":"Shop","currency":"EUR","callback_url":"http://127.0.0.1:9/","lifetime_minutes":30,"attempts":5,"late_success":"book","callback_retries":100}', 'ann', '2026-11-25 03:51:55.639131+00'),
	('coma_GlRglPpGBm1xsWyF', 2, 'api_key.created', 'key_GlRgWBSP2j5Wumuz', NULL, '{"hint":"…HP8c"}', 'ann', '2026-11-25 03:51:55.639131+00'),
	('coma_GlRglPpGBm1xsWyF', 3, 'public_key.created', 'key_GlRgJIPr73fvGeF6', NULL, '{"mode":"test","hint":"pk_test_…mzQc"}', 'ann', '2026-11-25 03:51:55.639131+00'),
	('coma_GlRglPpGBm1xsWyF', 4, 'public_key.created', 'key_GlRg4JzbSnvRYXAn', NULL, '{"mode":"live","hint":"pk_live_…Bu1s"}', 'ann', '2026-11-25 03:51:55.639131+00'),
	('coma_GlRglPpGBm1xsWyF', 5, 'private_key.created', 'key_GlRgbVn0gvOJ5MMW', NULL, '{"mode":"test","hint":"sk_test_…aLFk"}', 'ann', '2026-11-25 03:51:55.639131+00'),
	('coma_GlRglPpGBm1xsWyF', 6, 'private_key.created', 'key_GlRg1wkYMwQKSecq', NULL, '{"mode":"live","hint":"sk_live_…kV5E"}', 'ann', '2026-11-25 03:51:55.639131+00'),
	('coma_GlRglPpGBm1xsWyF', 7, 'provider_account.connected', 'ma_GlRg3RKuFEcSutFy', NULL, '{"provider":"test","merchant_id":"host2hostTest","mode":"test"}', 'ann', '2026-11-25 03:51:55.639131+00'),
	('coma_GlRglPpGBm1xsWyF', 8, 'service.added', 'payment_card_usd_hpp', NULL, '{"enabled":true,"amount_min":"0.01","amount_max":"1000000.00"}', 'ann', '2026-11-25 03:51:55.639131+00'),
	('coma_GlRglPpGBm1xsWyF', 9, 'service.changed', 'payment_card_usd_hpp', '{"reserve_rate":"0","reserve_lifetime":0}', '{"reserve_rate":"10","reserve_lifetime":60}', 'ann', '2026-11-25 03:51:55.667205+00');

INSERT INTO public.account_services VALUES
	('coma_GlRglPpGBm1xsWyF', 'payment_card_usd_hpp', 'comcps_GlRgnZ4mSMGj5LDx', true, 1, 100000000, 0, 0, 0, 0, 10, 60, 0, 0, '2026-11-25 03:51:55.639131+00');

INSERT INTO public.accounts VALUES
	('coma_GlRglPpGBm1xsWyF', 'GlRg', 'Shop', '', NULL, NULL, 'EUR', 'org_GlRglkGHJIfJzFz3', false, 'http://127.0.0.1:9/', NULL, NULL, 30, 5, false, '{}', 'book', 100, false, 0, false, NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.639131+00', NULL);

INSERT INTO public.api_keys VALUES
	('coma_GlRglPpGBm1xsWyF', 'key_GlRgWBSP2j5Wumuz', 'api', NULL, '\x42ecf9eb0af74ebb9576bd3399c09db6fcd666730bfc9ed387359d9510507249', '…HP8c', NULL, NULL, '2026-11-25 03:51:55.639131+00', NULL),
	('coma_GlRglPpGBm1xsWyF', 'key_GlRgJIPr73fvGeF6', 'public', true, '\x1ac327b4e7775b104a47f52c98763795ddd299ec9135ec5ffbc811dc9bafcf3c', 'pk_test_…mzQc', 'pk_test_BGVN34qUcyhBkXW0eV1EGxh1cAYvMky2h8yhr1NmzQc', NULL, '2026-11-25 03:51:55.639131+00', NULL),
	('coma_GlRglPpGBm1xsWyF', 'key_GlRg4JzbSnvRYXAn', 'public', false, '\x32775a2aaf0048767756d3e6a04585b7c389b34ff12fc8531fa922a210107a3a', 'pk_live_…Bu1s', 'pk_live_ePe-H0fEvQ7J7PtN3Bag7jjmCwr7bHy8c76iZc6Bu1s', NULL, '2026-11-25 03:51:55.639131+00', NULL),
	('coma_GlRglPpGBm1xsWyF', 'key_GlRgbVn0gvOJ5MMW', 'private', true, '\xbc3f09a0e98682ee2c80c3455249498c8d65586cdee2d3e321fb1296c5d4b7c9', 'sk_test_…aLFk', NULL, '\xdd07ca59d5bb9841ae416b2f3921b95e00c79c77a30951b8d5d65df8d84467a7570051c1967b42cd477dfbab2e3afbaad7bde85374a82b398a8f241a482b958704369124e9d5b7af2e5e1b0df043c687aee35d', '2026-11-25 03:51:55.639131+00', NULL),
	('coma_GlRglPpGBm1xsWyF', 'key_GlRg1wkYMwQKSecq', 'private', false, '\xd77db4e02c8c9888f66bab372d45951da47ffd4b3f326155265f64af6db7b587', 'sk_live_…kV5E', NULL, '\xdd07ca59719fdc043e70d1843c0ce31612f7c85ed35e2606bb49fce3c307c86beb896a858353e5286c60dc031b228b4fea5c78bc9cc9b3a97c8c263d2c5ec78cf4fa49757bfb9eff59425055ccb8546902c3c8', '2026-11-25 03:51:55.639131+00', NULL);

INSERT INTO public.callback_copies VALUES
	('coma_GlRglPpGBm1xsWyF', 'listener', 'msg_GlRgY7ojteIT8YtW', 'cpi_GlRglDq4y41GA9Yb', 'process_pending', '\x7b2264617461223a7b2274797065223a227061796d656e742d696e766f69636573222c226964223a226370695f476c52676c4471347934314741395962222c2261747472696275746573223a7b2273657269616c5f6e756d626572223a22476c52676c4471347934314741395962222c22737461747573223a2270726f636573735f70656e64696e67222c227265736f6c7574696f6e223a226f6b222c226d6f6465726174696f6e5f7265717569726564223a66616c73652c22616d6f756e74223a3130302c227061796d656e745f616d6f756e74223a3130302c2263757272656e6379223a22555344222c22736572766963655f63757272656e6379223a22555344222c227265666572656e63655f6964223a226c6566742d6f70656e222c22746573745f6d6f6465223a747275652c22666565223a302c226465706f736974223a3130302c2270726f636573736564223a6e756c6c2c2270726f6365737365645f616d6f756e74223a6e756c6c2c22726566756e6465645f616d6f756e74223a6e756c6c2c2270726f6365737365645f666565223a6e756c6c2c2270726f6365737365645f6465706f736974223a6e756c6c2c226d65746164617461223a5b5d2c22666c6f775f64617461223a7b22616374696f6e223a22687474703a2f2f676174652e746573742f6870702f6367695f476c52674f6c444763414d3046577249222c226d6574686f64223a22474554222c22706172616d73223a5b5d2c226d65746164617461223a7b22736964223a226367695f476c52674f6c444763414d3046577249222c22746f6b656e223a2265794a30655841694f694a4b563151694c434a68624763694f694a465a45525451534a392e65794a7a615751694f694a6a5a326c66523278535a3039735245646a51553077526c647953534973496d5634634349364d5463354e5455344d4455784e58302e6c4d464b396e3439425364414a542d794749733856413638303966577a49676b68494134534a6979576550797168684f31566f4537427343365f39356230624e786f2d482d4b554a346f457378732d7335504c704341227d7d2c22666c6f77223a22687070222c227061796d656e745f666c6f77223a22636861726765222c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731352c227061796c6f6164223a6e756c6c2c226465736372697074696f6e223a6e756c6c2c2264657363726970746f72223a6e756c6c2c2263616c6c6261636b5f75726c223a6e756c6c2c2272657475726e5f75726c223a6e756c6c2c226f726967696e616c5f64617461223a7b2265787465726e616c5f6964223a6e756c6c2c226d65726368616e745f6964223a6e756c6c2c2270726f76696465725f6964223a6e756c6c2c2265787465726e616c5f6d6964223a226f72675f476c52676c6b47484a49664a7a467a33222c2270726f76696465725f636f6465223a6e756c6c7d2c2272726e223a6e756c6c2c22617070726f76616c5f636f6465223a6e756c6c2c2272657365727665645f616d6f756e74223a6e756c6c2c22726573657276655f65787069726573223a6e756c6c2c22756e7265736572766564223a6e756c6c2c22736f75726365223a226d65726368616e745f617069222c2263616c6c6261636b5f6c6f6773223a5b5d2c226870705f75726c223a22687474703a2f2f3132372e302e302e313a392f6870702f3f6370693d6370695f476c52676c4471347934314741395962222c2272657475726e5f75726c73223a5b5d2c22736572766963655f616d6f756e74223a3130302c227061796d656e745f736572766963655f616d6f756e74223a3130302c2265786368616e67655f72617465223a312c22726566756e646564223a6e756c6c2c22726566756e6465645f666565223a6e756c6c2c226661696c6564223a6e756c6c2c2261726e223a6e756c6c2c22636861726765645f6261636b5f616d6f756e74223a6e756c6c2c22636861726765645f6261636b223a6e756c6c2c227265736f6c7574696f6e5f6d657373616765223a6e756c6c2c22726566756e6473223a5b5d2c227265736572766573223a5b5d7d2c2272656c6174696f6e7368697073223a7b227061796d656e742d73657276696365223a7b2264617461223a7b2274797065223a227061796d656e742d7365727669636573222c226964223a227061796d656e745f636172645f7573645f687070227d7d2c227061796d656e742d6d6574686f64223a7b2264617461223a7b2274797065223a227061796d656e742d6d6574686f6473222c226964223a227061796d656e745f63617264227d7d2c22637573746f6d6572223a7b2264617461223a6e756c6c7d7d2c226c696e6b73223a7b2273656c66223a222f6170692f7061796d656e742d696e766f696365732f6370695f476c52676c4471347934314741395962227d7d2c22696e636c75646564223a5b5d7d', '2026-11-25 03:51:55.953413+00');

INSERT INTO public.callback_listeners VALUES
	('coma_GlRglPpGBm1xsWyF', 'listener', true, '2026-11-25 03:51:55.639131+00', '2026-11-25 03:51:55.639131+00');

INSERT INTO public.callbacks VALUES
	('coma_GlRglPpGBm1xsWyF', 'msg_GlRgY7ojteIT8YtW', 'cpi_GlRglDq4y41GA9Yb', true, 'process_pending', false, 1795578715, 'http://127.0.0.1:9/', '\x7b2264617461223a7b2274797065223a227061796d656e742d696e766f69636573222c226964223a226370695f476c52676c4471347934314741395962222c2261747472696275746573223a7b2273657269616c5f6e756d626572223a22476c52676c4471347934314741395962222c22737461747573223a2270726f636573735f70656e64696e67222c227265736f6c7574696f6e223a226f6b222c226d6f6465726174696f6e5f7265717569726564223a66616c73652c22616d6f756e74223a3130302c227061796d656e745f616d6f756e74223a3130302c2263757272656e6379223a22555344222c22736572766963655f63757272656e6379223a22555344222c227265666572656e63655f6964223a226c6566742d6f70656e222c22746573745f6d6f6465223a747275652c22666565223a302c226465706f736974223a3130302c2270726f636573736564223a6e756c6c2c2270726f6365737365645f616d6f756e74223a6e756c6c2c22726566756e6465645f616d6f756e74223a6e756c6c2c2270726f6365737365645f666565223a6e756c6c2c2270726f6365737365645f6465706f736974223a6e756c6c2c226d65746164617461223a5b5d2c22666c6f775f64617461223a7b22616374696f6e223a22687474703a2f2f676174652e746573742f6870702f6367695f476c52674f6c444763414d3046577249222c226d6574686f64223a22474554222c22706172616d73223a5b5d2c226d65746164617461223a7b22736964223a226367695f476c52674f6c444763414d3046577249222c22746f6b656e223a2265794a30655841694f694a4b563151694c434a68624763694f694a465a45525451534a392e65794a7a615751694f694a6a5a326c66523278535a3039735245646a51553077526c647953534973496d5634634349364d5463354e5455344d4455784e58302e6c4d464b396e3439425364414a542d794749733856413638303966577a49676b68494134534a6979576550797168684f31566f4537427343365f39356230624e786f2d482d4b554a346f457378732d7335504c704341227d7d2c22666c6f77223a22687070222c227061796d656e745f666c6f77223a22636861726765222c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731352c227061796c6f6164223a6e756c6c2c226465736372697074696f6e223a6e756c6c2c2264657363726970746f72223a6e756c6c2c2263616c6c6261636b5f75726c223a6e756c6c2c2272657475726e5f75726c223a6e756c6c2c226f726967696e616c5f64617461223a7b2265787465726e616c5f6964223a6e756c6c2c226d65726368616e745f6964223a6e756c6c2c2270726f76696465725f6964223a6e756c6c2c2265787465726e616c5f6d6964223a226f72675f476c52676c6b47484a49664a7a467a33222c2270726f76696465725f636f6465223a6e756c6c7d2c2272726e223a6e756c6c2c22617070726f76616c5f636f6465223a6e756c6c2c2272657365727665645f616d6f756e74223a6e756c6c2c22726573657276655f65787069726573223a6e756c6c2c22756e7265736572766564223a6e756c6c2c22736f75726365223a226d65726368616e745f617069222c2263616c6c6261636b5f6c6f6773223a5b5d2c226870705f75726c223a22687474703a2f2f3132372e302e302e313a392f6870702f3f6370693d6370695f476c52676c4471347934314741395962222c2272657475726e5f75726c73223a5b5d2c22736572766963655f616d6f756e74223a3130302c227061796d656e745f736572766963655f616d6f756e74223a3130302c2265786368616e67655f72617465223a312c22726566756e646564223a6e756c6c2c22726566756e6465645f666565223a6e756c6c2c226661696c6564223a6e756c6c2c2261726e223a6e756c6c2c22636861726765645f6261636b5f616d6f756e74223a6e756c6c2c22636861726765645f6261636b223a6e756c6c2c227265736f6c7574696f6e5f6d657373616765223a6e756c6c2c22726566756e6473223a5b5d2c227265736572766573223a5b5d7d2c2272656c6174696f6e7368697073223a7b227061796d656e742d73657276696365223a7b2264617461223a7b2274797065223a227061796d656e742d7365727669636573222c226964223a227061796d656e745f636172645f7573645f687070227d7d2c227061796d656e742d6d6574686f64223a7b2264617461223a7b2274797065223a227061796d656e742d6d6574686f6473222c226964223a227061796d656e745f63617264227d7d2c22637573746f6d6572223a7b2264617461223a6e756c6c7d7d2c226c696e6b73223a7b2273656c66223a222f6170692f7061796d656e742d696e766f696365732f6370695f476c52676c4471347934314741395962227d7d2c22696e636c75646564223a5b5d7d', 'pending', 0, '2026-11-25 03:51:55.674971+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.674971+00', NULL),
	('coma_GlRglPpGBm1xsWyF', 'msg_GlRgxiynLSs9YlSQ', 'cpi_GlRgZoepirFUMfmL', true, 'process_pending', false, 1795578715, 'http://127.0.0.1:9/', '\x7b2264617461223a7b2274797065223a227061796d656e742d696e766f69636573222c226964223a226370695f476c52675a6f6570697246554d666d4c222c2261747472696275746573223a7b2273657269616c5f6e756d626572223a22476c52675a6f6570697246554d666d4c222c22737461747573223a2270726f636573735f70656e64696e67222c227265736f6c7574696f6e223a226f6b222c226d6f6465726174696f6e5f7265717569726564223a66616c73652c22616d6f756e74223a3130302c227061796d656e745f616d6f756e74223a3130302c2263757272656e6379223a22555344222c22736572766963655f63757272656e6379223a22555344222c227265666572656e63655f6964223a22706169642d666f72222c22746573745f6d6f6465223a747275652c22666565223a302c226465706f736974223a3130302c2270726f636573736564223a6e756c6c2c2270726f6365737365645f616d6f756e74223a6e756c6c2c22726566756e6465645f616d6f756e74223a6e756c6c2c2270726f6365737365645f666565223a6e756c6c2c2270726f6365737365645f6465706f736974223a6e756c6c2c226d65746164617461223a5b5d2c22666c6f775f64617461223a7b22616374696f6e223a22687474703a2f2f676174652e746573742f6870702f6367695f476c52673776657454494655504c6b55222c226d6574686f64223a22474554222c22706172616d73223a5b5d2c226d65746164617461223a7b22736964223a226367695f476c52673776657454494655504c6b55222c22746f6b656e223a2265794a30655841694f694a4b563151694c434a68624763694f694a465a45525451534a392e65794a7a615751694f694a6a5a326c66523278535a7a64325a58525553555a565545787256534973496d5634634349364d5463354e5455344d4455784e58302e79646f35483755534f5758354f316e6f7874744c504e3775387a6e386e426139735174726755592d31757749426567764657654a45666145576d4a766c564f73486f6a314b77456c4563385f4e596455646b4b414267227d7d2c22666c6f77223a22687070222c227061796d656e745f666c6f77223a22636861726765222c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731352c227061796c6f6164223a6e756c6c2c226465736372697074696f6e223a6e756c6c2c2264657363726970746f72223a6e756c6c2c2263616c6c6261636b5f75726c223a6e756c6c2c2272657475726e5f75726c223a6e756c6c2c226f726967696e616c5f64617461223a7b2265787465726e616c5f6964223a6e756c6c2c226d65726368616e745f6964223a6e756c6c2c2270726f76696465725f6964223a6e756c6c2c2265787465726e616c5f6d6964223a226f72675f476c52676c6b47484a49664a7a467a33222c2270726f76696465725f636f6465223a6e756c6c7d2c2272726e223a6e756c6c2c22617070726f76616c5f636f6465223a6e756c6c2c2272657365727665645f616d6f756e74223a6e756c6c2c22726573657276655f65787069726573223a6e756c6c2c22756e7265736572766564223a6e756c6c2c22736f75726365223a226d65726368616e745f617069222c2263616c6c6261636b5f6c6f6773223a5b5d2c226870705f75726c223a22687474703a2f2f3132372e302e302e313a392f6870702f3f6370693d6370695f476c52675a6f6570697246554d666d4c222c2272657475726e5f75726c73223a5b5d2c22736572766963655f616d6f756e74223a3130302c227061796d656e745f736572766963655f616d6f756e74223a3130302c2265786368616e67655f72617465223a312c22726566756e646564223a6e756c6c2c22726566756e6465645f666565223a6e756c6c2c226661696c6564223a6e756c6c2c2261726e223a6e756c6c2c22636861726765645f6261636b5f616d6f756e74223a6e756c6c2c22636861726765645f6261636b223a6e756c6c2c227265736f6c7574696f6e5f6d657373616765223a6e756c6c2c22726566756e6473223a5b5d2c227265736572766573223a5b5d7d2c2272656c6174696f6e7368697073223a7b227061796d656e742d73657276696365223a7b2264617461223a7b2274797065223a227061796d656e742d7365727669636573222c226964223a227061796d656e745f636172645f7573645f687070227d7d2c227061796d656e742d6d6574686f64223a7b2264617461223a7b2274797065223a227061796d656e742d6d6574686f6473222c226964223a227061796d656e745f63617264227d7d2c22637573746f6d6572223a7b2264617461223a6e756c6c7d7d2c226c696e6b73223a7b2273656c66223a222f6170692f7061796d656e742d696e766f696365732f6370695f476c52675a6f6570697246554d666d4c227d7d2c22696e636c75646564223a5b5d7d', 'pending', 0, '2026-11-25 03:51:55.681127+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.681127+00', NULL),
	('coma_GlRglPpGBm1xsWyF', 'msg_GlRg3jiRfu4iqi3W', 'cpi_GlRgZoepirFUMfmL', true, 'processed', true, 1795578716, 'http://127.0.0.1:9/', '\x7b2264617461223a7b2274797065223a227061796d656e742d696e766f69636573222c226964223a226370695f476c52675a6f6570697246554d666d4c222c2261747472696275746573223a7b2273657269616c5f6e756d626572223a22476c52675a6f6570697246554d666d4c222c22737461747573223a2270726f636573736564222c227265736f6c7574696f6e223a226f6b222c226d6f6465726174696f6e5f7265717569726564223a66616c73652c22616d6f756e74223a3130302c227061796d656e745f616d6f756e74223a3130302c2263757272656e6379223a22555344222c22736572766963655f63757272656e6379223a22555344222c227265666572656e63655f6964223a22706169642d666f72222c22746573745f6d6f6465223a747275652c22666565223a302c226465706f736974223a3130302c2270726f636573736564223a313739353537383731352c2270726f6365737365645f616d6f756e74223a3130302c22726566756e6465645f616d6f756e74223a6e756c6c2c2270726f6365737365645f666565223a302c2270726f6365737365645f6465706f736974223a3130302c226d65746164617461223a5b5d2c22666c6f775f64617461223a7b22616374696f6e223a22687474703a2f2f676174652e746573742f6870702f6367695f476c52673776657454494655504c6b55222c226d6574686f64223a22474554222c22706172616d73223a5b5d2c226d65746164617461223a7b22736964223a226367695f476c52673776657454494655504c6b55222c22746f6b656e223a2265794a30655841694f694a4b563151694c434a68624763694f694a465a45525451534a392e65794a7a615751694f694a6a5a326c66523278535a7a64325a58525553555a565545787256534973496d5634634349364d5463354e5455344d4455784e58302e79646f35483755534f5758354f316e6f7874744c504e3775387a6e386e426139735174726755592d31757749426567764657654a45666145576d4a766c564f73486f6a314b77456c4563385f4e596455646b4b414267227d7d2c22666c6f77223a22687070222c227061796d656e745f666c6f77223a22636861726765222c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731362c227061796c6f6164223a7b22746f6b656e223a6e756c6c2c22636c69656e745f6970223a223139322e302e322e31222c227061796d656e745f63617264223a7b226c617374223a2230303030222c226d61736b223a223535313932382a2a2a2a2a2a30303030222c226272616e64223a226d617374657263617264222c226669727374223a22353531393238222c22686f6c646572223a6e756c6c2c226e6574776f726b223a226d617374657263617264222c226578706972795f79656172223a223330222c226973737565725f6e616d65223a224b4153534120544553542042414e4b222c226578706972795f6d6f6e7468223a223132222c226973737565725f636f756e747279223a225553227d7d2c226465736372697074696f6e223a6e756c6c2c2264657363726970746f72223a6e756c6c2c2263616c6c6261636b5f75726c223a6e756c6c2c2272657475726e5f75726c223a6e756c6c2c226f726967696e616c5f64617461223a7b2265787465726e616c5f6964223a226367695f476c52673776657454494655504c6b55222c226d65726368616e745f6964223a22686f737432686f737454657374222c2270726f76696465725f6964223a223737623238626361393761353234373033636533222c2265787465726e616c5f6d6964223a226f72675f476c52676c6b47484a49664a7a467a33222c2270726f76696465725f636f6465223a2274657374227d2c2272726e223a22373030303030303030303031222c22617070726f76616c5f636f6465223a22425a55334251222c2272657365727665645f616d6f756e74223a31302c22726573657276655f65787069726573223a313739353538323331352c22756e7265736572766564223a6e756c6c2c22736f75726365223a226d65726368616e745f617069222c2263616c6c6261636b5f6c6f6773223a5b5d2c226870705f75726c223a22687474703a2f2f3132372e302e302e313a392f6870702f3f6370693d6370695f476c52675a6f6570697246554d666d4c222c2272657475726e5f75726c73223a5b5d2c22736572766963655f616d6f756e74223a3130302c227061796d656e745f736572766963655f616d6f756e74223a3130302c2265786368616e67655f72617465223a312c22726566756e646564223a6e756c6c2c22726566756e6465645f666565223a6e756c6c2c226661696c6564223a6e756c6c2c2261726e223a6e756c6c2c22636861726765645f6261636b5f616d6f756e74223a6e756c6c2c22636861726765645f6261636b223a6e756c6c2c227265736f6c7574696f6e5f6d657373616765223a6e756c6c2c22726566756e6473223a5b5d2c227265736572766573223a5b7b22616d6f756e74223a31302c226c656674223a31302c2265787069726573223a313739353538323331352c22756e7265736572766564223a6e756c6c7d5d7d2c2272656c6174696f6e7368697073223a7b227061796d656e742d73657276696365223a7b2264617461223a7b2274797065223a227061796d656e742d7365727669636573222c226964223a227061796d656e745f636172645f7573645f687070227d7d2c227061796d656e742d6d6574686f64223a7b2264617461223a7b2274797065223a227061796d656e742d6d6574686f6473222c226964223a227061796d656e745f63617264227d7d2c22637573746f6d6572223a7b2264617461223a6e756c6c7d7d2c226c696e6b73223a7b2273656c66223a222f6170692f7061796d656e742d696e766f696365732f6370695f476c52675a6f6570697246554d666d4c227d7d2c22696e636c75646564223a5b5d7d', 'pending', 0, '2026-11-25 03:51:55.733554+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.733554+00', NULL),
	('coma_GlRglPpGBm1xsWyF', 'msg_GlRgy5Bj0SDxNnJw', 'cpi_GlRgZoepirFUMfmL', true, 'refunding', false, 1795578717, 'http://127.0.0.1:9/', '\x7b2264617461223a7b2274797065223a227061796d656e742d696e766f69636573222c226964223a226370695f476c52675a6f6570697246554d666d4c222c2261747472696275746573223a7b2273657269616c5f6e756d626572223a22476c52675a6f6570697246554d666d4c222c22737461747573223a22726566756e64696e67222c227265736f6c7574696f6e223a226f6b222c226d6f6465726174696f6e5f7265717569726564223a66616c73652c22616d6f756e74223a3130302c227061796d656e745f616d6f756e74223a3130302c2263757272656e6379223a22555344222c22736572766963655f63757272656e6379223a22555344222c227265666572656e63655f6964223a22706169642d666f72222c22746573745f6d6f6465223a747275652c22666565223a302c226465706f736974223a3130302c2270726f636573736564223a313739353537383731352c2270726f6365737365645f616d6f756e74223a3130302c22726566756e6465645f616d6f756e74223a6e756c6c2c2270726f6365737365645f666565223a302c2270726f6365737365645f6465706f736974223a3130302c226d65746164617461223a5b5d2c22666c6f775f64617461223a7b22616374696f6e223a22687474703a2f2f676174652e746573742f6870702f6367695f476c52673776657454494655504c6b55222c226d6574686f64223a22474554222c22706172616d73223a5b5d2c226d65746164617461223a7b22736964223a226367695f476c52673776657454494655504c6b55222c22746f6b656e223a2265794a30655841694f694a4b563151694c434a68624763694f694a465a45525451534a392e65794a7a615751694f694a6a5a326c66523278535a7a64325a58525553555a565545787256534973496d5634634349364d5463354e5455344d4455784e58302e79646f35483755534f5758354f316e6f7874744c504e3775387a6e386e426139735174726755592d31757749426567764657654a45666145576d4a766c564f73486f6a314b77456c4563385f4e596455646b4b414267227d7d2c22666c6f77223a22687070222c227061796d656e745f666c6f77223a22636861726765222c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731372c227061796c6f6164223a7b22746f6b656e223a6e756c6c2c22636c69656e745f6970223a223139322e302e322e31222c227061796d656e745f63617264223a7b226c617374223a2230303030222c226d61736b223a223535313932382a2a2a2a2a2a30303030222c226272616e64223a226d617374657263617264222c226669727374223a22353531393238222c22686f6c646572223a6e756c6c2c226e6574776f726b223a226d617374657263617264222c226578706972795f79656172223a223330222c226973737565725f6e616d65223a224b4153534120544553542042414e4b222c226578706972795f6d6f6e7468223a223132222c226973737565725f636f756e747279223a225553227d7d2c226465736372697074696f6e223a6e756c6c2c2264657363726970746f72223a6e756c6c2c2263616c6c6261636b5f75726c223a6e756c6c2c2272657475726e5f75726c223a6e756c6c2c226f726967696e616c5f64617461223a7b2265787465726e616c5f6964223a226367695f476c52673776657454494655504c6b55222c226d65726368616e745f6964223a22686f737432686f737454657374222c2270726f76696465725f6964223a223737623238626361393761353234373033636533222c2265787465726e616c5f6d6964223a226f72675f476c52676c6b47484a49664a7a467a33222c2270726f76696465725f636f6465223a2274657374227d2c2272726e223a22373030303030303030303031222c22617070726f76616c5f636f6465223a22425a55334251222c2272657365727665645f616d6f756e74223a31302c22726573657276655f65787069726573223a313739353538323331352c22756e7265736572766564223a6e756c6c2c22736f75726365223a226d65726368616e745f617069222c2263616c6c6261636b5f6c6f6773223a5b5d2c226870705f75726c223a22687474703a2f2f3132372e302e302e313a392f6870702f3f6370693d6370695f476c52675a6f6570697246554d666d4c222c2272657475726e5f75726c73223a5b5d2c22736572766963655f616d6f756e74223a3130302c227061796d656e745f736572766963655f616d6f756e74223a3130302c2265786368616e67655f72617465223a312c22726566756e646564223a6e756c6c2c22726566756e6465645f666565223a6e756c6c2c226661696c6564223a6e756c6c2c2261726e223a6e756c6c2c22636861726765645f6261636b5f616d6f756e74223a6e756c6c2c22636861726765645f6261636b223a6e756c6c2c227265736f6c7574696f6e5f6d657373616765223a6e756c6c2c22726566756e6473223a5b7b226964223a227265665f476c526772666e4a6431427444354670222c227265666572656e63655f6964223a2263393839636137372d393732302d343961662d626235622d306131386465336561613536222c22616d6f756e74223a312c2263757272656e6379223a22555344222c22726566756e6465645f616d6f756e74223a6e756c6c2c22666565223a6e756c6c2c22737461747573223a22726566756e645f70656e64696e67222c227265736f6c7574696f6e223a226f6b222c226465736372697074696f6e223a6e756c6c2c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731357d5d2c227265736572766573223a5b7b22616d6f756e74223a31302c226c656674223a392c2265787069726573223a313739353538323331352c22756e7265736572766564223a6e756c6c7d5d7d2c2272656c6174696f6e7368697073223a7b227061796d656e742d73657276696365223a7b2264617461223a7b2274797065223a227061796d656e742d7365727669636573222c226964223a227061796d656e745f636172645f7573645f687070227d7d2c227061796d656e742d6d6574686f64223a7b2264617461223a7b2274797065223a227061796d656e742d6d6574686f6473222c226964223a227061796d656e745f63617264227d7d2c22637573746f6d6572223a7b2264617461223a6e756c6c7d7d2c226c696e6b73223a7b2273656c66223a222f6170692f7061796d656e742d696e766f696365732f6370695f476c52675a6f6570697246554d666d4c227d7d2c22696e636c75646564223a5b5d7d', 'pending', 0, '2026-11-25 03:51:55.74322+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.74322+00', NULL),
	('coma_GlRglPpGBm1xsWyF', 'msg_GlRgZKMQUIl5sDVd', 'cpi_GlRgZoepirFUMfmL', true, 'partially_refunded', true, 1795578718, 'http://127.0.0.1:9/', '\x7b2264617461223a7b2274797065223a227061796d656e742d696e766f69636573222c226964223a226370695f476c52675a6f6570697246554d666d4c222c2261747472696275746573223a7b2273657269616c5f6e756d626572223a22476c52675a6f6570697246554d666d4c222c22737461747573223a227061727469616c6c795f726566756e646564222c227265736f6c7574696f6e223a226f6b222c226d6f6465726174696f6e5f7265717569726564223a66616c73652c22616d6f756e74223a3130302c227061796d656e745f616d6f756e74223a3130302c2263757272656e6379223a22555344222c22736572766963655f63757272656e6379223a22555344222c227265666572656e63655f6964223a22706169642d666f72222c22746573745f6d6f6465223a747275652c22666565223a302c226465706f736974223a3130302c2270726f636573736564223a313739353537383731352c2270726f6365737365645f616d6f756e74223a3130302c22726566756e6465645f616d6f756e74223a312c2270726f6365737365645f666565223a302c2270726f6365737365645f6465706f736974223a3130302c226d65746164617461223a5b5d2c22666c6f775f64617461223a7b22616374696f6e223a22687474703a2f2f676174652e746573742f6870702f6367695f476c52673776657454494655504c6b55222c226d6574686f64223a22474554222c22706172616d73223a5b5d2c226d65746164617461223a7b22736964223a226367695f476c52673776657454494655504c6b55222c22746f6b656e223a2265794a30655841694f694a4b563151694c434a68624763694f694a465a45525451534a392e65794a7a615751694f694a6a5a326c66523278535a7a64325a58525553555a565545787256534973496d5634634349364d5463354e5455344d4455784e58302e79646f35483755534f5758354f316e6f7874744c504e3775387a6e386e426139735174726755592d31757749426567764657654a45666145576d4a766c564f73486f6a314b77456c4563385f4e596455646b4b414267227d7d2c22666c6f77223a22687070222c227061796d656e745f666c6f77223a22636861726765222c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731382c227061796c6f6164223a7b22746f6b656e223a6e756c6c2c22636c69656e745f6970223a223139322e302e322e31222c227061796d656e745f63617264223a7b226c617374223a2230303030222c226d61736b223a223535313932382a2a2a2a2a2a30303030222c226272616e64223a226d617374657263617264222c226669727374223a22353531393238222c22686f6c646572223a6e756c6c2c226e6574776f726b223a226d617374657263617264222c226578706972795f79656172223a223330222c226973737565725f6e616d65223a224b4153534120544553542042414e4b222c226578706972795f6d6f6e7468223a223132222c226973737565725f636f756e747279223a225553227d7d2c226465736372697074696f6e223a6e756c6c2c2264657363726970746f72223a6e756c6c2c2263616c6c6261636b5f75726c223a6e756c6c2c2272657475726e5f75726c223a6e756c6c2c226f726967696e616c5f64617461223a7b2265787465726e616c5f6964223a226367695f476c52673776657454494655504c6b55222c226d65726368616e745f6964223a22686f737432686f737454657374222c2270726f76696465725f6964223a223737623238626361393761353234373033636533222c2265787465726e616c5f6d6964223a226f72675f476c52676c6b47484a49664a7a467a33222c2270726f76696465725f636f6465223a2274657374227d2c2272726e223a22373030303030303030303031222c22617070726f76616c5f636f6465223a22425a55334251222c2272657365727665645f616d6f756e74223a31302c22726573657276655f65787069726573223a313739353538323331352c22756e7265736572766564223a6e756c6c2c22736f75726365223a226d65726368616e745f617069222c2263616c6c6261636b5f6c6f6773223a5b5d2c226870705f75726c223a22687474703a2f2f3132372e302e302e313a392f6870702f3f6370693d6370695f476c52675a6f6570697246554d666d4c222c2272657475726e5f75726c73223a5b5d2c22736572766963655f616d6f756e74223a3130302c227061796d656e745f736572766963655f616d6f756e74223a3130302c2265786368616e67655f72617465223a312c22726566756e646564223a313739353537383731352c22726566756e6465645f666565223a302c226661696c6564223a6e756c6c2c2261726e223a6e756c6c2c22636861726765645f6261636b5f616d6f756e74223a6e756c6c2c22636861726765645f6261636b223a6e756c6c2c227265736f6c7574696f6e5f6d657373616765223a6e756c6c2c22726566756e6473223a5b7b226964223a227265665f476c526772666e4a6431427444354670222c227265666572656e63655f6964223a2263393839636137372d393732302d343961662d626235622d306131386465336561613536222c22616d6f756e74223a312c2263757272656e6379223a22555344222c22726566756e6465645f616d6f756e74223a312c22666565223a302c22737461747573223a22726566756e646564222c227265736f6c7574696f6e223a226f6b222c226465736372697074696f6e223a6e756c6c2c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731357d5d2c227265736572766573223a5b7b22616d6f756e74223a31302c226c656674223a392c2265787069726573223a313739353538323331352c22756e7265736572766564223a6e756c6c7d5d7d2c2272656c6174696f6e7368697073223a7b227061796d656e742d73657276696365223a7b2264617461223a7b2274797065223a227061796d656e742d7365727669636573222c226964223a227061796d656e745f636172645f7573645f687070227d7d2c227061796d656e742d6d6574686f64223a7b2264617461223a7b2274797065223a227061796d656e742d6d6574686f6473222c226964223a227061796d656e745f63617264227d7d2c22637573746f6d6572223a7b2264617461223a6e756c6c7d7d2c226c696e6b73223a7b2273656c66223a222f6170692f7061796d656e742d696e766f696365732f6370695f476c52675a6f6570697246554d666d4c227d7d2c22696e636c75646564223a5b5d7d', 'pending', 0, '2026-11-25 03:51:55.75318+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.75318+00', NULL),
	('coma_GlRglPpGBm1xsWyF', 'msg_GlRgg9q7W1NT1Lde', 'cpi_GlRgZoepirFUMfmL', true, 'refunding', false, 1795578719, 'http://127.0.0.1:9/', '\x7b2264617461223a7b2274797065223a227061796d656e742d696e766f69636573222c226964223a226370695f476c52675a6f6570697246554d666d4c222c2261747472696275746573223a7b2273657269616c5f6e756d626572223a22476c52675a6f6570697246554d666d4c222c22737461747573223a22726566756e64696e67222c227265736f6c7574696f6e223a226f6b222c226d6f6465726174696f6e5f7265717569726564223a66616c73652c22616d6f756e74223a3130302c227061796d656e745f616d6f756e74223a3130302c2263757272656e6379223a22555344222c22736572766963655f63757272656e6379223a22555344222c227265666572656e63655f6964223a22706169642d666f72222c22746573745f6d6f6465223a747275652c22666565223a302c226465706f736974223a3130302c2270726f636573736564223a313739353537383731352c2270726f6365737365645f616d6f756e74223a3130302c22726566756e6465645f616d6f756e74223a312c2270726f6365737365645f666565223a302c2270726f6365737365645f6465706f736974223a3130302c226d65746164617461223a5b5d2c22666c6f775f64617461223a7b22616374696f6e223a22687474703a2f2f676174652e746573742f6870702f6367695f476c52673776657454494655504c6b55222c226d6574686f64223a22474554222c22706172616d73223a5b5d2c226d65746164617461223a7b22736964223a226367695f476c52673776657454494655504c6b55222c22746f6b656e223a2265794a30655841694f694a4b563151694c434a68624763694f694a465a45525451534a392e65794a7a615751694f694a6a5a326c66523278535a7a64325a58525553555a565545787256534973496d5634634349364d5463354e5455344d4455784e58302e79646f35483755534f5758354f316e6f7874744c504e3775387a6e386e426139735174726755592d31757749426567764657654a45666145576d4a766c564f73486f6a314b77456c4563385f4e596455646b4b414267227d7d2c22666c6f77223a22687070222c227061796d656e745f666c6f77223a22636861726765222c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731392c227061796c6f6164223a7b22746f6b656e223a6e756c6c2c22636c69656e745f6970223a223139322e302e322e31222c227061796d656e745f63617264223a7b226c617374223a2230303030222c226d61736b223a223535313932382a2a2a2a2a2a30303030222c226272616e64223a226d617374657263617264222c226669727374223a22353531393238222c22686f6c646572223a6e756c6c2c226e6574776f726b223a226d617374657263617264222c226578706972795f79656172223a223330222c226973737565725f6e616d65223a224b4153534120544553542042414e4b222c226578706972795f6d6f6e7468223a223132222c226973737565725f636f756e747279223a225553227d7d2c226465736372697074696f6e223a6e756c6c2c2264657363726970746f72223a6e756c6c2c2263616c6c6261636b5f75726c223a6e756c6c2c2272657475726e5f75726c223a6e756c6c2c226f726967696e616c5f64617461223a7b2265787465726e616c5f6964223a226367695f476c52673776657454494655504c6b55222c226d65726368616e745f6964223a22686f737432686f737454657374222c2270726f76696465725f6964223a223737623238626361393761353234373033636533222c2265787465726e616c5f6d6964223a226f72675f476c52676c6b47484a49664a7a467a33222c2270726f76696465725f636f6465223a2274657374227d2c2272726e223a22373030303030303030303031222c22617070726f76616c5f636f6465223a22425a55334251222c2272657365727665645f616d6f756e74223a31302c22726573657276655f65787069726573223a313739353538323331352c22756e7265736572766564223a6e756c6c2c22736f75726365223a226d65726368616e745f617069222c2263616c6c6261636b5f6c6f6773223a5b5d2c226870705f75726c223a22687474703a2f2f3132372e302e302e313a392f6870702f3f6370693d6370695f476c52675a6f6570697246554d666d4c222c2272657475726e5f75726c73223a5b5d2c22736572766963655f616d6f756e74223a3130302c227061796d656e745f736572766963655f616d6f756e74223a3130302c2265786368616e67655f72617465223a312c22726566756e646564223a313739353537383731352c22726566756e6465645f666565223a302c226661696c6564223a6e756c6c2c2261726e223a6e756c6c2c22636861726765645f6261636b5f616d6f756e74223a6e756c6c2c22636861726765645f6261636b223a6e756c6c2c227265736f6c7574696f6e5f6d657373616765223a6e756c6c2c22726566756e6473223a5b7b226964223a227265665f476c526772666e4a6431427444354670222c227265666572656e63655f6964223a2263393839636137372d393732302d343961662d626235622d306131386465336561613536222c22616d6f756e74223a312c2263757272656e6379223a22555344222c22726566756e6465645f616d6f756e74223a312c22666565223a302c22737461747573223a22726566756e646564222c227265736f6c7574696f6e223a226f6b222c226465736372697074696f6e223a6e756c6c2c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731357d2c7b226964223a227265665f476c526749693832427972774c673476222c227265666572656e63655f6964223a2235633734323433312d373837372d346532362d393931332d646566386263666339373735222c22616d6f756e74223a322c2263757272656e6379223a22555344222c22726566756e6465645f616d6f756e74223a6e756c6c2c22666565223a6e756c6c2c22737461747573223a22726566756e645f70656e64696e67222c227265736f6c7574696f6e223a226f6b222c226465736372697074696f6e223a6e756c6c2c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731357d5d2c227265736572766573223a5b7b22616d6f756e74223a31302c226c656674223a372c2265787069726573223a313739353538323331352c22756e7265736572766564223a6e756c6c7d5d7d2c2272656c6174696f6e7368697073223a7b227061796d656e742d73657276696365223a7b2264617461223a7b2274797065223a227061796d656e742d7365727669636573222c226964223a227061796d656e745f636172645f7573645f687070227d7d2c227061796d656e742d6d6574686f64223a7b2264617461223a7b2274797065223a227061796d656e742d6d6574686f6473222c226964223a227061796d656e745f63617264227d7d2c22637573746f6d6572223a7b2264617461223a6e756c6c7d7d2c226c696e6b73223a7b2273656c66223a222f6170692f7061796d656e742d696e766f696365732f6370695f476c52675a6f6570697246554d666d4c227d7d2c22696e636c75646564223a5b5d7d', 'pending', 0, '2026-11-25 03:51:55.768721+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.768721+00', NULL),
	('coma_GlRglPpGBm1xsWyF', 'msg_GlRgEjE1xgPY6liL', 'cpi_GlRgZoepirFUMfmL', true, 'partially_refunded', true, 1795578720, 'http://127.0.0.1:9/', '\x7b2264617461223a7b2274797065223a227061796d656e742d696e766f69636573222c226964223a226370695f476c52675a6f6570697246554d666d4c222c2261747472696275746573223a7b2273657269616c5f6e756d626572223a22476c52675a6f6570697246554d666d4c222c22737461747573223a227061727469616c6c795f726566756e646564222c227265736f6c7574696f6e223a226f6b222c226d6f6465726174696f6e5f7265717569726564223a66616c73652c22616d6f756e74223a3130302c227061796d656e745f616d6f756e74223a3130302c2263757272656e6379223a22555344222c22736572766963655f63757272656e6379223a22555344222c227265666572656e63655f6964223a22706169642d666f72222c22746573745f6d6f6465223a747275652c22666565223a302c226465706f736974223a3130302c2270726f636573736564223a313739353537383731352c2270726f6365737365645f616d6f756e74223a3130302c22726566756e6465645f616d6f756e74223a332c2270726f6365737365645f666565223a302c2270726f6365737365645f6465706f736974223a3130302c226d65746164617461223a5b5d2c22666c6f775f64617461223a7b22616374696f6e223a22687474703a2f2f676174652e746573742f6870702f6367695f476c52673776657454494655504c6b55222c226d6574686f64223a22474554222c22706172616d73223a5b5d2c226d65746164617461223a7b22736964223a226367695f476c52673776657454494655504c6b55222c22746f6b656e223a2265794a30655841694f694a4b563151694c434a68624763694f694a465a45525451534a392e65794a7a615751694f694a6a5a326c66523278535a7a64325a58525553555a565545787256534973496d5634634349364d5463354e5455344d4455784e58302e79646f35483755534f5758354f316e6f7874744c504e3775387a6e386e426139735174726755592d31757749426567764657654a45666145576d4a766c564f73486f6a314b77456c4563385f4e596455646b4b414267227d7d2c22666c6f77223a22687070222c227061796d656e745f666c6f77223a22636861726765222c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383732302c227061796c6f6164223a7b22746f6b656e223a6e756c6c2c22636c69656e745f6970223a223139322e302e322e31222c227061796d656e745f63617264223a7b226c617374223a2230303030222c226d61736b223a223535313932382a2a2a2a2a2a30303030222c226272616e64223a226d617374657263617264222c226669727374223a22353531393238222c22686f6c646572223a6e756c6c2c226e6574776f726b223a226d617374657263617264222c226578706972795f79656172223a223330222c226973737565725f6e616d65223a224b4153534120544553542042414e4b222c226578706972795f6d6f6e7468223a223132222c226973737565725f636f756e747279223a225553227d7d2c226465736372697074696f6e223a6e756c6c2c2264657363726970746f72223a6e756c6c2c2263616c6c6261636b5f75726c223a6e756c6c2c2272657475726e5f75726c223a6e756c6c2c226f726967696e616c5f64617461223a7b2265787465726e616c5f6964223a226367695f476c52673776657454494655504c6b55222c226d65726368616e745f6964223a22686f737432686f737454657374222c2270726f76696465725f6964223a223737623238626361393761353234373033636533222c2265787465726e616c5f6d6964223a226f72675f476c52676c6b47484a49664a7a467a33222c2270726f76696465725f636f6465223a2274657374227d2c2272726e223a22373030303030303030303031222c22617070726f76616c5f636f6465223a22425a55334251222c2272657365727665645f616d6f756e74223a31302c22726573657276655f65787069726573223a313739353538323331352c22756e7265736572766564223a6e756c6c2c22736f75726365223a226d65726368616e745f617069222c2263616c6c6261636b5f6c6f6773223a5b5d2c226870705f75726c223a22687474703a2f2f3132372e302e302e313a392f6870702f3f6370693d6370695f476c52675a6f6570697246554d666d4c222c2272657475726e5f75726c73223a5b5d2c22736572766963655f616d6f756e74223a3130302c227061796d656e745f736572766963655f616d6f756e74223a3130302c2265786368616e67655f72617465223a312c22726566756e646564223a313739353537383731352c22726566756e6465645f666565223a302c226661696c6564223a6e756c6c2c2261726e223a6e756c6c2c22636861726765645f6261636b5f616d6f756e74223a6e756c6c2c22636861726765645f6261636b223a6e756c6c2c227265736f6c7574696f6e5f6d657373616765223a6e756c6c2c22726566756e6473223a5b7b226964223a227265665f476c526772666e4a6431427444354670222c227265666572656e63655f6964223a2263393839636137372d393732302d343961662d626235622d306131386465336561613536222c22616d6f756e74223a312c2263757272656e6379223a22555344222c22726566756e6465645f616d6f756e74223a312c22666565223a302c22737461747573223a22726566756e646564222c227265736f6c7574696f6e223a226f6b222c226465736372697074696f6e223a6e756c6c2c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731357d2c7b226964223a227265665f476c526749693832427972774c673476222c227265666572656e63655f6964223a2235633734323433312d373837372d346532362d393931332d646566386263666339373735222c22616d6f756e74223a322c2263757272656e6379223a22555344222c22726566756e6465645f616d6f756e74223a322c22666565223a302c22737461747573223a22726566756e646564222c227265736f6c7574696f6e223a226f6b222c226465736372697074696f6e223a6e756c6c2c2263726561746564223a313739353537383731352c2275706461746564223a313739353537383731357d5d2c227265736572766573223a5b7b22616d6f756e74223a31302c226c656674223a372c2265787069726573223a313739353538323331352c22756e7265736572766564223a6e756c6c7d5d7d2c2272656c6174696f6e7368697073223a7b227061796d656e742d73657276696365223a7b2264617461223a7b2274797065223a227061796d656e742d7365727669636573222c226964223a227061796d656e745f636172645f7573645f687070227d7d2c227061796d656e742d6d6574686f64223a7b2264617461223a7b2274797065223a227061796d656e742d6d6574686f6473222c226964223a227061796d656e745f63617264227d7d2c22637573746f6d6572223a7b2264617461223a6e756c6c7d7d2c226c696e6b73223a7b2273656c66223a222f6170692f7061796d656e742d696e766f696365732f6370695f476c52675a6f6570697246554d666d4c227d7d2c22696e636c75646564223a5b5d7d', 'pending', 0, '2026-11-25 03:51:55.77833+00', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.77833+00', NULL);

INSERT INTO public.currencies VALUES
	('DOGE', 8, '{"en": "Dogecoin"}', 'crypto');

INSERT INTO public.customers VALUES
	('coma_GlRglPpGBm1xsWyF', 'cus_GlRg000000000000', true, 'customer', 'Ann', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.639131+00', '2026-11-25 03:51:55.639131+00');

INSERT INTO public.discrepancies VALUES
	('coma_GlRglPpGBm1xsWyF', 'discrepancy', 'ma_GlRg3RKuFEcSutFy', true, 'missing_there', 'purchase', '', '77b28bca97a524703ce3', 'pay_GlRgCQgUTj3REXqN', '{}', NULL, '2026-11-25 03:51:55.690711+00', '2026-11-25 03:51:55.690711+00', '2026-11-25 03:51:55.690711+00', NULL, NULL);

INSERT INTO public.disputes VALUES
	('coma_GlRglPpGBm1xsWyF', 'dis_1', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', true, 1, NULL, 'won', 'fraud', 1, 'USD', 1, 'USD', 1, false, 0, 0, 0, true, NULL, '2026-11-25 03:51:55.690711+00', '2026-11-25 03:51:55.690711+00', '2026-11-25 03:51:55.690711+00');

INSERT INTO public.exchange_rates VALUES
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'AUD', 1.5904, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'BRL', 6.0692, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'CAD', 1.5606, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'CHF', 0.9194, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'CNY', 7.4326, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'CZK', 24.353, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'DKK', 7.4735, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'GBP', 0.83380, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'HKD', 8.7652, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'HUF', 366.33, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'IDR', 20275.17, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'ILS', 3.4950, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'INR', 106.0840, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'ISK', 136.00, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'JPY', 175.68, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'KRW', 1491.76, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'MXN', 21.1237, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'MYR', 4.5325, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'NOK', 10.3120, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'NZD', 1.9823, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'PHP', 71.143, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'PLN', 4.4038, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'RON', 5.3447, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'SEK', 10.9780, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'SGD', 1.4282, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'THB', 37.683, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'TRY', 55.8015, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'USD', 1.1172, NULL, '2026-11-25 03:51:55.579168+00'),
	('ecb', '2026-10-30 00:00:00+00', 'EUR', 'ZAR', 18.6455, NULL, '2026-11-25 03:51:55.579168+00'),
	('manual', '2026-01-01 00:00:00+00', 'EUR', 'USD', 1.1, NULL, '2026-01-01 00:00:00+00');

INSERT INTO public.idempotency_keys VALUES
	('coma_GlRglPpGBm1xsWyF', 'key', '\x1f58b9145b24d108d7ac38887338b3ea3229833b9c1e418250343f907bfd1047', 'serial', 200, '\x7b7d', '2026-11-25 03:51:55.639131+00', '2026-11-25 03:51:55.639131+00');

INSERT INTO public.invoice_events VALUES
	('coma_GlRglPpGBm1xsWyF', 'cpi_GlRglDq4y41GA9Yb', 1, '2026-11-25 03:51:55.674971+00', 'process_pending', 'ok', 'invoice.created', 'merchant', '{"source":"merchant_api"}'),
	('coma_GlRglPpGBm1xsWyF', 'cpi_GlRgZoepirFUMfmL', 1, '2026-11-25 03:51:55.681127+00', 'process_pending', 'ok', 'invoice.created', 'merchant', '{"source":"merchant_api"}'),
	('coma_GlRglPpGBm1xsWyF', 'cpi_GlRgZoepirFUMfmL', 2, '2026-11-25 03:51:55.690711+00', 'process_pending', 'ok', 'attempt.started', 'payer', '{"payment_id":"pay_GlRgCQgUTj3REXqN","attempt":1,"provider":"test","status":"process_pending","resolution":"ok","amount":10000,"currency":"USD"}'),
	('coma_GlRglPpGBm1xsWyF', 'cpi_GlRgZoepirFUMfmL', 3, '2026-11-25 03:51:55.733554+00', 'processed', 'ok', 'invoice.paid', 'provider', '{"payment_id":"pay_GlRgCQgUTj3REXqN","attempt":1,"provider":"test","status":"processed","resolution":"ok","amount":10000,"currency":"USD","external_id":"77b28bca97a524703ce3"}'),
	('coma_GlRglPpGBm1xsWyF', 'cpi_GlRgZoepirFUMfmL', 4, '2026-11-25 03:51:55.74322+00', 'refunding', 'ok', 'refund.started', 'merchant', '{"refund_id":"ref_GlRgrfnJd1BtD5Fp","payment_id":"pay_GlRgCQgUTj3REXqN","reason":"requested","amount":100,"currency":"USD","resolution":"ok"}'),
	('coma_GlRglPpGBm1xsWyF', 'cpi_GlRgZoepirFUMfmL', 5, '2026-11-25 03:51:55.75318+00', 'partially_refunded', 'ok', 'refund.succeeded', 'provider', '{"refund_id":"ref_GlRgrfnJd1BtD5Fp","payment_id":"pay_GlRgCQgUTj3REXqN","reason":"requested","amount":100,"currency":"USD","resolution":"ok"}'),
	('coma_GlRglPpGBm1xsWyF', 'cpi_GlRgZoepirFUMfmL', 6, '2026-11-25 03:51:55.768721+00', 'refunding', 'ok', 'refund.started', 'merchant', '{"refund_id":"ref_GlRgIi82ByrwLg4v","payment_id":"pay_GlRgCQgUTj3REXqN","reason":"requested","amount":200,"currency":"USD","resolution":"ok"}'),
	('coma_GlRglPpGBm1xsWyF', 'cpi_GlRgZoepirFUMfmL', 7, '2026-11-25 03:51:55.77833+00', 'partially_refunded', 'ok', 'refund.succeeded', 'provider', '{"refund_id":"ref_GlRgIi82ByrwLg4v","payment_id":"pay_GlRgCQgUTj3REXqN","reason":"requested","amount":200,"currency":"USD","resolution":"ok"}');

INSERT INTO public.invoices VALUES
	('coma_GlRglPpGBm1xsWyF', 'cpi_GlRglDq4y41GA9Yb', true, 'left-open', 'merchant_api', 1, 'process_pending', 'ok', false, 'payment_card_usd_hpp', 'payment_card', 'hpp', 'USD', 'charge', 'USD', 10000, 10000, 0, 10000, NULL, NULL, NULL, 10, 60, NULL, 0, NULL, NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'cgi_GlRgOlDGcAM0FWrI', 'eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSJ9.eyJzaWQiOiJjZ2lfR2xSZ09sREdjQU0wRldySSIsImV4cCI6MTc5NTU4MDUxNX0.lMFK9n49BSdAJT-yGIs8VA6809fWzIgkhIA4SJiyWePyqhhO1VoE7BsC6_95b0bNxo-H-KUJ4oEsxs-s5PLpCA', NULL, 0, 5, '2026-11-25 03:51:55.674971+00', '2026-11-25 03:51:55.674971+00', '2026-11-25 04:21:55.674971+00', 1, NULL, NULL, '2026-11-25 04:21:55.674971+00'),
	('coma_GlRglPpGBm1xsWyF', 'cpi_GlRgZoepirFUMfmL', true, 'paid-for', 'merchant_api', 7, 'partially_refunded', 'ok', false, 'payment_card_usd_hpp', 'payment_card', 'hpp', 'USD', 'charge', 'USD', 10000, 10000, 0, 10000, 10000, 0, 10000, 10, 60, 1000, 700, '2026-11-25 04:51:55.733554+00', NULL, NULL, NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'cgi_GlRg7vetTIFUPLkU', 'eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSJ9.eyJzaWQiOiJjZ2lfR2xSZzd2ZXRUSUZVUExrVSIsImV4cCI6MTc5NTU4MDUxNX0.ydo5H7USOWX5O1noxttLPN7u8zn8nBa9sQtrgUY-1uwIBegvFWeJEfaEWmJvlVOsHoj1KwElEc8_NYdUdkKABg', 'pay_GlRgCQgUTj3REXqN', 1, 5, '2026-11-25 03:51:55.681127+00', '2026-11-25 03:52:00.690711+00', '2026-11-25 04:21:55.681127+00', 1, '2026-11-25 03:51:55.733554+00', NULL, '2026-11-25 04:51:55.733554+00');

INSERT INTO public.ledger_journal VALUES
	('coma_GlRglPpGBm1xsWyF', true, 1, 'processed:pay_GlRgCQgUTj3REXqN', '2026-11-25 03:51:55.733554+00', '\xa045ab7813531c2a23876b453f29da85e8365c0f78798c212eb2378c4d10fcf0', '{"active":{"USD":9000},"provider":{"USD":10000},"reserved":{"USD":1000}}'),
	('coma_GlRglPpGBm1xsWyF', true, 2, 'refund_started:ref_GlRgrfnJd1BtD5Fp', '2026-11-25 03:51:55.74322+00', '\x57bf3ab697dbf046b71b2775707bb612f0cbfd4c80d80778c4f573fc8c17ae5e', '{"active":{"USD":9000},"pending":{"USD":100},"provider":{"USD":10000},"reserved":{"USD":900}}'),
	('coma_GlRglPpGBm1xsWyF', true, 3, 'refund_sent:ref_GlRgrfnJd1BtD5Fp', '2026-11-25 03:51:55.75318+00', '\x9dcd2be0b1f923a50447ff3a1cc9e0c2cac9a64047970b547510866702940154', '{"active":{"USD":9000},"pending":{"USD":0},"provider":{"USD":9900},"reserved":{"USD":900}}');

INSERT INTO public.ledger_transfers VALUES
	('coma_GlRglPpGBm1xsWyF', 'processed:pay_GlRgCQgUTj3REXqN', 1, true, 'processed', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', NULL, NULL, NULL, 'provider', 'active', 10000, 'USD', '2026-11-25 03:51:55.733554+00'),
	('coma_GlRglPpGBm1xsWyF', 'processed:pay_GlRgCQgUTj3REXqN', 2, true, 'processed', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', NULL, NULL, NULL, 'active', 'reserved', 1000, 'USD', '2026-11-25 03:51:55.733554+00'),
	('coma_GlRglPpGBm1xsWyF', 'refund_started:ref_GlRgrfnJd1BtD5Fp', 1, true, 'refund_started', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', 'ref_GlRgrfnJd1BtD5Fp', NULL, NULL, 'reserved', 'active', 100, 'USD', '2026-11-25 03:51:55.74322+00'),
	('coma_GlRglPpGBm1xsWyF', 'refund_started:ref_GlRgrfnJd1BtD5Fp', 2, true, 'refund_started', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', 'ref_GlRgrfnJd1BtD5Fp', NULL, NULL, 'active', 'pending', 100, 'USD', '2026-11-25 03:51:55.74322+00'),
	('coma_GlRglPpGBm1xsWyF', 'refund_sent:ref_GlRgrfnJd1BtD5Fp', 1, true, 'refund_sent', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', 'ref_GlRgrfnJd1BtD5Fp', NULL, NULL, 'pending', 'provider', 100, 'USD', '2026-11-25 03:51:55.75318+00'),
	('coma_GlRglPpGBm1xsWyF', 'refund_started:ref_GlRgIi82ByrwLg4v', 1, true, 'refund_started', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', 'ref_GlRgIi82ByrwLg4v', NULL, NULL, 'reserved', 'active', 200, 'USD', '2026-11-25 03:51:55.768721+00'),
	('coma_GlRglPpGBm1xsWyF', 'refund_started:ref_GlRgIi82ByrwLg4v', 2, true, 'refund_started', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', 'ref_GlRgIi82ByrwLg4v', NULL, NULL, 'active', 'pending', 200, 'USD', '2026-11-25 03:51:55.768721+00'),
	('coma_GlRglPpGBm1xsWyF', 'refund_sent:ref_GlRgIi82ByrwLg4v', 1, true, 'refund_sent', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', 'ref_GlRgIi82ByrwLg4v', NULL, NULL, 'pending', 'provider', 200, 'USD', '2026-11-25 03:51:55.77833+00');

INSERT INTO public.ledger_unnumbered VALUES
	('coma_GlRglPpGBm1xsWyF', true, '2026-11-25 03:51:55.768721+00', 'refund_started:ref_GlRgIi82ByrwLg4v'),
	('coma_GlRglPpGBm1xsWyF', true, '2026-11-25 03:51:55.77833+00', 'refund_sent:ref_GlRgIi82ByrwLg4v');

INSERT INTO public.methods VALUES
	('payment_card', 'payment_card', '', '{"en":"Payment card","ru":"Платежная карта","uk":"Платіжна карта"}', '/static/methods/payment_card/logo.svg', '/static/methods/payment_card/icon.svg', NULL, NULL, NULL),
	('applepay', 'digital_wallet', '', '{"en":"Apple Pay","ru":"Apple Pay","uk":"Apple Pay"}', '/static/methods/applepay/logo.svg', '/static/methods/applepay/icon.svg', NULL, NULL, NULL),
	('googlepay', 'digital_wallet', '', '{"en":"Google Pay","ru":"Google Pay","uk":"Google Pay"}', '/static/methods/googlepay/logo.svg', '/static/methods/googlepay/icon.svg', NULL, NULL, NULL),
	('paypal', 'digital_wallet', '', '{"en":"PayPal","ru":"PayPal","uk":"PayPal"}', '/static/methods/paypal/logo.svg', '/static/methods/paypal/icon.svg', NULL, NULL, NULL),
	('qiwi', 'digital_wallet', '', '{"en":"QIWI Wallet","ru":"QIWI Кошелек","uk":"QIWI Гаманець"}', '/static/methods/qiwi/logo.svg', '/static/methods/qiwi/icon.svg', NULL, NULL, NULL),
	('skrill', 'digital_wallet', '', '{"en":"Skrill","ru":"Skrill","uk":"Skrill"}', '/static/methods/skrill/logo.svg', '/static/methods/skrill/icon.svg', NULL, NULL, NULL),
	('neteller', 'digital_wallet', '', '{"en":"NETELLER","ru":"NETELLER","uk":"NETELLER"}', '/static/methods/neteller/logo.svg', '/static/methods/neteller/icon.svg', NULL, NULL, NULL),
	('privat24', 'online_banking', '', '{"en":"Privat24","ru":"Приват24","uk":"Приват24"}', '/static/methods/privat24/logo.svg', '/static/methods/privat24/icon.svg', NULL, NULL, NULL),
	('liqpay', 'alternative', '', '{"en":"LiqPay","ru":"LiqPay","uk":"LiqPay"}', '/static/methods/liqpay/logo.svg', '/static/methods/liqpay/icon.svg', NULL, NULL, NULL),
	('payeer', 'alternative', '', '{"en":"Payeer","ru":"Payeer","uk":"Payeer"}', '/static/methods/payeer/logo.svg', '/static/methods/payeer/icon.svg', NULL, NULL, NULL),
	('paysafecard', 'prepaid_card', '', '{"en":"Paysafecard","ru":"Paysafecard","uk":"Paysafecard"}', '/static/methods/paysafecard/logo.svg', '/static/methods/paysafecard/icon.svg', NULL, NULL, NULL),
	('test', 'alternative', '', '{"en":"Test","ru":"Тест","uk":"Тест"}', '/static/methods/test/logo.svg', '/static/methods/test/icon.svg', NULL, NULL, NULL);

INSERT INTO public.moderation_decisions VALUES
	('coma_GlRglPpGBm1xsWyF', 'held', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', 'held', 'rule', NULL, '2026-11-25 03:51:55.690711+00');

INSERT INTO public.moderation_rules VALUES
	('coma_GlRglPpGBm1xsWyF', 'rule', '{"kind": "amount", "currency": "USD", "at_least": 100000000}', '2026-11-25 03:51:55.639131+00');

INSERT INTO public.payments VALUES
	('coma_GlRglPpGBm1xsWyF', 'pay_GlRgCQgUTj3REXqN', 'cpi_GlRgZoepirFUMfmL', 1, true, 'processed', 'ok', 'test', 'ma_GlRg3RKuFEcSutFy', 'host2hostTest', '77b28bca97a524703ce3', 10000, 'USD', 10000, 'USD', NULL, '551928', '0000', 16, 'mastercard', NULL, 12, 2030, '\xccd119b394a9a7df34f77a3e540cf41fdf5d1caa0c401f43cb806b167f107622', 'KASSA TEST BANK', 'US', '192.0.2.1', '192.0.2.1/32', false, NULL, NULL, NULL, '700000000001', 'BZU3BQ', '2026-11-25 03:51:55.690711+00', '2026-11-25 03:51:55.733505+00', NULL, 0, NULL);

INSERT INTO public.provider_accounts VALUES
	('coma_GlRglPpGBm1xsWyF', 'ma_GlRg3RKuFEcSutFy', 'test', true, 'host2hostTest', '\xdd07ca5951c982c018c16d4569f40fe45f6e98d9b64a21abea5fafc5719e190f7524136376ce7dae923e0147756db7dfe048ffd149fc12312d1da4adffc0a71f7b6541567d2dff3d66e83c03a94bd3ac6a5a21cb337d4d77', '2026-11-25 03:51:55.639131+00', NULL, '1970-01-01 00:00:00+00', NULL, NULL, NULL, 0);

INSERT INTO public.provider_statement_lines VALUES
	('coma_GlRglPpGBm1xsWyF', 'ma_GlRg3RKuFEcSutFy', 'pay_GlRgCQgUTj3REXqN', 'purchase', '', '77b28bca97a524703ce3', true, NULL, 10000, 'USD', '2026-11-25 03:51:55.690711+00', 1, '2026-11-25 03:51:55.690711+00');

INSERT INTO public.refunds VALUES
	('coma_GlRglPpGBm1xsWyF', 'ref_GlRgrfnJd1BtD5Fp', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', true, 'requested', 'c989ca77-9720-49af-bb5b-0a18de3eaa56', 100, 'USD', 100, 'USD', 0, 100, 'refunded', 'ok', NULL, '3c629883aed5ece85c46', NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.74322+00', '2026-11-25 03:51:55.75318+00', NULL, 0, NULL),
	('coma_GlRglPpGBm1xsWyF', 'ref_GlRgIi82ByrwLg4v', 'cpi_GlRgZoepirFUMfmL', 'pay_GlRgCQgUTj3REXqN', true, 'requested', '5c742431-7877-4e26-9913-def8bcfc9775', 200, 'USD', 200, 'USD', 0, 200, 'refunded', 'ok', NULL, '043a03063c6d69f1b639', NULL, NULL, NULL, NULL, '2026-11-25 03:51:55.768721+00', '2026-11-25 03:51:55.77833+00', NULL, 0, NULL);

INSERT INTO public.routes VALUES
	('coma_GlRglPpGBm1xsWyF', 'payment_card_usd_hpp', 'ma_GlRg3RKuFEcSutFy', 0);

INSERT INTO public.services VALUES
	('applepay_eur_hpp', 'applepay', 'hpp', 'EUR', '[]', 1, 100000000),
	('applepay_gbp_hpp', 'applepay', 'hpp', 'GBP', '[]', 1, 100000000),
	('applepay_rub_hpp', 'applepay', 'hpp', 'RUB', '[]', 1, 100000000),
	('applepay_uah_hpp', 'applepay', 'hpp', 'UAH', '[]', 1, 100000000),
	('applepay_usd_hpp', 'applepay', 'hpp', 'USD', '[]', 1, 100000000),
	('googlepay_eur_hpp', 'googlepay', 'hpp', 'EUR', '[]', 1, 100000000),
	('googlepay_gbp_hpp', 'googlepay', 'hpp', 'GBP', '[]', 1, 100000000),
	('googlepay_rub_hpp', 'googlepay', 'hpp', 'RUB', '[]', 1, 100000000),
	('googlepay_uah_hpp', 'googlepay', 'hpp', 'UAH', '[]', 1, 100000000),
	('googlepay_usd_hpp', 'googlepay', 'hpp', 'USD', '[]', 1, 100000000),
	('liqpay_eur_hpp', 'liqpay', 'hpp', 'EUR', '[]', 1, 10000000),
	('liqpay_rub_hpp', 'liqpay', 'hpp', 'RUB', '[]', 1, 10000000),
	('liqpay_uah_hpp', 'liqpay', 'hpp', 'UAH', '[]', 1, 10000000),
	('liqpay_usd_hpp', 'liqpay', 'hpp', 'USD', '[]', 1, 10000000),
	('neteller_eur_hpp', 'neteller', 'hpp', 'EUR', '[]', 1, 100000000),
	('neteller_gbp_hpp', 'neteller', 'hpp', 'GBP', '[]', 1, 100000000),
	('neteller_usd_hpp', 'neteller', 'hpp', 'USD', '[]', 1, 100000000),
	('payeer_eur_hpp', 'payeer', 'hpp', 'EUR', '[]', 1, 10000000),
	('payeer_rub_hpp', 'payeer', 'hpp', 'RUB', '[]', 1, 10000000),
	('payeer_usd_hpp', 'payeer', 'hpp', 'USD', '[]', 1, 10000000),
	('payment_card_eur_hpp', 'payment_card', 'hpp', 'EUR', '[]', 1, 100000000),
	('payment_card_gbp_hpp', 'payment_card', 'hpp', 'GBP', '[]', 1, 100000000),
	('payment_card_jpy_hpp', 'payment_card', 'hpp', 'JPY', '[]', 1, 1000000),
	('payment_card_kwd_hpp', 'payment_card', 'hpp', 'KWD', '[]', 1, 1000000000),
	('payment_card_rub_hpp', 'payment_card', 'hpp', 'RUB', '[]', 1, 100000000),
	('payment_card_uah_hpp', 'payment_card', 'hpp', 'UAH', '[]', 1, 100000000),
	('payment_card_usd_hpp', 'payment_card', 'hpp', 'USD', '[]', 1, 100000000),
	('payment_card_xts_hpp', 'payment_card', 'hpp', 'XTS', '[]', 1, 100000000),
	('paypal_eur_hpp', 'paypal', 'hpp', 'EUR', '[]', 1, 100000000),
	('paypal_gbp_hpp', 'paypal', 'hpp', 'GBP', '[]', 1, 100000000),
	('paypal_usd_hpp', 'paypal', 'hpp', 'USD', '[]', 1, 100000000),
	('paysafecard_eur_hpp', 'paysafecard', 'hpp', 'EUR', '[]', 1, 100000),
	('paysafecard_gbp_hpp', 'paysafecard', 'hpp', 'GBP', '[]', 1, 100000),
	('paysafecard_usd_hpp', 'paysafecard', 'hpp', 'USD', '[]', 1, 100000),
	('privat24_eur_hpp', 'privat24', 'hpp', 'EUR', '[]', 1, 10000000),
	('privat24_rub_hpp', 'privat24', 'hpp', 'RUB', '[]', 1, 10000000),
	('privat24_uah_hpp', 'privat24', 'hpp', 'UAH', '[]', 1, 10000000),
	('privat24_usd_hpp', 'privat24', 'hpp', 'USD', '[]', 1, 10000000),
	('qiwi_eur_hpp', 'qiwi', 'hpp', 'EUR', '[{"key":"phone","type":"string","label":{"ru":"Номер телефона","en":"Phone number","uk":"Номер телефону"},"example":"+380987654321","hint":{"ru":"Введите номер телефона","en":"Enter phone number","uk":"Введіть номер телефону"},"regexp":"^\\+\\d{10,14}$","required":true,"position":0}]', 1, 10000000),
	('qiwi_rub_hpp', 'qiwi', 'hpp', 'RUB', '[{"key":"phone","type":"string","label":{"ru":"Номер телефона","en":"Phone number","uk":"Номер телефону"},"example":"+380987654321","hint":{"ru":"Введите номер телефона","en":"Enter phone number","uk":"Введіть номер телефону"},"regexp":"^\\+\\d{10,14}$","required":true,"position":0}]', 1, 10000000),
	('qiwi_usd_hpp', 'qiwi', 'hpp', 'USD', '[{"key":"phone","type":"string","label":{"ru":"Номер телефона","en":"Phone number","uk":"Номер телефону"},"example":"+380987654321","hint":{"ru":"Введите номер телефона","en":"Enter phone number","uk":"Введіть номер телефону"},"regexp":"^\\+\\d{10,14}$","required":true,"position":0}]', 1, 10000000),
	('skrill_eur_hpp', 'skrill', 'hpp', 'EUR', '[]', 1, 100000000),
	('skrill_gbp_hpp', 'skrill', 'hpp', 'GBP', '[]', 1, 100000000),
	('skrill_usd_hpp', 'skrill', 'hpp', 'USD', '[]', 1, 100000000),
	('test_eur_test', 'test', 'test', 'EUR', '[{"key":"status","type":"string","label":{"ru":"Статус","en":"Status","uk":"Статус"},"example":null,"hint":{"ru":"Введите статус","en":"Enter Status","uk":"Введіть статус"},"regexp":"^[a-zA-Z_]*$","required":true,"position":0}]', 1, 999999900),
	('test_gbp_test', 'test', 'test', 'GBP', '[{"key":"status","type":"string","label":{"ru":"Статус","en":"Status","uk":"Статус"},"example":null,"hint":{"ru":"Введите статус","en":"Enter Status","uk":"Введіть статус"},"regexp":"^[a-zA-Z_]*$","required":true,"position":0}]', 1, 999999900),
	('test_rub_test', 'test', 'test', 'RUB', '[{"key":"status","type":"string","label":{"ru":"Статус","en":"Status","uk":"Статус"},"example":null,"hint":{"ru":"Введите статус","en":"Enter Status","uk":"Введіть статус"},"regexp":"^[a-zA-Z_]*$","required":true,"position":0}]', 1, 999999900),
	('test_uah_test', 'test', 'test', 'UAH', '[{"key":"status","type":"string","label":{"ru":"Статус","en":"Status","uk":"Статус"},"example":null,"hint":{"ru":"Введите статус","en":"Enter Status","uk":"Введіть статус"},"regexp":"^[a-zA-Z_]*$","required":true,"position":0}]', 1, 999999900),
	('test_usd_test', 'test', 'test', 'USD', '[{"key":"status","type":"string","label":{"ru":"Статус","en":"Status","uk":"Статус"},"example":null,"hint":{"ru":"Введите статус","en":"Enter Status","uk":"Введіть статус"},"regexp":"^[a-zA-Z_]*$","required":true,"position":0}]', 1, 999999900),
	('test_xts_test', 'test', 'test', 'XTS', '[{"key":"status","type":"string","label":{"ru":"Статус","en":"Status","uk":"Статус"},"example":null,"hint":{"ru":"Введите статус","en":"Enter Status","uk":"Введіть статус"},"regexp":"^[a-zA-Z_]*$","required":true,"position":0}]', 1, 999999900);

INSERT INTO public.test_clock VALUES
	(true, '00:00:00');

SELECT pg_catalog.setval('public.account_events_event_id_seq', 9, true);

ALTER TABLE ONLY public._pogo_migration
    ADD CONSTRAINT _pogo_migration_pkey PRIMARY KEY (migration_hash, schema_name);

ALTER TABLE ONLY public._pogo_version
    ADD CONSTRAINT _pogo_version_pkey PRIMARY KEY (version);

ALTER TABLE ONLY public.account_events
    ADD CONSTRAINT account_events_pkey PRIMARY KEY (account_id, event_id);

ALTER TABLE ONLY public.account_services
    ADD CONSTRAINT account_services_account_id_account_service_id_key UNIQUE (account_id, account_service_id);

ALTER TABLE ONLY public.account_services
    ADD CONSTRAINT account_services_pkey PRIMARY KEY (account_id, service);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_tag_key UNIQUE (tag);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_digest_key UNIQUE (digest);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (account_id, key_id);

ALTER TABLE ONLY public.callback_copies
    ADD CONSTRAINT callback_copies_pkey PRIMARY KEY (account_id, listener_id, callback_id);

ALTER TABLE ONLY public.callback_listeners
    ADD CONSTRAINT callback_listeners_pkey PRIMARY KEY (account_id, listener_id);

ALTER TABLE ONLY public.callbacks
    ADD CONSTRAINT callbacks_account_id_invoice_id_logged_at_key UNIQUE (account_id, invoice_id, logged_at);

ALTER TABLE ONLY public.callbacks
    ADD CONSTRAINT callbacks_pkey PRIMARY KEY (account_id, callback_id);

ALTER TABLE ONLY public.currencies
    ADD CONSTRAINT currencies_pkey PRIMARY KEY (currency);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (account_id, customer_id);

ALTER TABLE ONLY public.discrepancies
    ADD CONSTRAINT discrepancies_pkey PRIMARY KEY (account_id, discrepancy_id);

ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_account_id_payment_id_position_key UNIQUE (account_id, payment_id, "position");

ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_pkey PRIMARY KEY (account_id, dispute_id);

ALTER TABLE ONLY public.exchange_rates
    ADD CONSTRAINT exchange_rates_pkey PRIMARY KEY (source, valid_from, base, quote);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (account_id, key);

ALTER TABLE ONLY public.invoice_events
    ADD CONSTRAINT invoice_events_pkey PRIMARY KEY (account_id, invoice_id, version);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_account_id_session_id_key UNIQUE (account_id, session_id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_pkey PRIMARY KEY (account_id, invoice_id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_reference UNIQUE (account_id, test_mode, reference_id);

ALTER TABLE ONLY public.ledger_journal
    ADD CONSTRAINT ledger_journal_account_id_entry_id_key UNIQUE (account_id, entry_id);

ALTER TABLE ONLY public.ledger_journal
    ADD CONSTRAINT ledger_journal_pkey PRIMARY KEY (account_id, test_mode, number);

ALTER TABLE ONLY public.ledger_transfers
    ADD CONSTRAINT ledger_transfers_pkey PRIMARY KEY (account_id, entry_id, line);

ALTER TABLE ONLY public.ledger_unnumbered
    ADD CONSTRAINT ledger_unnumbered_pkey PRIMARY KEY (account_id, test_mode, created_at, entry_id);

ALTER TABLE ONLY public.methods
    ADD CONSTRAINT methods_pkey PRIMARY KEY (method);

ALTER TABLE ONLY public.moderation_decisions
    ADD CONSTRAINT moderation_decisions_pkey PRIMARY KEY (account_id, decision_id);

ALTER TABLE ONLY public.moderation_rules
    ADD CONSTRAINT moderation_rules_pkey PRIMARY KEY (account_id, rule_id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_attempt UNIQUE (account_id, invoice_id, attempt_number);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_pkey PRIMARY KEY (account_id, payment_id);

ALTER TABLE ONLY public.provider_accounts
    ADD CONSTRAINT provider_accounts_pkey PRIMARY KEY (account_id, provider_account_id);

ALTER TABLE ONLY public.provider_statement_lines
    ADD CONSTRAINT provider_statement_lines_pkey PRIMARY KEY (account_id, provider_account_id, payment_id, movement, ref, external_id);

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_pkey PRIMARY KEY (account_id, refund_id);

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_reference UNIQUE (account_id, test_mode, reference_id);

ALTER TABLE ONLY public.routes
    ADD CONSTRAINT routes_pkey PRIMARY KEY (account_id, service, provider_account_id);

ALTER TABLE ONLY public.services
    ADD CONSTRAINT services_pkey PRIMARY KEY (service);

ALTER TABLE ONLY public.test_clock
    ADD CONSTRAINT test_clock_pkey PRIMARY KEY (only_row);

CREATE INDEX callback_copies_order ON public.callback_copies USING btree (account_id, listener_id, created_at);

CREATE INDEX callback_listeners_due ON public.callback_listeners USING btree (leased_until, account_id);

CREATE INDEX callbacks_due ON public.callbacks USING btree (test_mode, account_id, due_at, logged_at) WHERE (due_at IS NOT NULL);

CREATE INDEX callbacks_due_at ON public.callbacks USING btree (test_mode, due_at, account_id) WHERE (due_at IS NOT NULL);

CREATE INDEX callbacks_waiting ON public.callbacks USING btree (test_mode, created_at) WHERE (due_at IS NOT NULL);

CREATE INDEX customers_by_reference ON public.customers USING btree (account_id, test_mode, reference_id);

CREATE INDEX discrepancies_counted ON public.discrepancies USING btree (test_mode) WHERE (resolved_at IS NULL);

CREATE INDEX discrepancies_of_movement ON public.discrepancies USING btree (account_id, provider_account_id, movement, ref, external_id);

CREATE UNIQUE INDEX discrepancies_open ON public.discrepancies USING btree (account_id, provider_account_id, movement, ref, external_id) WHERE (resolved_at IS NULL);

CREATE INDEX disputes_listed ON public.disputes USING btree (account_id, opened_at, dispute_id);

CREATE INDEX disputes_of_invoice ON public.disputes USING btree (account_id, invoice_id, opened_at);

CREATE INDEX exchange_rates_manual ON public.exchange_rates USING btree (base, quote, valid_from) WHERE (source = 'manual'::text);

CREATE INDEX idempotency_keys_due ON public.idempotency_keys USING btree (account_id, due_at);

CREATE INDEX idempotency_keys_due_at ON public.idempotency_keys USING btree (due_at, account_id);

CREATE INDEX invoices_due ON public.invoices USING btree (test_mode, account_id, due_at) WHERE (due_at IS NOT NULL);

CREATE INDEX invoices_due_at ON public.invoices USING btree (test_mode, due_at, account_id) WHERE (due_at IS NOT NULL);

CREATE INDEX invoices_listed ON public.invoices USING btree (account_id, test_mode, created_at, invoice_id);

CREATE INDEX invoices_listed_by_currency ON public.invoices USING btree (account_id, test_mode, currency, created_at, invoice_id);

CREATE INDEX invoices_listed_by_resolution ON public.invoices USING btree (account_id, test_mode, resolution, created_at, invoice_id) WHERE (resolution <> 'ok'::text);

CREATE INDEX invoices_listed_by_service ON public.invoices USING btree (account_id, test_mode, service, created_at, invoice_id);

CREATE INDEX invoices_listed_by_status ON public.invoices USING btree (account_id, test_mode, status, created_at, invoice_id);

CREATE INDEX invoices_listed_by_update ON public.invoices USING btree (account_id, test_mode, updated_at, created_at);

CREATE INDEX invoices_moderated ON public.invoices USING btree (account_id, test_mode, created_at, invoice_id) WHERE moderation_required;

CREATE INDEX invoices_of_customer ON public.invoices USING btree (account_id, test_mode, customer_id, created_at) WHERE (customer_id IS NOT NULL);

CREATE INDEX ledger_journal_by_creation ON public.ledger_journal USING btree (account_id, test_mode, created_at);

CREATE INDEX ledger_transfers_of_invoice ON public.ledger_transfers USING btree (account_id, invoice_id);

CREATE UNIQUE INDEX moderation_decided_once ON public.moderation_decisions USING btree (account_id, payment_id) WHERE (verdict = ANY (ARRAY['approved'::text, 'rejected'::text]));

CREATE INDEX moderation_decisions_of_invoice ON public.moderation_decisions USING btree (account_id, invoice_id, decided_at);

CREATE INDEX payments_cards ON public.payments USING btree (account_id, test_mode, created_at) WHERE (card_fingerprint IS NOT NULL);

CREATE INDEX payments_declined_card ON public.payments USING btree (account_id, test_mode, card_fingerprint, created_at) WHERE ((status = 'process_failed'::text) AND (card_fingerprint IS NOT NULL));

CREATE INDEX payments_declined_payer ON public.payments USING btree (account_id, test_mode, payer_network, created_at) WHERE ((status = 'process_failed'::text) AND (payer_network IS NOT NULL));

CREATE INDEX payments_due ON public.payments USING btree (test_mode, account_id, due_at) WHERE (due_at IS NOT NULL);

CREATE INDEX payments_due_at ON public.payments USING btree (test_mode, due_at, account_id) WHERE (due_at IS NOT NULL);

CREATE INDEX payments_of_card ON public.payments USING btree (account_id, test_mode, card_fingerprint, created_at) WHERE (card_fingerprint IS NOT NULL);

CREATE INDEX payments_of_client_ip ON public.payments USING btree (account_id, test_mode, client_ip, created_at);

CREATE UNIQUE INDEX payments_one_live ON public.payments USING btree (account_id, invoice_id) WHERE (status = ANY (ARRAY['invoke_pending'::text, 'invoked'::text, 'process_pending'::text]));

CREATE UNIQUE INDEX payments_one_success ON public.payments USING btree (account_id, invoice_id) WHERE ((status = 'processed'::text) AND (unexpected IS NULL));

CREATE INDEX payments_waiting ON public.payments USING btree (test_mode, created_at) WHERE (status = ANY (ARRAY['invoke_pending'::text, 'invoked'::text, 'process_pending'::text]));

CREATE INDEX provider_accounts_at_provider ON public.provider_accounts USING btree (provider, merchant_id, test_mode, created_at);

CREATE INDEX provider_accounts_due ON public.provider_accounts USING btree (test_mode, account_id, reconcile_at);

CREATE INDEX provider_accounts_due_at ON public.provider_accounts USING btree (test_mode, reconcile_at, account_id);

CREATE INDEX provider_statement_lines_booked ON public.provider_statement_lines USING btree (account_id, provider_account_id, booked_at);

CREATE INDEX refunds_due ON public.refunds USING btree (test_mode, account_id, due_at) WHERE (due_at IS NOT NULL);

CREATE INDEX refunds_due_at ON public.refunds USING btree (test_mode, due_at, account_id) WHERE (due_at IS NOT NULL);

CREATE INDEX refunds_of_invoice ON public.refunds USING btree (account_id, invoice_id, created_at);

CREATE UNIQUE INDEX refunds_one_unexpected ON public.refunds USING btree (account_id, payment_id) WHERE ((reason <> 'requested'::text) AND (status = 'refund_pending'::text));

CREATE INDEX refunds_waiting ON public.refunds USING btree (test_mode, created_at) WHERE (status = 'refund_pending'::text);

CREATE INDEX services_by_currency ON public.services USING btree (currency, service);

ALTER TABLE ONLY public.account_events
    ADD CONSTRAINT account_events_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.account_services
    ADD CONSTRAINT account_services_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.account_services
    ADD CONSTRAINT account_services_service_fkey FOREIGN KEY (service) REFERENCES public.services(service);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.callback_copies
    ADD CONSTRAINT callback_copies_account_id_listener_id_fkey FOREIGN KEY (account_id, listener_id) REFERENCES public.callback_listeners(account_id, listener_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.callback_listeners
    ADD CONSTRAINT callback_listeners_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.callbacks
    ADD CONSTRAINT callbacks_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);

ALTER TABLE ONLY public.customers
    ADD CONSTRAINT customers_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.discrepancies
    ADD CONSTRAINT discrepancies_account_id_provider_account_id_fkey FOREIGN KEY (account_id, provider_account_id) REFERENCES public.provider_accounts(account_id, provider_account_id);

ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);

ALTER TABLE ONLY public.disputes
    ADD CONSTRAINT disputes_account_id_payment_id_fkey FOREIGN KEY (account_id, payment_id) REFERENCES public.payments(account_id, payment_id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.invoices
    ADD CONSTRAINT invoices_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.ledger_transfers
    ADD CONSTRAINT ledger_transfers_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.moderation_decisions
    ADD CONSTRAINT moderation_decisions_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);

ALTER TABLE ONLY public.moderation_decisions
    ADD CONSTRAINT moderation_decisions_account_id_payment_id_fkey FOREIGN KEY (account_id, payment_id) REFERENCES public.payments(account_id, payment_id);

ALTER TABLE ONLY public.moderation_rules
    ADD CONSTRAINT moderation_rules_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.payments
    ADD CONSTRAINT payments_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);

ALTER TABLE ONLY public.provider_accounts
    ADD CONSTRAINT provider_accounts_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(account_id);

ALTER TABLE ONLY public.provider_statement_lines
    ADD CONSTRAINT provider_statement_lines_account_id_provider_account_id_fkey FOREIGN KEY (account_id, provider_account_id) REFERENCES public.provider_accounts(account_id, provider_account_id);

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_account_id_invoice_id_fkey FOREIGN KEY (account_id, invoice_id) REFERENCES public.invoices(account_id, invoice_id);

ALTER TABLE ONLY public.refunds
    ADD CONSTRAINT refunds_account_id_payment_id_fkey FOREIGN KEY (account_id, payment_id) REFERENCES public.payments(account_id, payment_id);

ALTER TABLE ONLY public.routes
    ADD CONSTRAINT routes_account_id_provider_account_id_fkey FOREIGN KEY (account_id, provider_account_id) REFERENCES public.provider_accounts(account_id, provider_account_id);

ALTER TABLE ONLY public.routes
    ADD CONSTRAINT routes_account_id_service_fkey FOREIGN KEY (account_id, service) REFERENCES public.account_services(account_id, service);

ALTER TABLE ONLY public.services
    ADD CONSTRAINT services_method_fkey FOREIGN KEY (method) REFERENCES public.methods(method);

CREATE POLICY account ON public.account_events FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.account_services FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.callbacks FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.customers FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.disputes FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.invoice_events FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.invoices FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.ledger_journal FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.ledger_transfers FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.ledger_unnumbered FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.moderation_decisions FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.moderation_rules FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.payments FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

CREATE POLICY account ON public.refunds FOR SELECT TO kassa_view USING ((account_id = current_setting('kassa.account_id'::text, true)));

ALTER TABLE public.account_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.account_services ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON public.account_events TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.account_services TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.callback_copies TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.callback_listeners TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.callbacks TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.customers TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.discrepancies TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.disputes TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.idempotency_keys TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.invoice_events TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.invoices TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.ledger_journal TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.ledger_transfers TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.ledger_unnumbered TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.moderation_decisions TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.moderation_rules TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.payments TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.provider_statement_lines TO kassa_app USING (true) WITH CHECK (true);

CREATE POLICY app ON public.refunds TO kassa_app USING (true) WITH CHECK (true);

ALTER TABLE public.callback_copies ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.callback_listeners ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.callbacks ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.customers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.discrepancies ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.disputes ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.invoice_events ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.invoices ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.ledger_journal ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.ledger_transfers ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.ledger_unnumbered ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.moderation_decisions ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.moderation_rules ENABLE ROW LEVEL SECURITY;

CREATE POLICY owner ON public.account_events TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.account_services TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.callback_copies TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.callback_listeners TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.callbacks TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.customers TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.discrepancies TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.disputes TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.idempotency_keys TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.invoice_events TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.invoices TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.ledger_journal TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.ledger_transfers TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.ledger_unnumbered TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.moderation_decisions TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.moderation_rules TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.payments TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.provider_statement_lines TO kassa_owner USING (true) WITH CHECK (true);

CREATE POLICY owner ON public.refunds TO kassa_owner USING (true) WITH CHECK (true);

ALTER TABLE public.payments ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.provider_statement_lines ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.refunds ENABLE ROW LEVEL SECURITY;

GRANT SELECT,INSERT ON TABLE public.account_events TO kassa_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.account_services TO kassa_app;

GRANT SELECT ON TABLE public.account_services TO kassa_view;

GRANT SELECT,INSERT,UPDATE ON TABLE public.accounts TO kassa_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.api_keys TO kassa_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.callback_copies TO kassa_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.callback_listeners TO kassa_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.callbacks TO kassa_app;

GRANT SELECT ON TABLE public.callbacks TO kassa_view;

GRANT SELECT,INSERT ON TABLE public.currencies TO kassa_app;

GRANT SELECT ON TABLE public.currencies TO kassa_view;

GRANT UPDATE(name) ON TABLE public.currencies TO kassa_app;

GRANT UPDATE(type) ON TABLE public.currencies TO kassa_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.customers TO kassa_app;

GRANT SELECT ON TABLE public.customers TO kassa_view;

GRANT SELECT,INSERT,UPDATE ON TABLE public.discrepancies TO kassa_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.disputes TO kassa_app;

GRANT SELECT ON TABLE public.disputes TO kassa_view;

GRANT SELECT,INSERT,UPDATE ON TABLE public.exchange_rates TO kassa_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.idempotency_keys TO kassa_app;

GRANT SELECT,INSERT ON TABLE public.invoice_events TO kassa_app;

GRANT SELECT ON TABLE public.invoice_events TO kassa_view;

GRANT SELECT,INSERT,UPDATE ON TABLE public.invoices TO kassa_app;

GRANT SELECT ON TABLE public.invoices TO kassa_view;

GRANT SELECT,INSERT ON TABLE public.ledger_journal TO kassa_app;

GRANT SELECT ON TABLE public.ledger_journal TO kassa_view;

GRANT SELECT,INSERT ON TABLE public.ledger_transfers TO kassa_app;

GRANT SELECT ON TABLE public.ledger_transfers TO kassa_view;

GRANT SELECT,INSERT,DELETE ON TABLE public.ledger_unnumbered TO kassa_app;

GRANT SELECT ON TABLE public.ledger_unnumbered TO kassa_view;

GRANT SELECT,INSERT,UPDATE ON TABLE public.methods TO kassa_app;

GRANT SELECT ON TABLE public.methods TO kassa_view;

GRANT SELECT,INSERT ON TABLE public.moderation_decisions TO kassa_app;

GRANT SELECT ON TABLE public.moderation_decisions TO kassa_view;

GRANT SELECT,INSERT,DELETE ON TABLE public.moderation_rules TO kassa_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.payments TO kassa_app;

GRANT SELECT ON TABLE public.payments TO kassa_view;

GRANT SELECT,INSERT,UPDATE ON TABLE public.provider_accounts TO kassa_app;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.provider_statement_lines TO kassa_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.refunds TO kassa_app;

GRANT SELECT ON TABLE public.refunds TO kassa_view;

GRANT SELECT,INSERT,UPDATE ON TABLE public.routes TO kassa_app;

GRANT SELECT,INSERT,UPDATE ON TABLE public.services TO kassa_app;

GRANT SELECT ON TABLE public.services TO kassa_view;

GRANT SELECT,UPDATE ON TABLE public.test_clock TO kassa_app;
