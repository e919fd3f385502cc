//! The tables that every owner has, as diesel knows them; `migrations/platform` makes them.

#![expect(missing_docs, reason = "the columns; the migration documents them")]

diesel::table! {
    cache_epoch (id) {
        id -> Integer,
        epoch -> BigInt,
        server -> Text,
    }
}

diesel::table! {
    jobs (id) {
        id -> Text,
        kind -> Text,
        subject -> Text,
        payload -> Text,
        state -> Text,
        attempt -> Integer,
        max_attempts -> Integer,
        sent -> Integer,
        supersedable -> Bool,
        due_at -> Nullable<Timestamp>,
        token -> Text,
        errors -> Text,
        case_id -> Text,
        traceparent -> Text,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    deliveries (id) {
        id -> Text,
        job_id -> Text,
        subject -> Text,
        kind -> Text,
        target -> Text,
        attempt -> Integer,
        outcome -> Text,
        detail -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    outbox (id) {
        id -> Text,
        aggregate -> Text,
        position -> BigInt,
        routing_key -> Text,
        job_id -> Nullable<Text>,
        case_id -> Text,
        traceparent -> Text,
        body -> Text,
    }
}

diesel::table! {
    idempotency (key) {
        key -> Text,
        fingerprint -> Text,
        status -> Integer,
        headers -> Text,
        body -> Text,
        subject -> Text,
        created_at -> Timestamp,
    }
}

diesel::table! {
    inbox (event_id) {
        event_id -> Text,
        received_at -> Timestamp,
    }
}

diesel::table! {
    secrets (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(cache_epoch, jobs, deliveries, outbox, inbox, idempotency, secrets);
