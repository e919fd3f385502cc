-- Meetings, and the time that they hold. One text for PostgreSQL and SQLite: TEXT, BIGINT, BOOLEAN, TIMESTAMP (UTC, microseconds).

-- Whose time can be held: the users that meetings were arranged for, as the role that owns accounts last described them.
CREATE TABLE subjects (
    -- the id of the user
    id TEXT NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    typed_email TEXT NOT NULL,
    name TEXT NOT NULL,
    time_zone TEXT NOT NULL
);
CREATE INDEX subjects_by_email ON subjects (email);

-- Users that were deleted, by the SHA-256 of their ids. A request that looked such a user up before the deletion may still come.
CREATE TABLE deleted_subjects (
    digest TEXT NOT NULL PRIMARY KEY,
    deleted_at TIMESTAMP NOT NULL
);
CREATE INDEX deleted_subjects_by_age ON deleted_subjects (deleted_at);

-- A meeting is read and written whole, so it is stored whole; the columns are what queries need.
CREATE TABLE meetings (
    id TEXT NOT NULL PRIMARY KEY,
    -- the id of a user; empty after its deletion
    organizer TEXT NOT NULL,
    status TEXT NOT NULL,
    version BIGINT NOT NULL,
    -- the time of the meeting; none while it has none
    starts_at TIMESTAMP,
    ends_at TIMESTAMP,
    document TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
CREATE INDEX meetings_by_organizer ON meetings (organizer);

CREATE TABLE attendees (
    subject TEXT NOT NULL,
    meeting_id TEXT NOT NULL,
    -- whether the meeting holds time of this attendee
    holds_time BOOLEAN NOT NULL,
    PRIMARY KEY (subject, meeting_id)
);
CREATE INDEX attendees_by_meeting ON attendees (meeting_id);

-- The time that is held, by quarter-hours since 1970 in UTC. The primary key refuses two meetings at one time.
CREATE TABLE holds (
    subject TEXT NOT NULL,
    quarter BIGINT NOT NULL,
    meeting_id TEXT NOT NULL,
    PRIMARY KEY (subject, quarter)
);
CREATE INDEX holds_by_meeting ON holds (meeting_id);

-- The mails about meetings of the last day, a row for each mail to one recipient. A mail that waits takes up later changes of its
-- meeting, and counts once.
CREATE TABLE mails (
    meeting_id TEXT NOT NULL,
    -- the id of a user
    recipient TEXT NOT NULL,
    -- the id of a user; empty after its deletion
    organizer TEXT NOT NULL,
    -- the id of the bot that caused it on behalf of a user; empty if there was none
    actor TEXT NOT NULL,
    -- when the change was accepted that causes the mail; once a worker has taken it, that time
    counted_at TIMESTAMP NOT NULL,
    -- whether a worker has taken it
    is_sent BOOLEAN NOT NULL,
    -- whether the recipient knew nothing of the meeting before
    is_first BOOLEAN NOT NULL,
    PRIMARY KEY (meeting_id, recipient, counted_at)
);
CREATE INDEX mails_by_recipient ON mails (recipient, counted_at);
CREATE INDEX mails_by_actor ON mails (actor, counted_at);
CREATE INDEX mails_by_age ON mails (counted_at);

-- The URLs that are told of all meetings of an account.
CREATE TABLE webhooks (
    id TEXT NOT NULL PRIMARY KEY,
    -- the id of a user
    account TEXT NOT NULL,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    -- the types of events that are sent, as JSON; an empty list for all of them
    events TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX webhooks_by_account ON webhooks (account);

-- What webhooks are told: one row for each event, however many webhooks receive it.
CREATE TABLE webhook_events (
    id TEXT NOT NULL PRIMARY KEY,
    meeting_id TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);
CREATE INDEX webhook_events_by_meeting ON webhook_events (meeting_id);
CREATE INDEX webhook_events_by_age ON webhook_events (created_at);

-- The meetings that a user was removed from, so that the user's deletion finds them: their events and jobs may name the user.
CREATE TABLE former_attendees (
    -- the id of a user
    subject TEXT NOT NULL,
    meeting_id TEXT NOT NULL,
    PRIMARY KEY (subject, meeting_id)
);
CREATE INDEX former_attendees_by_meeting ON former_attendees (meeting_id);

-- The meetings whose history names a bot, so that its deletion finds them.
CREATE TABLE meeting_actors (
    -- the id of a user
    actor TEXT NOT NULL,
    meeting_id TEXT NOT NULL,
    PRIMARY KEY (actor, meeting_id)
);
CREATE INDEX meeting_actors_by_meeting ON meeting_actors (meeting_id);

-- A row for each bot, by the SHA-256 of its id: a transaction that writes a bot's name locks it, and so does the deletion of the bot.
CREATE TABLE actors (
    digest TEXT NOT NULL PRIMARY KEY,
    deleted_at TIMESTAMP
);
CREATE INDEX actors_by_age ON actors (deleted_at);
