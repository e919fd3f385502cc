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
    email TEXT NOT NULL PRIMARY KEY,
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
