//! Requeueing jobs: those whose next attempt is due, and those that were published and never finished.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Timestamp;
use jiff_diesel::DateTime;
use tokio::time::timeout;

use super::metrics::count;
use super::model::JobState;
use crate::platform::data::OutboxRow;
use crate::platform::data::instant::{now, read, stored};
use crate::platform::data::schema::jobs;
use crate::platform::data::{Error, Owner, RunQueryDsl};
use crate::{read, transact};

/// The longest time between two looks at the jobs: another replica may have made one due meanwhile.
const TICK: Duration = Duration::from_secs(1);

/// What the message of a job needs.
#[derive(QueryableByName)]
#[diesel(table_name = jobs)]
struct DueJob {
    id: String,
    kind: String,
    sent: i32,
    case_id: String,
    traceparent: String,
}

/// Requeues jobs that are due, for as long as the process lives.
pub async fn requeue(owner: Owner) {
    loop {
        let wait = match next_due(&owner).await {
            Ok(wait) if wait.is_zero() => requeue_due(&owner).await.map(|requeued| {
                tracing::debug!(role = owner.role, requeued, "jobs are due");
                // those that are left are in the hands of another replica
                if requeued > 0 { Duration::ZERO } else { TICK }
            }),
            other => other,
        };
        if let Err(why) = &wait {
            tracing::debug!(role = owner.role, %why, "the jobs cannot be read");
        }
        drop(timeout(wait.unwrap_or(TICK), owner.due_notify.notified()).await);
    }
}

/// The time until the first job is due, or until the next look.
async fn next_due(owner: &Owner) -> Result<Duration, Error> {
    let first = jobs::table.select(diesel::dsl::min(jobs::due_at));
    let first: Option<DateTime> = read!(owner.db, |conn| first.get_result(conn))?;
    let wait = first.and_then(read).map(|at| Duration::try_from(at.duration_since(now())).unwrap_or_default());
    Ok(wait.unwrap_or(TICK).min(TICK))
}

/// Puts jobs that are due into the outbox: the next attempts, and what was published but never finished.
async fn requeue_due(owner: &Owner) -> Result<usize, Error> {
    let at: DateTime = stored(now());
    let query = format!(
        "UPDATE jobs SET due_at = NULL, state = CASE state WHEN 'retryable' THEN 'queued' ELSE state END \
         WHERE id IN (SELECT id FROM jobs WHERE due_at <= $1 ORDER BY due_at LIMIT 500 {}) \
         RETURNING id, kind, sent, case_id, traceparent",
        owner.db.skipping_held()
    );
    let requeued = transact!(owner.db, |conn| {
        let due: Vec<DueJob> = diesel::sql_query(&query).bind::<Timestamp, _>(at).load(conn).await?;
        for row in &due {
            if row.sent == 0 {
                count(&row.kind, JobState::Queued);
            }
            let id = row.id.parse().map_err(|_| Error::Corrupt(format!("job {}", row.id)))?;
            let origin = (row.case_id.as_str(), row.traceparent.as_str());
            conn.enqueue(OutboxRow::job(owner.role, id, &row.kind, origin, row.sent, now()));
        }
        Ok::<usize, Error>(due.len())
    })?;
    owner.outbox_notify.notify_one();
    Ok(requeued)
}
