//! The tables of this role, as diesel knows them.

diesel::table! {
    subjects (id) {
        id -> Text,
        email -> Text,
        typed_email -> Text,
        name -> Text,
        time_zone -> Text,
    }
}

diesel::table! {
    deleted_subjects (digest) {
        digest -> Text,
        deleted_at -> Timestamp,
    }
}

diesel::table! {
    meetings (id) {
        id -> Text,
        organizer -> Text,
        status -> Text,
        version -> BigInt,
        starts_at -> Nullable<Timestamp>,
        ends_at -> Nullable<Timestamp>,
        document -> Text,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    attendees (subject, meeting_id) {
        subject -> Text,
        meeting_id -> Text,
        holds_time -> Bool,
    }
}

diesel::table! {
    former_attendees (subject, meeting_id) {
        subject -> Text,
        meeting_id -> Text,
    }
}

diesel::table! {
    holds (subject, quarter) {
        subject -> Text,
        quarter -> BigInt,
        meeting_id -> Text,
    }
}

diesel::table! {
    mails (meeting_id, recipient, counted_at) {
        meeting_id -> Text,
        recipient -> Text,
        organizer -> Text,
        actor -> Text,
        counted_at -> Timestamp,
        is_sent -> Bool,
        is_first -> Bool,
    }
}

diesel::table! {
    webhooks (id) {
        id -> Text,
        account -> Text,
        url -> Text,
        secret -> Text,
        events -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    webhook_events (id) {
        id -> Text,
        meeting_id -> Text,
        body -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    meeting_actors (actor, meeting_id) {
        actor -> Text,
        meeting_id -> Text,
    }
}

diesel::table! {
    actors (digest) {
        digest -> Text,
        deleted_at -> Nullable<Timestamp>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(subjects, meetings, attendees, holds, mails, webhooks);
diesel::allow_columns_to_appear_in_same_group_by_clause!(subjects::email, holds::meeting_id);
