-- Dates that are not like others, and calendars from elsewhere.
ALTER TABLE users ADD COLUMN overrides TEXT NOT NULL DEFAULT '{}';

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
    failures INTEGER NOT NULL,
    periods INTEGER NOT NULL,
    -- its busy time is worked out until then; before the first text it has none
    known_until TIMESTAMP NOT NULL,
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
