//! The tables, as diesel knows them.

diesel::table! {
    users (id) {
        id -> Text,
        email -> Text,
        typed_email -> Text,
        name -> Text,
        time_zone -> Text,
        preference -> Text,
        availability -> Binary,
        if_needed -> Binary,
        overrides -> Text,
        version -> BigInt,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    calendars (id) {
        id -> Text,
        email -> Text,
        name -> Text,
        kind -> Text,
        url -> Text,
        content -> Text,
        etag -> Nullable<Text>,
        last_modified -> Nullable<Text>,
        refreshed_at -> Nullable<Timestamp>,
        error -> Nullable<Text>,
        warnings -> Text,
        failures -> Integer,
        periods -> Integer,
        known_until -> Timestamp,
        time_zones -> Text,
        due_at -> Nullable<Timestamp>,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    calendar_months (email, month, calendar_id) {
        email -> Text,
        month -> Integer,
        calendar_id -> Text,
        fixed -> Binary,
        floating -> Binary,
    }
}

diesel::table! {
    codes (id) {
        id -> Text,
        purpose -> Text,
        email -> Text,
        number -> BigInt,
        hash -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
        used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    credentials (user_id) {
        user_id -> Text,
        password_hash -> Text,
        scope -> Text,
        email_verified_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Text,
        user_id -> Text,
        name -> Text,
        scope -> Text,
        hash -> Text,
        on_behalf -> Bool,
        created_at -> Timestamp,
        expires_at -> Nullable<Timestamp>,
        last_used_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    sign_in_failures (address_digest) {
        address_digest -> Text,
        failures -> Integer,
        blocked_until -> Nullable<Timestamp>,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> Text,
        created_at -> Timestamp,
        expires_at -> Timestamp,
    }
}

diesel::table! {
    refresh_tokens (hash) {
        hash -> Text,
        session_id -> Text,
        used_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    signing_keys (id) {
        id -> Text,
        seed -> Text,
        signs_from -> Timestamp,
        retires_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    delegations (id) {
        id -> Text,
        grantor -> Text,
        actor -> Text,
        created_at -> Timestamp,
        last_used_at -> Nullable<Timestamp>,
    }
}

use crate::platform::data::schema::cache_epoch;

diesel::allow_tables_to_appear_in_same_query!(
    cache_epoch,
    users,
    calendars,
    calendar_months,
    credentials,
    sessions,
    codes,
    api_keys,
    delegations
);
