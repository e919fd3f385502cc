-- The step of a trace that a job, or a message, goes back to: as a W3C traceparent. What was there before has none.
ALTER TABLE jobs ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
