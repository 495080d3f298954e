-- The trace that a sweep was submitted in, so that the work of its tasks, hours later and elsewhere, belongs to the same trace.
ALTER TABLE sweeps ADD COLUMN traceparent text
    CONSTRAINT sweeps_traceparent_check CHECK (traceparent ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$');

COMMENT ON COLUMN sweeps.traceparent IS 'W3C trace context of the call that submitted it; null: it was not traced.';
