//! Metrics of jobs and of the outbox: a job is counted when its state is written, the backlog is read now and then.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::platform::data::RunQueryDsl;
use diesel::prelude::*;
use jiff_diesel::DateTime;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::sleep;

use super::model::{INVITE, LETTER, REFRESH, SCHEDULE, State, WEBHOOK};
use crate::platform::data::Error;
use crate::platform::data::instant::{now, read};
use crate::platform::observe::metrics::{register, register_counters};
use crate::read;
use crate::roles::user::schema::{jobs, outbox};
use crate::roles::user::store::Store;

/// How often the backlog is read.
const INTERVAL: Duration = Duration::from_secs(2);
const KINDS: [&str; 5] = [SCHEDULE, INVITE, WEBHOOK, REFRESH, LETTER];

type Labels = [(&'static str, &'static str); 2];
type Number = Gauge<f64, AtomicU64>;

static JOBS: LazyLock<Family<Labels, Counter>> = LazyLock::new(|| {
    let series = KINDS.iter().flat_map(|kind| State::ALL.map(|state| labels(kind, state)));
    register_counters("w2meet_jobs", "Jobs that came into a state, counted when the state is written", series)
});
/// The gauges are registered with their first value.
static DEAD: LazyLock<Number> =
    LazyLock::new(|| gauge("w2meet_jobs_dead", "Jobs that have failed for good and wait for an operator"));
static AGE: LazyLock<Number> =
    LazyLock::new(|| gauge("w2meet_job_queue_age_seconds", "Age of the job that has been queued longest"));
static PENDING: LazyLock<Number> =
    LazyLock::new(|| gauge("w2meet_outbox_pending", "Messages in the outbox that are not published yet"));

fn gauge(name: &str, help: &str) -> Number {
    let gauge = Number::default();
    register(name, help, gauge.clone());
    gauge
}

fn labels(kind: &'static str, state: State) -> Labels {
    [("kind", kind), ("state", state.name())]
}

/// Puts the counters on the page, at zero.
pub fn register_all() {
    LazyLock::force(&JOBS);
}

/// Counts a job that came into a state.
pub fn count(kind: &str, state: State) {
    // the kind comes from a row: one that this release does not know has no series
    if let Some(kind) = KINDS.iter().find(|known| **known == kind) {
        JOBS.get_or_create(&labels(kind, state)).inc();
    }
}

/// Reads the backlog again and again. Never ends. Every replica reports the same numbers: they share the tables.
pub async fn watch(store: Store) {
    loop {
        if let Err(why) = store.measure_backlog().await {
            tracing::debug!(%why, "the backlog cannot be read");
        }
        sleep(INTERVAL).await;
    }
}

impl Store {
    async fn measure_backlog(&self) -> Result<(), Error> {
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
