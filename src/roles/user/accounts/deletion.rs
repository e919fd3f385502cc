//! Deletes an account, and everything that this role keeps of it. Other roles hear of it by `user.deleted`.

use diesel::prelude::*;

use super::model::User;
use super::store::{Row, Users, event, lock_epoch, unknown};
use crate::platform::data::schema::{deliveries, idempotency};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, columns};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::platform::jobs::rows::scrub_jobs;
use crate::roles::user::auth::sessions::end_sessions;
use crate::roles::user::auth::store::erase_failures;
use crate::roles::user::calendars::store::erase_calendars;
use crate::roles::user::delegations::store::erase_delegations;
use crate::roles::user::schema::{api_keys, credentials, users};
use crate::roles::user::verification::store::erase_codes;
use crate::transact;

impl Users {
    /// Deletes a user whose version `guard` accepts.
    pub async fn delete(
        &self,
        email: &Email,
        barred: Option<i64>,
        guard: impl Fn(i64) -> Result<(), Problem> + Send + Sync,
    ) -> Result<((), i64), Abort> {
        let digest = self.store.address_digest(email);
        transact!(self.store.owner.db, |conn| {
            let epoch = lock_epoch(conn, barred).await?;
            let mine = users::table.filter(users::email.eq(email.as_str()));
            let deleted: Option<Row> =
                diesel::delete(mine).returning(columns::<Row>()).get_result(conn).await.optional()?;
            let user = User::try_from(deleted.ok_or_else(|| unknown(email))?)?;
            guard(user.version).map_err(Abort::Rejected)?;
            // an import of a calendar locks the user first too
            erase_calendars(conn, email).await?;
            erase_codes(conn, email, &digest).await?;
            let id = user.id.to_string();
            end_sessions(conn, &id, "").await?;
            diesel::delete(api_keys::table.filter(api_keys::user_id.eq(&id))).execute(conn).await?;
            erase_delegations(conn, &id).await?;
            diesel::delete(credentials::table.filter(credentials::user_id.eq(&id))).execute(conn).await?;
            erase_failures(conn, &digest).await?;
            erase_mentions(conn, email, &id).await?;
            let deleted = User { version: user.version + 1, ..user };
            conn.enqueue(event(&deleted, "deleted"));
            Ok::<_, Abort>(((), epoch))
        })
    }
}

/// Erases what was sent to a user, and the saved responses about them or to their requests.
async fn erase_mentions(conn: &mut Connection, email: &Email, id: &str) -> Result<(), Error> {
    let sent = deliveries::table.filter(deliveries::target.eq(email.as_str()));
    let by: Vec<String> = sent.select(deliveries::job_id).load(conn).await?;
    scrub_jobs(conn, &by).await?;
    diesel::delete(sent).execute(conn).await?;
    let named = idempotency::subject.eq(email.as_str()).or(idempotency::key.like(format!("{id} %")));
    diesel::delete(idempotency::table.filter(named)).execute(conn).await?;
    Ok(())
}
