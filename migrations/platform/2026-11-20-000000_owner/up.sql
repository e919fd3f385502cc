-- What every owner of data has: its jobs, its outbox and inbox, the responses that it saved, and its secrets.
-- One text for PostgreSQL and SQLite: TEXT, BIGINT, BYTEA, TIMESTAMP (UTC, microseconds); lists and objects are JSON in TEXT.

-- The epoch of the cache of this owner.
CREATE TABLE cache_epoch (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch BIGINT NOT NULL,
    server TEXT NOT NULL
);
INSERT INTO cache_epoch (id, epoch, server) VALUES (1, 1, '');

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    -- the id of what it is for
    subject TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    -- how often it was published since its last attempt ended
    sent INTEGER NOT NULL,
    -- whether a later change of its subject makes it void
    supersedable BOOLEAN NOT NULL,
    -- when it is published again: the next attempt, or the sweep; NULL while it waits in the outbox, or is over
    due_at TIMESTAMP,
    token TEXT NOT NULL,
    errors TEXT NOT NULL,
    case_id TEXT NOT NULL,
    -- the span that it goes back to, as a W3C traceparent
    traceparent TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX jobs_by_due ON jobs (due_at);
CREATE INDEX jobs_by_subject ON jobs (subject);
CREATE INDEX jobs_by_state ON jobs (state, id);

-- One line for each attempt to reach a target outside: a callback URL or a mailbox.
CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    job_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX deliveries_by_subject ON deliveries (subject, id);
CREATE INDEX deliveries_by_job ON deliveries (job_id);
-- so that what was sent to a person can be shown to them, and erased
CREATE INDEX deliveries_by_target ON deliveries (target, id);

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    aggregate TEXT NOT NULL,
    position BIGINT NOT NULL,
    routing_key TEXT NOT NULL,
    job_id TEXT,
    case_id TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE UNIQUE INDEX outbox_by_aggregate ON outbox (aggregate, position, id);

-- The events that this owner has received: each takes effect once, though it may be delivered again.
CREATE TABLE inbox (
    event_id TEXT NOT NULL PRIMARY KEY,
    received_at TIMESTAMP NOT NULL
);
CREATE INDEX inbox_by_age ON inbox (received_at);

CREATE TABLE idempotency (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    -- what the response is about: an address or an id; empty if it names nobody
    subject TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX idempotency_by_subject ON idempotency (subject);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- What this owner signs its links with; made at the first start.
CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
