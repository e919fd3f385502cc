//! Waking jobs: those whose next attempt is due, and those that were published and never finished.

use crate::platform::data::RunQueryDsl;
use diesel::prelude::*;
use jiff_diesel::DateTime;
use uuid::Uuid;

use super::metrics::count;
use super::model::State;
use crate::platform::data::Error;
use crate::platform::data::instant::{now, stored};
use crate::roles::user::outbox::{self, enqueue};
use crate::roles::user::schema::jobs;
use crate::roles::user::store::Store;
use crate::{read, transact};

/// What the sweeper and the clock of retries find.
#[derive(QueryableByName)]
pub struct Due {
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub id: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub kind: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub case_id: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    pub traceparent: String,
    #[diesel(sql_type = diesel::sql_types::Integer)]
    pub sent: i32,
}

impl Store {
    /// Puts jobs whose time has come into the outbox: the next attempts, and what was published but never finished.
    pub async fn wake_jobs(&self) -> Result<usize, Error> {
        let at: DateTime = stored(now());
        let waiting: i64 = read!(self.db, |conn| jobs::table.filter(jobs::due_at.le(at)).count().get_result(conn))?;
        if waiting == 0 {
            return Ok(0);
        }
        let query = format!(
            "UPDATE jobs SET due_at = NULL, state = CASE state WHEN 'retryable' THEN 'queued' ELSE state END \
             WHERE id IN (SELECT id FROM jobs WHERE due_at <= $1 ORDER BY due_at LIMIT 500 {}) RETURNING id, kind, case_id, \
             traceparent, sent",
            self.db.skipping_held()
        );
        let woken = transact!(self.db, |conn| {
            let query = diesel::sql_query(&query).bind::<diesel::sql_types::Timestamp, _>(at);
            let due: Vec<Due> = query.load(conn).await?;
            let id = |due: &Due| due.id.parse::<Uuid>().map_err(|_| Error::Corrupt(format!("job {}", due.id)));
            for due in &due {
                if due.sent == 0 {
                    count(&due.kind, State::Queued);
                }
                let origin = (due.case_id.as_str(), due.traceparent.as_str());
                enqueue(conn, &[outbox::Row::job(id(due)?, &due.kind, origin, due.sent, now())]).await?;
            }
            Ok::<usize, Error>(due.len())
        })?;
        self.bell.notify_one();
        Ok(woken)
    }
}
