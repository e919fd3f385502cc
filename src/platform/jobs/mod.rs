//! Background jobs of every owner: created in the owner's transactions, done by workers attempt by attempt, never lost.
//!
//! An owner implements [`JobOwner`] and adds [`endpoints`] to its table; [`store`] starts, finishes, fails and retries its jobs, [`relay`] publishes
//! them, and [`due`] publishes them again.

pub mod api;
pub mod backoff;
pub mod due;
pub mod endpoints;
mod handlers;
pub mod housekeeping;
pub mod metrics;
pub mod model;
pub mod relay;
pub mod rows;
pub mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::platform::data::{Abort, Connection, DataOwner, Error};
use crate::platform::queue::Queue;
use api::{AttemptFailure, JobReport};
pub use endpoints::endpoints;
use model::{Job, find_kind};
pub use model::{JobKind, NewJob};
pub use rows::create_job;

/// What a job is about. It is locked before the job's row: every transaction locks in this order.
pub trait JobSubject: Send + Sync + Sized {
    /// Reads it, and locks it until the transaction ends.
    fn lock(conn: &mut Connection, id: Uuid) -> impl Future<Output = Result<Self, Abort>> + Send;
}

/// Jobs whose subject needs no lock.
impl JobSubject for () {
    async fn lock(_: &mut Connection, _: Uuid) -> Result<(), Abort> {
        Ok(())
    }
}

/// An owner of jobs: what it adds to the engine. Every asynchronous call but [`JobOwner::purge`] runs in the transaction that changes
/// the job.
pub trait JobOwner: DataOwner {
    /// What its jobs are about.
    type Subject: JobSubject;

    /// The kinds of its jobs.
    const KINDS: &'static [JobKind];

    /// An attempt begins. `None` cancels the job, because it is not wanted any more; else the input of the worker's handler, which is
    /// the payload and the kind unless the owner says otherwise.
    fn start(
        &self,
        _conn: &mut Connection,
        job: &Job,
        payload: &str,
        _subject: &Self::Subject,
    ) -> impl Future<Output = Result<Option<Value>, Abort>> + Send {
        let input = serde_json::from_str(payload).map(|mut input: Map<String, Value>| {
            input.insert("kind".to_owned(), job.kind.as_str().into());
            Some(Value::Object(input))
        });
        let input = input.map_err(|why| Error::Corrupt(format!("the payload of job {}: {why}", job.id)).into());
        async { input }
    }

    /// An attempt has succeeded.
    fn finish(
        &self,
        _conn: &mut Connection,
        _job: &Job,
        _subject: &Self::Subject,
        _report: &JobReport<Value>,
    ) -> impl Future<Output = Result<(), Abort>> + Send {
        async { Ok(()) }
    }

    /// An attempt has failed; `job` stands as it does after that. `payload` is what the job was created with.
    fn fail(
        &self,
        _conn: &mut Connection,
        _job: &Job,
        _payload: &str,
        _subject: &Self::Subject,
        _failure: &AttemptFailure,
    ) -> impl Future<Output = Result<(), Abort>> + Send {
        async { Ok(()) }
    }

    /// An administrator retries the job.
    fn retry(
        &self,
        _conn: &mut Connection,
        _job: &Job,
        _subject: &Self::Subject,
    ) -> impl Future<Output = Result<(), Abort>> + Send {
        async { Ok(()) }
    }

    /// Adds to what an administrator reads of a job.
    fn describe(&self, _job: &Job, _shown: &mut Value) {}

    /// Erases what is old, once an hour.
    fn purge(&self) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }

    /// The kind of a job, if this release knows it.
    fn kind(&self, job: &Job) -> Option<&'static JobKind> {
        find_kind(Self::KINDS, &job.kind)
    }

    /// What an administrator reads of a job.
    fn show(&self, job: &Job) -> Value {
        let mut shown = job.public();
        self.describe(job, &mut shown);
        shown
    }
}

/// Starts the background tasks of an owner: the relay, the sweeper, the housekeeping and the metrics.
pub fn spawn_tasks<O: JobOwner>(jobs: &O, queue: Arc<Queue>, is_watched: bool) {
    let owner = jobs.owner();
    tokio::spawn(relay::publish(owner.clone(), queue));
    tokio::spawn(relay::watch_backlog(owner.clone()));
    tokio::spawn(due::requeue(owner.clone()));
    tokio::spawn(housekeeping::purge(jobs.clone()));
    if owner.db.is_ours_alone() {
        tokio::spawn(housekeeping::checkpoint(owner.clone()));
    }
    if is_watched {
        tokio::spawn(metrics::watch(owner.clone()));
    }
}
