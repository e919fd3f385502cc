-- Users: their weeks, imported calendars and credentials. One text for PostgreSQL and SQLite: TEXT, BIGINT, BYTEA, TIMESTAMP (UTC, microseconds).
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    typed_email TEXT NOT NULL,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    preference TEXT NOT NULL,
    availability BYTEA NOT NULL,
    if_needed BYTEA NOT NULL,
    overrides TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

-- Imported calendars.
-- The text is kept, for it alone says what later months hold; it never leaves this table.
-- A calendar that is put anew is another one, with another id: what comes late for the old one finds nobody.
CREATE TABLE calendars (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- of a subscription; empty for a file
    url TEXT NOT NULL,
    content TEXT NOT NULL,
    -- what the server said of its newest text, for asking whether there is a newer one
    etag TEXT,
    last_modified TEXT,
    refreshed_at TIMESTAMP,
    error TEXT,
    -- JSON: what of the text was left out or assumed
    warnings TEXT NOT NULL,
    failures INTEGER NOT NULL,
    periods INTEGER NOT NULL,
    -- its busy time is worked out until then; before the first text it has none
    known_until TIMESTAMP NOT NULL,
    -- the time zone data by which it is worked out
    time_zones TEXT NOT NULL,
    -- when it is fetched again; NULL for a file
    due_at TIMESTAMP,
    updated_at TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX calendars_by_name ON calendars (email, name);
CREATE INDEX calendars_by_due ON calendars (due_at);
CREATE INDEX calendars_by_known ON calendars (known_until);

-- When somebody is busy by one calendar, in one month: pairs of seconds since its first midnight, four bytes each, big-endian.
-- `fixed` counts in UTC, `floating` on the wall clock of whatever zone the user has when it is read.
CREATE TABLE calendar_months (
    email TEXT NOT NULL,
    -- twelve times the year, and the months of it that have passed
    month INTEGER NOT NULL,
    calendar_id TEXT NOT NULL,
    fixed BYTEA NOT NULL,
    floating BYTEA NOT NULL,
    PRIMARY KEY (email, month, calendar_id)
);
CREATE INDEX calendar_months_by_calendar ON calendar_months (calendar_id);

-- Who may sign in. A user without a row here was made without a password, and cannot.
CREATE TABLE credentials (
    user_id TEXT NOT NULL PRIMARY KEY,
    -- a PHC string of Argon2id
    password_hash TEXT NOT NULL,
    scope TEXT NOT NULL,
    email_verified_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

-- Failed sign-ins in a row, of any address that was tried, whether it has an account or not.
CREATE TABLE sign_in_failures (
    -- an HMAC-SHA256 under the secret of the installation: what was typed may be the address of somebody without an account
    address_digest TEXT NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    blocked_until TIMESTAMP,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX sign_in_failures_by_age ON sign_in_failures (updated_at);

-- One sign-in each, until somebody signs out, or does not come back. What is revoked is gone.
CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- The refresh tokens of a session, by their SHA-256. Those that were used stay: one that comes again was stolen.
CREATE TABLE refresh_tokens (
    hash TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL,
    used_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session_id);

-- What access tokens are signed with; the first is made at the first start. The newest one that has begun signs.
CREATE TABLE signing_keys (
    id TEXT NOT NULL PRIMARY KEY,
    -- 32 bytes, in base64url
    seed TEXT NOT NULL,
    -- a while after it was made: whoever verifies has heard of it by then
    signs_from TIMESTAMP NOT NULL,
    -- when the last token that it signed is over; NULL while it signs
    retires_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL
);

-- One-time codes out of letters, and keys of programs. What opens something cannot be read from here: of each only its
-- SHA-256 is kept, which is enough for 256 random bits.
CREATE TABLE codes (
    -- also that of the job that sends the letter
    id TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    -- asked for by whoever knows it: there may be nobody with this address, and then there is no letter, and the address gives way
    -- to its HMAC-SHA256 under the secret of the installation
    email TEXT NOT NULL,
    -- in the order of their making; of two that are made at once only one is kept
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    used_at TIMESTAMP
);
CREATE UNIQUE INDEX codes_by_hash ON codes (hash);
CREATE UNIQUE INDEX codes_by_email ON codes (email, purpose, number);
CREATE INDEX codes_by_age ON codes (created_at);

CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    scope TEXT NOT NULL,
    hash TEXT NOT NULL,
    -- whether it may act on behalf of those who allow it
    on_behalf BOOLEAN NOT NULL,
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP,
    -- written once an hour at most
    last_used_at TIMESTAMP
);
CREATE INDEX api_keys_by_user ON api_keys (user_id, id);

-- Whose API keys may act on behalf of whom.
CREATE TABLE delegations (
    id TEXT NOT NULL PRIMARY KEY,
    -- the id of the user who allows it; empty if an administrator has allowed it for all users
    grantor TEXT NOT NULL,
    -- the id of the account whose keys may act
    actor TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    -- written once an hour at most
    last_used_at TIMESTAMP
);
CREATE UNIQUE INDEX delegations_by_grantor ON delegations (grantor, actor);
CREATE INDEX delegations_by_actor ON delegations (actor);
