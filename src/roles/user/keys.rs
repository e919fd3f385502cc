//! Answers kept under their Idempotency-Keys, in the transaction of their effect.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use jiff_diesel::DateTime;

use super::schema::idempotency;
use super::store::{Stop, Store};
use crate::platform::data::instant::{now, stored};
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::transact;

/// How long a key stands for its answer.
pub const DAY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = idempotency)]
pub struct KeyRow {
    key: String,
    pub fingerprint: String,
    status: i32,
    headers: String,
    body: String,
    created_at: DateTime,
}

impl KeyRow {
    pub fn new(key: &IdempotencyKey, answer: &StoredResponse) -> KeyRow {
        KeyRow {
            key: key.scope.clone(),
            fingerprint: key.fingerprint.clone(),
            status: i32::from(answer.status),
            headers: serde_json::to_string(&answer.headers).unwrap_or_default(),
            body: answer.body.clone(),
            created_at: stored(now()),
        }
    }

    pub fn read(self) -> StoredResponse {
        StoredResponse {
            status: u16::try_from(self.status).unwrap_or(200),
            headers: serde_json::from_str(&self.headers).unwrap_or_default(),
            body: self.body,
            replayed: true,
        }
    }
}

/// [`Store::kept`], within a transaction.
macro_rules! kept_answer {
    ($conn:ident, $key:expr) => {{
        use $crate::roles::user::schema::idempotency;
        let key: Option<&$crate::platform::http::idempotency::IdempotencyKey> = $key;
        match key {
            None => None,
            Some(key) => {
                let mine = idempotency::table.filter(idempotency::key.eq(&key.scope));
                let row: Option<$crate::roles::user::keys::KeyRow> =
                    mine.select($crate::roles::user::keys::KeyRow::as_select()).first($conn).await.optional()?;
                match row {
                    None => None,
                    Some(row) => {
                        key.check(&row.fingerprint).map_err(Stop::Refused)?;
                        Some(row.read())
                    }
                }
            }
        }
    }};
}

/// Keeps an answer under its key before its effect happens. Who finds the key taken by then waits for the other transaction
/// here, and gets its answer.
macro_rules! keep_answer {
    ($conn:ident, $key:expr, $answer:expr) => {{
        use $crate::roles::user::schema::idempotency;
        let key: Option<&$crate::platform::http::idempotency::IdempotencyKey> = $key;
        match key {
            None => None,
            Some(given) => {
                let row = $crate::roles::user::keys::KeyRow::new(given, $answer);
                let keeping =
                    diesel::insert_into(idempotency::table).values(&row).on_conflict(idempotency::key).do_nothing();
                match keeping.execute($conn).await? {
                    0 => $crate::roles::user::keys::kept_answer!($conn, key),
                    _ => None,
                }
            }
        }
    }};
}
pub(super) use {keep_answer, kept_answer};

impl Store {
    /// The answer that this key stands for, if it was given before. Refused when the key came with another body.
    pub async fn kept(&self, key: Option<&IdempotencyKey>) -> Result<Option<StoredResponse>, Stop> {
        if key.is_none() {
            return Ok(None);
        }
        transact!(self.db, |conn| { Ok::<Option<StoredResponse>, Stop>(kept_answer!(conn, key)) })
    }
}
