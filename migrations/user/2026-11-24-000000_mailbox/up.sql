-- One-time codes out of letters, and keys of programs. What opens something cannot be read from here: of each only its
-- SHA-256 is kept, which is enough for 256 random bits.
CREATE TABLE codes (
    -- also that of the job that sends the letter
    id TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL,
    -- asked for by whoever knows it: there may be nobody with this address, and then there is no letter
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
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP,
    -- written once an hour at most
    last_used_at TIMESTAMP
);
CREATE INDEX api_keys_by_user ON api_keys (user_id, id);

-- so that what was sent to somebody can be shown to them, and forgotten
CREATE INDEX deliveries_by_target ON deliveries (target, id);
