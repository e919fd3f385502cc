//! Consumes jobs from the queue, as many at a time as `jobs.concurrency` allows, and reports failed attempts to their owners.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::Instrument as _;
use uuid::Uuid;

use super::job_context::JobContext;
use super::jobs::{self, StartedJob, ignore_stale};
use crate::platform::http::problem::{JOB_NOT_YOURS, UNKNOWN_JOB};
use crate::platform::jobs::api::{AttemptFailure, JobClient, JobMessage, RetryDecision};
use crate::platform::lifecycle::{Lifecycle, Phase};
use crate::platform::observe::span::{SpanRecord, is_recorded, record};
use crate::platform::queue::event::Event;
use crate::platform::queue::{Delivery, Destination, Queue};
use crate::platform::request_context::{RequestContext, milliseconds};

/// The pause before a delivery returns to the queue because its owner was unavailable.
const REQUEUE_DELAY: Duration = Duration::from_secs(1);

/// Works until the process drains; then finishes the running jobs.
pub async fn run(context: JobContext, queue: Arc<Queue>, lifecycle: Arc<Lifecycle>) {
    let context = Rc::new(context);
    let mut consumer = queue.consume(context.limits.concurrency);
    let mut tasks = JoinSet::new();
    let draining = lifecycle.wait_for(Phase::Draining);
    tokio::pin!(draining);
    loop {
        let has_capacity = tasks.len() < usize::from(context.limits.concurrency);
        tokio::select! {
            () = &mut draining => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            delivery = consumer.next(), if has_capacity => {
                tasks.spawn_local(handle_delivery(Rc::clone(&context), Arc::clone(&queue), delivery));
            }
        }
    }
    // one second less than the process waits, to requeue the rest in order
    let limit = Duration::from_secs(context.limits.drain_seconds.saturating_sub(1));
    let all = async { while tasks.join_next().await.is_some() {} };
    if timeout(limit, all).await.is_err() {
        tracing::warn!(jobs = tasks.len(), "stopping with running jobs: they return to the queue");
        tasks.abort_all();
        while tasks.join_next().await.is_some() {}
    }
    consumer.close().await;
}

/// Handles one delivery, until it is acknowledged.
async fn handle_delivery(context: Rc<JobContext>, queue: Arc<Queue>, delivery: Delivery) {
    let Some(message) = read_message(&delivery) else {
        tracing::error!(role = super::ROLE.name, case_id = delivery.case_id, "JOB_ERROR: a message without a job");
        return delivery.reject().await;
    };
    let [id, trace] = [&delivery.case_id, &delivery.traceparent].map(|text| text.as_deref().unwrap_or_default());
    let case = RequestContext::resume(id, trace, super::ROLE.name);
    let span = tracing::info_span!("job", role = case.role, case_id = case.id(), trace_id = case.trace.id());
    let failed = case.clone().scope(do_job(&context, message, delivery).instrument(span)).await;
    if is_recorded(&case.trace) {
        let (system, destination) = queue.destination_name(&Destination::Jobs);
        let span = SpanRecord::process(system, destination, failed.map(str::to_owned));
        record(case.role, case.id(), &case.trace, case.started, span);
    }
}

fn read_message(delivery: &Delivery) -> Option<JobMessage> {
    let event: Event = serde_json::from_slice(&delivery.body).ok()?;
    serde_json::from_value(event.data).ok()
}

/// Starts a job at its owner, makes one attempt, and settles the delivery. Returns the error type for the trace.
async fn do_job(context: &JobContext, message: JobMessage, delivery: Delivery) -> Option<&'static str> {
    let JobMessage { job_id, owner } = message;
    let Some(owner) = context.owners.get(owner.as_str()) else {
        tracing::error!(%job_id, owner, "JOB_ERROR: this worker does not know the owner of the job");
        delivery.reject().await;
        return Some("unknown");
    };
    match owner.start(job_id).await {
        Ok(lease) => match attempt(context, &StartedJob { lease, owner }).await {
            Ok(failed) => {
                delivery.ack().await;
                failed
            }
            // the owner does not know how the attempt ended: another one must follow
            Err(()) => {
                requeue(delivery).await;
                Some("unheard")
            }
        },
        Err(problem) if problem.kind == UNKNOWN_JOB => {
            tracing::error!(%job_id, "JOB_ERROR: the owner does not know this job");
            delivery.reject().await;
            Some("unknown")
        }
        Err(problem) if problem.kind == JOB_NOT_YOURS => {
            tracing::info!(%job_id, why = %problem.detail, "nothing to do");
            delivery.ack().await;
            None
        }
        Err(problem) => {
            tracing::warn!(%job_id, %problem, "the job cannot be started");
            requeue(delivery).await;
            Some("not_started")
        }
    }
}

async fn requeue(delivery: Delivery) {
    sleep(REQUEUE_DELAY).await;
    delivery.requeue().await;
}

/// Makes one attempt. `Ok` means that the owner knows how it ended, and says whether it failed.
async fn attempt(context: &JobContext, job: &StartedJob<'_>) -> Result<Option<&'static str>, ()> {
    let begin = Instant::now();
    let (job_id, attempt, kind) = (job.lease.job_id, job.lease.attempt, job.kind());
    tracing::info!(%job_id, attempt, kind, meeting_id = %job.lease.subject_id, "JOB_START");
    let limit = Duration::from_secs(context.limits.attempt_seconds);
    let outcome = match AssertUnwindSafe(timeout(limit, jobs::run(context, job))).catch_unwind().await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(job.retry(format!("it took longer than {} s", limit.as_secs()))),
        Err(_) => Err(job.retry("the worker panicked; its log says where")),
    };
    let ms = milliseconds(begin);
    match outcome {
        Ok(()) => {
            tracing::info!(%job_id, attempt, kind, ms, "JOB_DONE");
            Ok(None)
        }
        Err(failure) if matches!(failure.decision, RetryDecision::Snooze) => {
            tracing::info!(%job_id, attempt, kind, ms, why = failure.error, "JOB_POSTPONED");
            report_failure(job.owner, job_id, &failure).await.map(|()| None)
        }
        Err(failure) => {
            tracing::warn!(%job_id, attempt, ms, error = failure.error, "JOB_ERROR");
            report_failure(job.owner, job_id, &failure).await.map(|()| Some("failed"))
        }
    }
}

async fn report_failure(owner: &JobClient, job_id: Uuid, failure: &AttemptFailure) -> Result<(), ()> {
    ignore_stale(owner.fail(job_id, failure).await).map_err(|problem| {
        tracing::warn!(%job_id, %problem, "the owner of the job cannot be told that it failed");
    })
}
