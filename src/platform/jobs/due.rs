//! Requeueing jobs: those whose next attempt is due, and those that were published and never finished.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Timestamp;
use jiff_diesel::DateTime;
use tokio::time::sleep;

use super::metrics::count;
use super::model::JobState;
use super::rows::JobRow;
use crate::platform::data::instant::{now, stored};
use crate::platform::data::outbox::{OutboxRow, enqueue};
use crate::platform::data::schema::jobs;
use crate::platform::data::{Error, Owner, RunQueryDsl};
use crate::{read, transact};

/// How often the jobs are looked at.
const TICK: Duration = Duration::from_millis(250);

/// Requeues jobs that are due, for as long as the process lives.
pub async fn requeue(owner: Owner) {
    loop {
        match requeue_due(&owner).await {
            Ok(0) => sleep(TICK).await,
            Ok(requeued) => tracing::debug!(role = owner.role, requeued, "jobs are due"),
            Err(why) => {
                tracing::debug!(role = owner.role, %why, "the jobs cannot be read");
                sleep(TICK).await;
            }
        }
    }
}

/// Puts jobs that are due into the outbox: the next attempts, and what was published but never finished.
async fn requeue_due(owner: &Owner) -> Result<usize, Error> {
    let at: DateTime = stored(now());
    let waiting: i64 = read!(owner.db, |conn| jobs::table.filter(jobs::due_at.le(at)).count().get_result(conn))?;
    if waiting == 0 {
        return Ok(0);
    }
    let query = format!(
        "UPDATE jobs SET due_at = NULL, state = CASE state WHEN 'retryable' THEN 'queued' ELSE state END \
         WHERE id IN (SELECT id FROM jobs WHERE due_at <= $1 ORDER BY due_at LIMIT 500 {}) RETURNING *",
        owner.db.skipping_held()
    );
    let requeued = transact!(owner.db, |conn| {
        let due: Vec<JobRow> = diesel::sql_query(&query).bind::<Timestamp, _>(at).load(conn).await?;
        for row in &due {
            if row.sent == 0 {
                count(&row.kind, JobState::Queued);
            }
            let id = row.id.parse().map_err(|_| Error::Corrupt(format!("job {}", row.id)))?;
            let origin = (row.case_id.as_str(), row.traceparent.as_str());
            enqueue(conn, &[OutboxRow::job(owner.role, id, &row.kind, origin, row.sent, now())]).await?;
        }
        Ok::<usize, Error>(due.len())
    })?;
    owner.outbox_notify.notify_one();
    Ok(requeued)
}
