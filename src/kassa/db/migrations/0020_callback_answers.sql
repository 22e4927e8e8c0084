-- callbacks: why the last try failed, what the endpoint answered, how long that took; and what waits for how long
-- depends: 0019_ways_out

-- migrate: apply

-- Finer than "failure", and for operators alone.
ALTER TABLE callbacks ADD COLUMN cause text;
-- The beginning of the answer's body as text: printable, without card numbers and keys.
ALTER TABLE callbacks ADD COLUMN answer text CHECK (octet_length(answer) <= 1024);
ALTER TABLE callbacks ADD COLUMN milliseconds integer CHECK (milliseconds >= 0);

-- For those who watch: since when the oldest waits, by reading one entry of an index.
CREATE INDEX callbacks_waiting ON callbacks (test_mode, created_at) WHERE due_at IS NOT NULL;
CREATE INDEX payments_waiting ON payments (test_mode, created_at)
    WHERE status IN ('invoke_pending', 'invoked', 'process_pending');
CREATE INDEX refunds_waiting ON refunds (test_mode, created_at) WHERE status = 'refund_pending';

-- migrate: rollback
