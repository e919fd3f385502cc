//! Responses saved under their Idempotency-Keys, in the transaction of their effect.

use diesel::prelude::*;
use jiff_diesel::DateTime;

use super::instant::{now, stored};
use super::schema::idempotency;
use super::{Abort, Connection, Owner, RunQueryDsl, columns};
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::Problem;
use crate::transact;

/// How long a key stands for its response.
pub const KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = idempotency)]
struct ResponseRow {
    key: String,
    fingerprint: String,
    status: i32,
    headers: String,
    body: String,
    subject: String,
    created_at: DateTime,
}

impl ResponseRow {
    fn new(key: &IdempotencyKey, response: &StoredResponse) -> ResponseRow {
        ResponseRow {
            key: key.scope.clone(),
            fingerprint: key.fingerprint.clone(),
            status: i32::from(response.status),
            headers: serde_json::to_string(&response.headers).unwrap_or_default(),
            body: response.body.clone(),
            subject: response.subject.clone(),
            created_at: stored(now()),
        }
    }

    fn read(self) -> StoredResponse {
        StoredResponse {
            status: u16::try_from(self.status).unwrap_or(200),
            headers: serde_json::from_str(&self.headers).unwrap_or_default(),
            body: self.body,
            subject: self.subject,
            replayed: true,
        }
    }
}

/// The response that this key stands for, if it was given before.
///
/// # Errors
/// A key that came with another body.
pub async fn find_response(
    conn: &mut Connection,
    key: Option<&IdempotencyKey>,
) -> Result<Option<StoredResponse>, Abort> {
    let Some(key) = key else { return Ok(None) };
    let mine = idempotency::table.filter(idempotency::key.eq(&key.scope)).select(columns::<ResponseRow>());
    let Some(row) = mine.first::<ResponseRow>(conn).await.optional()? else { return Ok(None) };
    key.check(&row.fingerprint).map_err(Abort::Rejected)?;
    Ok(Some(row.read()))
}

/// Saves a response under its key before its effect happens. A request that finds the key taken waits here for the other transaction, and
/// gets its response.
///
/// # Errors
/// A key that came with another body.
pub async fn save_response(
    conn: &mut Connection,
    key: Option<&IdempotencyKey>,
    response: &StoredResponse,
) -> Result<Option<StoredResponse>, Abort> {
    let Some(given) = key else { return Ok(None) };
    let row = ResponseRow::new(given, response);
    let saving = diesel::insert_into(idempotency::table).values(&row).on_conflict(idempotency::key).do_nothing();
    match saving.execute(conn).await? {
        0 => find_response(conn, key).await,
        _ => Ok(None),
    }
}

impl Owner {
    /// The response that this key stands for, if it was given before.
    ///
    /// # Errors
    /// A key that came with another body.
    pub async fn stored_response(&self, key: Option<&IdempotencyKey>) -> Result<Option<StoredResponse>, Abort> {
        if key.is_none() {
            return Ok(None);
        }
        transact!(self.db, |conn| { find_response(conn, key).await })
    }

    /// Does the work of a POST once for each key, and saves its response under the key in the same transaction. Then it wakes the relay.
    ///
    /// # Errors
    /// A key that came with another body, a full outbox, and what `work` says.
    pub async fn write_once(
        &self,
        key: Option<&IdempotencyKey>,
        response: StoredResponse,
        work: impl AsyncFnOnce(&mut Connection) -> Result<(), Abort>,
    ) -> Result<StoredResponse, Problem> {
        let response = transact!(self.db, |conn| {
            if let Some(stored) = find_response(conn, key).await? {
                return Ok(stored);
            }
            self.check_backpressure()?;
            if let Some(stored) = save_response(conn, key, &response).await? {
                return Ok(stored);
            }
            work(conn).await?;
            Ok::<StoredResponse, Abort>(response)
        })?;
        self.outbox_notify.notify_one();
        Ok(response)
    }
}
