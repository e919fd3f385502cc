//! Numbers of jobs and of the outbox: what became of jobs is counted as it is written, how much waits is looked up now and then.

use std::time::Duration;

use crate::platform::data::RunQueryDsl;
use diesel::prelude::*;
use jiff_diesel::DateTime;
use tokio::time::sleep;

use super::model::State;
use crate::platform::data::Error;
use crate::platform::data::instant::{now, read};
use crate::platform::observe::metrics::{CounterVec, Gauge, Metric};
use crate::read;
use crate::roles::user::schema::{jobs, outbox};
use crate::roles::user::store::Store;

/// How old the numbers of what waits may be.
const LOOK: Duration = Duration::from_secs(2);

static JOBS: CounterVec<30> = CounterVec::new(
    "w2meet_jobs",
    "Jobs that came into a state, counted when that is written",
    &[
        ("kind", &["schedule_meeting", "send_invitations", "deliver_webhook", "refresh_calendar", "send_letter"]),
        ("state", &["queued", "running", "retryable", "succeeded", "dead", "cancelled"]),
    ],
);
static DEAD: Gauge = Gauge::new("w2meet_jobs_dead", "Jobs that were given up and wait for somebody to look at them");
static AGE: Gauge =
    Gauge::new("w2meet_job_queue_age_seconds", "How long the job that has been queued longest has waited for a worker");
static PENDING: Gauge = Gauge::new("w2meet_outbox_pending", "Messages that wait for the queue to take them");

/// All of them.
pub const ALL: [&dyn Metric; 4] = [&JOBS, &DEAD, &AGE, &PENDING];

/// A job has come into a state.
pub fn count(kind: &str, state: State) {
    JOBS.add(&[kind, state.name()], 1);
}

/// Looks up how much waits, for as long as the process lives. One replica's numbers are everybody's: they share the tables.
pub async fn watch(store: Store) {
    loop {
        if let Err(why) = store.look().await {
            tracing::debug!(%why, "how much waits cannot be read");
        }
        sleep(LOOK).await;
    }
}

impl Store {
    async fn look(&self) -> Result<(), Error> {
        let dead: i64 =
            read!(self.db, |conn| jobs::table.filter(jobs::state.eq(State::Dead.name())).count().get_result(conn))?;
        let pending: i64 = read!(self.db, |conn| outbox::table.count().get_result(conn))?;
        let queued = jobs::table.filter(jobs::state.eq(State::Queued.name()));
        let oldest: Option<DateTime> =
            read!(self.db, |conn| queued.select(diesel::dsl::min(jobs::updated_at)).get_result(conn))?;
        let age = oldest.and_then(read).map_or(0.0, |at| now().duration_since(at).as_secs_f64().max(0.0));
        DEAD.set(dead as f64);
        PENDING.set(pending as f64);
        AGE.set(age);
        Ok(())
    }
}
