//! Metrics of jobs and of the outbox: a job is counted when its state is written, the backlog and the databases are read now and then.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use diesel::prelude::*;
use jiff_diesel::DateTime;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::sleep;

use super::JobOwner;
use super::model::JobState;
use crate::platform::data::instant::{now, read};
use crate::platform::data::schema::{jobs, outbox};
use crate::platform::data::{Error, Owner, RunQueryDsl};
use crate::platform::http::health::Status;
use crate::platform::observe::metrics::{register, register_counters};
use crate::read;

/// How often the backlog and the databases are read.
const INTERVAL: Duration = Duration::from_secs(2);

type Labels = [(&'static str, String); 2];
type Number = Gauge<f64, AtomicU64>;

static JOBS: LazyLock<Family<Labels, Counter>> = LazyLock::new(|| {
    register_counters("w2meet_jobs", "Jobs that came into a state, counted when the state is written", [])
});
/// The gauges are registered with their first value.
static DEAD: LazyLock<Number> =
    LazyLock::new(|| gauge("w2meet_jobs_dead", "Jobs that have failed for good and wait for an operator"));
static AGE: LazyLock<Number> =
    LazyLock::new(|| gauge("w2meet_job_queue_age_seconds", "Age of the job that has been queued longest"));
static PENDING: LazyLock<Number> =
    LazyLock::new(|| gauge("w2meet_outbox_pending", "Messages in the outbox that are not published yet"));
static WRITABLE: LazyLock<Family<[(&'static str, &'static str); 1], Gauge>> = LazyLock::new(|| {
    let gauges = Family::default();
    let help = "Whether the database of the role can be written: 0 if it is away, refuses, or is full, read-only, damaged or locked by another process";
    register("w2meet_database_writable", help, gauges.clone());
    gauges
});
/// The backlog of each owner in this process.
static BACKLOGS: Mutex<BTreeMap<&str, Backlog>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Copy)]
struct Backlog {
    dead: i64,
    pending: i64,
    age: f64,
}

fn gauge(name: &str, help: &str) -> Number {
    let gauge = Number::default();
    register(name, help, gauge.clone());
    gauge
}

fn labels(kind: &str, state: JobState) -> Labels {
    [("kind", kind.to_owned()), ("state", state.name().to_owned())]
}

/// Puts the counters of an owner's kinds on the page, at zero.
pub fn register_kinds<O: JobOwner>() {
    for (kind, state) in O::KINDS.iter().flat_map(|kind| JobState::ALL.map(|state| (kind.name, state))) {
        let _zero: Counter = JOBS.get_or_create_owned(&labels(kind, state));
    }
}

/// Counts a job that came into a state.
pub fn count(kind: &str, state: JobState) {
    JOBS.get_or_create(&labels(kind, state)).inc();
}

/// The start of a role waits for its database.
pub fn not_writable(role: &'static str) {
    WRITABLE.get_or_create(&[("role", role)]).set(0);
}

/// Reads the backlog of an owner and the health of its database again and again. Never ends. Every replica reports the same numbers: they share the tables.
pub async fn watch(owner: Owner) {
    loop {
        match read_backlog(&owner).await {
            Ok(backlog) => show_backlog(owner.role, backlog),
            Err(why) => tracing::debug!(role = owner.role, %why, "the backlog cannot be read"),
        }
        let is_writable = owner.db.health().await.status == Status::Healthy;
        WRITABLE.get_or_create(&[("role", owner.role)]).set(i64::from(is_writable));
        sleep(INTERVAL).await;
    }
}

async fn read_backlog(owner: &Owner) -> Result<Backlog, Error> {
    let dead: i64 =
        read!(owner.db, |conn| jobs::table.filter(jobs::state.eq(JobState::Dead.name())).count().get_result(conn))?;
    let pending: i64 = read!(owner.db, |conn| outbox::table.count().get_result(conn))?;
    let queued = jobs::table.filter(jobs::state.eq(JobState::Queued.name()));
    let oldest: Option<DateTime> =
        read!(owner.db, |conn| queued.select(diesel::dsl::min(jobs::updated_at)).get_result(conn))?;
    let age = oldest.and_then(read).map_or(0.0, |at| now().duration_since(at).as_secs_f64().max(0.0));
    Ok(Backlog { dead, pending, age })
}

/// Shows the sum over the owners of this process.
fn show_backlog(role: &'static str, backlog: Backlog) {
    let mut all = BACKLOGS.lock().unwrap_or_else(PoisonError::into_inner);
    all.insert(role, backlog);
    DEAD.set(all.values().map(|one| one.dead).sum::<i64>() as f64);
    PENDING.set(all.values().map(|one| one.pending).sum::<i64>() as f64);
    AGE.set(all.values().map(|one| one.age).fold(0.0, f64::max));
}
