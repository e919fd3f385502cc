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
        version -> BigInt,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    cache_epoch (id) {
        id -> Integer,
        epoch -> BigInt,
        server -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(users, cache_epoch);
