ALTER TABLE outbox DROP COLUMN traceparent;
ALTER TABLE jobs DROP COLUMN traceparent;
