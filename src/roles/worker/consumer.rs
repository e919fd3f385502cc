//! The worker's line: takes jobs out of the queue, as many at a time as it may, and reports how each attempt ended.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::Instrument as _;
use uuid::Uuid;

use super::jobs::{deliver_webhook, refresh_calendar, schedule_meeting, send_invitations, send_letter};
use super::tools::{JobOutcome, Tools};
use crate::platform::http::problem::{JOB_NOT_YOURS, Problem, UNKNOWN_JOB};
use crate::platform::observe::span::{SpanRecord, is_recorded, record};
use crate::platform::queue::event::Event;
use crate::platform::queue::{Delivery, Destination, Queue};
use crate::platform::request_context::{RequestContext, milliseconds};
use crate::platform::role::{Lifecycle, Phase};
use crate::roles::user::api::jobs::{AttemptFailure, JobLease, JobMessage, JobPayload, RetryDecision};

/// How long a job is left alone that could not even be started: user is away.
const PAUSE: Duration = Duration::from_secs(1);

/// Works until the process drains; then finishes what is in hand.
pub async fn work(tools: Tools, queue: Arc<Queue>, lifecycle: Arc<Lifecycle>) {
    let tools = Rc::new(tools);
    let mut consumer = queue.consume(tools.limits.concurrency);
    let mut hands = JoinSet::new();
    let draining = lifecycle.reached(Phase::Draining);
    tokio::pin!(draining);
    loop {
        let free = hands.len() < usize::from(tools.limits.concurrency);
        tokio::select! {
            () = &mut draining => break,
            Some(_) = hands.join_next(), if !hands.is_empty() => {}
            delivery = consumer.next(), if free => drop(hands.spawn_local(handle(Rc::clone(&tools), Arc::clone(&queue), delivery))),
        }
    }
    // a second less than the process waits for us, to give the rest back in order
    let patience = Duration::from_secs(tools.limits.drain_seconds.saturating_sub(1));
    let all = async { while hands.join_next().await.is_some() {} };
    if timeout(patience, all).await.is_err() {
        tracing::warn!(jobs = hands.len(), "stopping with jobs in hand: they go back to the queue");
        hands.abort_all();
        while hands.join_next().await.is_some() {}
    }
    consumer.close().await;
}

/// One delivery, to its acknowledgement.
async fn handle(tools: Rc<Tools>, queue: Arc<Queue>, delivery: Delivery) {
    let Some(job) = job_of(&delivery) else {
        tracing::error!(role = super::ROLE.name, case_id = delivery.case_id, "JOB_ERROR: a message that names no job");
        return delivery.reject().await;
    };
    let [id, trace] = [&delivery.case_id, &delivery.traceparent].map(|text| text.as_deref().unwrap_or_default());
    let case = RequestContext::resumed(id, trace, super::ROLE.name);
    let span = tracing::info_span!("job", role = case.role, case_id = case.id(), trace_id = case.trace.id());
    let failed = case.clone().scope(start(&tools, job, delivery).instrument(span)).await;
    if is_recorded(&case.trace) {
        let (system, destination) = queue.destination_name(&Destination::Jobs);
        let step = SpanRecord::process(system, destination, failed.map(str::to_owned));
        record(case.role, case.id(), &case.trace, case.started, step);
    }
}

/// From the start of a job to the answer for its delivery; says what went wrong.
async fn start(tools: &Tools, job: Uuid, delivery: Delivery) -> Option<&'static str> {
    match tools.jobs.start(job).await {
        Ok(order) => match attempt(tools, &order).await {
            Ok(failed) => {
                delivery.ack().await;
                failed
            }
            // nobody has heard how it ended: the next attempt will tell
            Err(()) => {
                put_back(delivery).await;
                Some("unheard")
            }
        },
        Err(problem) if problem.kind == UNKNOWN_JOB => {
            tracing::error!(job_id = %job, "JOB_ERROR: nobody knows this job");
            delivery.reject().await;
            Some("unknown")
        }
        Err(problem) if problem.kind == JOB_NOT_YOURS => {
            tracing::info!(job_id = %job, why = %problem.detail, "nothing to do");
            delivery.ack().await;
            None
        }
        Err(problem) => {
            tracing::warn!(job_id = %job, %problem, "the job cannot be started");
            put_back(delivery).await;
            Some("not_started")
        }
    }
}

