-- The bank's books. No card number and no CVV has a place here.

CREATE TABLE IF NOT EXISTS purchases (
    merchant_id TEXT NOT NULL,
    order_ref TEXT NOT NULL,
    transaction_id TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    description TEXT,
    check_only INTEGER NOT NULL,
    card_first TEXT CHECK (length(card_first) = 6),
    card_last TEXT CHECK (length(card_last) = 4),
    card_expiry TEXT CHECK (length(card_expiry) = 5),
    wallet TEXT,
    scenario TEXT,
    return_url TEXT NOT NULL,
    notify_url TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'AUTHENTICATING', 'CONFIRMING', 'PROCESSING', 'APPROVED', 'REFUSED')),
    issuer_code TEXT,
    response_code TEXT,
    page_id TEXT UNIQUE,
    page_until TEXT,
    rrn TEXT UNIQUE CHECK (length(rrn) = 12),
    approval_code TEXT CHECK (length(approval_code) = 6),
    fault TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    locale TEXT,
    shop TEXT,
    reference TEXT,
    invoice TEXT,
    PRIMARY KEY (merchant_id, order_ref),
    CHECK ((card_first IS NOT NULL) + (wallet IS NOT NULL) + (scenario IS NOT NULL) = 1),
    CHECK ((card_first IS NULL) = (card_last IS NULL) AND (card_first IS NULL) = (card_expiry IS NULL)),
    CHECK ((page_id IS NULL) = (page_until IS NULL)),
    CHECK ((state = 'APPROVED') = (rrn IS NOT NULL)),
    CHECK ((state IN ('APPROVED', 'REFUSED')) = (response_code IS NOT NULL))
) STRICT;

CREATE TABLE IF NOT EXISTS refunds (
    merchant_id TEXT NOT NULL,
    refund_ref TEXT NOT NULL,
    order_ref TEXT NOT NULL,
    transaction_id TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('APPROVED', 'REFUSED', 'RETURNED')),
    response_code TEXT NOT NULL,
    rrn TEXT UNIQUE CHECK (length(rrn) = 12),
    created_at TEXT NOT NULL,
    returned_rrn TEXT UNIQUE CHECK (length(returned_rrn) = 12),
    returned_at TEXT,
    PRIMARY KEY (merchant_id, refund_ref),
    CHECK ((state = 'RETURNED') = (returned_rrn IS NOT NULL)),
    CHECK ((returned_rrn IS NULL) = (returned_at IS NULL)),
    FOREIGN KEY (merchant_id, order_ref) REFERENCES purchases
) STRICT;
CREATE INDEX IF NOT EXISTS refunds_of_purchase ON refunds (merchant_id, order_ref);

CREATE TABLE IF NOT EXISTS charge_backs (
    merchant_id TEXT NOT NULL,
    order_ref TEXT NOT NULL,
    transaction_id TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    rrn TEXT NOT NULL UNIQUE CHECK (length(rrn) = 12),
    created_at TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('OPEN', 'WON', 'LOST')),
    reason TEXT NOT NULL,
    respond_by TEXT NOT NULL,
    decided_at TEXT,
    reversal_rrn TEXT UNIQUE CHECK (length(reversal_rrn) = 12),
    CHECK ((state = 'OPEN') = (decided_at IS NULL)),
    CHECK ((state = 'WON') = (reversal_rrn IS NOT NULL)),
    FOREIGN KEY (merchant_id, order_ref) REFERENCES purchases
) STRICT;
CREATE INDEX IF NOT EXISTS charge_backs_of_purchase ON charge_backs (merchant_id, order_ref, rrn);

CREATE TABLE IF NOT EXISTS notifications (
    notification_id TEXT PRIMARY KEY,
    merchant_id TEXT NOT NULL,
    url TEXT NOT NULL,
    body BLOB NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    due_at REAL,
    delivered_at REAL
) STRICT;
CREATE INDEX IF NOT EXISTS notifications_due ON notifications (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- Twelve digits from the first to the last (ISO 8583, field 37).
INSERT OR IGNORE INTO counters VALUES ('rrn', 700000000000);

PRAGMA user_version = 8;
