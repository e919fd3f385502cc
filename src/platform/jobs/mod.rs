//! Background jobs of every owner: created in the owner's transactions, done by workers attempt by attempt, never lost.
//!
//! An owner implements [`JobOwner`], registers its kinds and adds [`endpoints`] to its table; [`store`] starts, finishes, fails and retries its jobs, [`relay`] publishes
//! them, and [`due`] publishes them again.

pub mod api;
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

use serde_json::Value;
use uuid::Uuid;

use crate::platform::data::{Abort, Connection, Owner};
use crate::platform::queue::Queue;
use api::{AttemptFailure, JobReport};
use model::{Job, JobKind, find_kind};

/// An owner of jobs: what it adds to the engine. Every call but [`JobOwner::lease`] runs in the transaction that changes the job.
pub trait JobOwner: Clone + Send + Sync + 'static {
    /// What its jobs are about, read and locked.
    type Subject: Send + Sync;

    /// The kinds of its jobs.
    const KINDS: &'static [JobKind];

    /// Its database.
    fn owner(&self) -> &Owner;

    /// Locks what a job is about. The subject is locked before the job's row: every transaction locks in this order.
    fn lock(
        &self,
        conn: &mut Connection,
        kind: &str,
        subject: Uuid,
    ) -> impl Future<Output = Result<Self::Subject, Abort>> + Send;

    /// An attempt begins. `None` cancels the job, because it is not wanted any more; else the input of the worker's handler.
    fn start(
        &self,
        conn: &mut Connection,
        job: &Job,
        payload: &str,
        subject: &Self::Subject,
    ) -> impl Future<Output = Result<Option<Value>, Abort>> + Send;

    /// An attempt has succeeded.
    fn finish(
        &self,
        conn: &mut Connection,
        job: &Job,
        subject: &Self::Subject,
        report: &JobReport<Value>,
    ) -> impl Future<Output = Result<(), Abort>> + Send;

    /// An attempt has failed; `job` stands as it does after that. `payload` is what the job was created with.
    fn fail(
        &self,
        conn: &mut Connection,
        job: &Job,
        payload: &str,
        subject: &Self::Subject,
        failure: &AttemptFailure,
    ) -> impl Future<Output = Result<(), Abort>> + Send;

    /// An administrator retries the job.
    fn retry(
        &self,
        conn: &mut Connection,
        job: &Job,
        subject: &Self::Subject,
    ) -> impl Future<Output = Result<(), Abort>> + Send;

    /// Adds to what an administrator reads of a job.
    fn describe(&self, _job: &Job, _shown: &mut Value) {}

    /// Erases what is old, once an hour.
    fn purge(&self) -> impl Future<Output = Result<(), crate::platform::data::Error>> + Send {
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
    if is_watched {
        tokio::spawn(metrics::watch(owner.clone()));
    }
}
