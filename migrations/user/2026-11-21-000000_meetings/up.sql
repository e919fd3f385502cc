-- Meetings, the jobs that arrange them, what is still to be published, and answers to repeated requests.
-- Instants are UTC in microseconds; lists and objects are JSON in TEXT.
-- A meeting is read and written whole, so it is kept whole; the columns are what it is searched by.
CREATE TABLE meetings (
    id TEXT NOT NULL PRIMARY KEY,
    organizer TEXT NOT NULL,
    status TEXT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX meetings_by_organizer ON meetings (organizer, id);

CREATE TABLE attendees (
    email TEXT NOT NULL,
    meeting_id TEXT NOT NULL,
    PRIMARY KEY (email, meeting_id)
);
CREATE INDEX attendees_by_meeting ON attendees (meeting_id);

-- When somebody cannot meet: here, because a meeting holds the time.
CREATE TABLE busy (
    email TEXT NOT NULL,
    starts_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    meeting_id TEXT NOT NULL,
    PRIMARY KEY (email, starts_at, meeting_id)
);
CREATE INDEX busy_by_meeting ON busy (meeting_id);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    meeting_id TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    -- whether a later change of its subject makes it void
    supersedable BOOLEAN NOT NULL,
    -- when to publish it (again): the next attempt, or the sweep; NULL while it waits in the outbox, or is over
    due_at TIMESTAMP,
    token TEXT NOT NULL,
    errors TEXT NOT NULL,
    case_id TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX jobs_by_due ON jobs (due_at);
CREATE INDEX jobs_by_meeting ON jobs (meeting_id);
CREATE INDEX jobs_by_state ON jobs (state, id);

-- One line for each attempt to reach somebody outside: a callback URL or a mailbox.
CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    job_id TEXT NOT NULL,
    meeting_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX deliveries_by_meeting ON deliveries (meeting_id, id);
CREATE INDEX deliveries_by_job ON deliveries (job_id);

CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    aggregate TEXT NOT NULL,
    position BIGINT NOT NULL,
    routing_key TEXT NOT NULL,
    job_id TEXT,
    case_id TEXT NOT NULL,
    body TEXT NOT NULL,
    claimed_until TIMESTAMP
);
CREATE UNIQUE INDEX outbox_by_aggregate ON outbox (aggregate, position, id);

CREATE TABLE idempotency (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- What this installation signs with; made at the first start.
CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