async fn put_back(delivery: Delivery) {
    sleep(PAUSE).await;
    delivery.requeue().await;
}

fn job_of(delivery: &Delivery) -> Option<Uuid> {
    let event: Event = serde_json::from_slice(&delivery.body).ok()?;
    let notice: JobMessage = serde_json::from_value(event.data).ok()?;
    Some(notice.job_id)
}

/// One attempt, to the report of how it ended: whether it failed, if that was heard.
async fn attempt(tools: &Tools, order: &JobLease) -> Result<Option<&'static str>, ()> {
    let begin = Instant::now();
    let (job_id, attempt) = (order.job_id, order.attempt);
    tracing::info!(%job_id, attempt, kind = order.work.name(), meeting_id = %order.meeting_id, "JOB_START");
    let limit = Duration::from_secs(tools.limits.attempt_seconds);
    let done = AssertUnwindSafe(timeout(limit, perform(tools, order))).catch_unwind().await;
    let end = match done {
        Ok(Ok(end)) => end,
        Ok(Err(_)) => Err(AttemptFailure::again(order, format!("it took longer than {} s", limit.as_secs()))),
        Err(_) => Err(AttemptFailure::again(order, "the worker stumbled over it; its log says more".to_owned())),
    };
    let ms = milliseconds(begin);
    match end {
        Ok(()) => {
            tracing::info!(%job_id, attempt, kind = order.work.name(), ms, "JOB_DONE");
            Ok(None)
        }
        Err(failure) if matches!(failure.verdict, RetryDecision::Later) => {
            tracing::debug!(%job_id, attempt, ms, why = failure.error, "put back for a moment");
            report(tools, job_id, &failure).await.map(|()| None)
        }
        Err(failure) => {
            tracing::warn!(%job_id, attempt, ms, error = failure.error, "JOB_ERROR");
            report(tools, job_id, &failure).await.map(|()| Some("failed"))
        }
    }
}

async fn report(tools: &Tools, job: Uuid, failure: &AttemptFailure) -> Result<(), ()> {
    match tools.jobs.fail(job, failure).await {
        Ok(()) => Ok(()),
        Err(problem) if is_over(&problem) => Ok(()),
        Err(problem) => {
            tracing::warn!(job_id = %job, %problem, "nobody hears that the job failed");
            Err(())
        }
    }
}

/// Whether the job is another attempt's by now, or wanted by nobody.
pub fn is_over(problem: &Problem) -> bool {
    problem.kind == JOB_NOT_YOURS || problem.kind == UNKNOWN_JOB
}

async fn perform(tools: &Tools, order: &JobLease) -> JobOutcome {
    match &order.work {
        JobPayload::ScheduleMeeting(search) => schedule_meeting::perform(tools, order, search).await,
        JobPayload::SendInvitations(mailing) => send_invitations::perform(tools, order, mailing).await,
        JobPayload::DeliverWebhook(webhook) => deliver_webhook::perform(tools, order, webhook).await,
        JobPayload::RefreshCalendar(feed) => refresh_calendar::perform(tools, order, feed).await,
        JobPayload::SendLetter(letter) => send_letter::perform(tools, order, letter).await,
        JobPayload::Other => Err(AttemptFailure::again(order, "this worker does not know this kind of job".to_owned())),
    }
}

impl AttemptFailure {
    /// An attempt that is worth another one.
    pub fn again(order: &JobLease, error: String) -> AttemptFailure {
        let verdict = RetryDecision::Again { retry_after: None, slow: false };
        AttemptFailure { attempt: order.attempt, verdict, error, notes: Vec::new() }
    }
}
