-- the W3C traceparent under which an attempt, a refund or a callback was made, so that the worker goes on in the same trace
-- depends: 0020_callback_answers

-- migrate: apply

-- Null where nothing is traced.
ALTER TABLE payments ADD COLUMN traceparent text CHECK (length(traceparent) <= 55);
ALTER TABLE refunds ADD COLUMN traceparent text CHECK (length(traceparent) <= 55);
ALTER TABLE callbacks ADD COLUMN traceparent text CHECK (length(traceparent) <= 55);

-- migrate: rollback
