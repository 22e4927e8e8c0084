-- callbacks: why the last try failed, what the endpoint answered, and how long that took
-- depends: 0017_otherwise

-- migrate: apply

-- Finer than "failure", and for operators alone.
ALTER TABLE callbacks ADD COLUMN cause text;
-- The beginning of the answer's body as text: printable, without card numbers and keys.
ALTER TABLE callbacks ADD COLUMN answer text CHECK (octet_length(answer) <= 1024);
ALTER TABLE callbacks ADD COLUMN milliseconds integer CHECK (milliseconds >= 0);

-- migrate: rollback
