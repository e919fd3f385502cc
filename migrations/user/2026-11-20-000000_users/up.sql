-- Users and the epoch of their cache. One text for PostgreSQL and SQLite: TEXT, BIGINT, BYTEA, TIMESTAMP (UTC, microseconds).
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    typed_email TEXT NOT NULL,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    preference TEXT NOT NULL,
    availability BYTEA NOT NULL,
    if_needed BYTEA NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

CREATE TABLE cache_epoch (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch BIGINT NOT NULL,
    server TEXT NOT NULL
);

INSERT INTO cache_epoch (id, epoch, server) VALUES (1, 1, '');
